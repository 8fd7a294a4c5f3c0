import { brotliDecompressSync, constants, unzipSync } from "node:zlib";
import type { RawAnswer } from "./outbound.ts";

/**
 * The text of a body, unpacked. A cut body is unpacked as far as it goes.
 */
export const decodeBody = (raw: Pick<RawAnswer, "headers" | "body">, limitBytes: number): string =>
  new TextDecoder().decode(unpackBody(raw, limitBytes));

/**
 * The bytes of a body. We ask for no compression, and a proxy that compresses all the same must not cost a grant its
 * token; what unpacks to more than `limitBytes` is left packed and so reads as nothing (T16).
 */
export function unpackBody(
  { headers, body }: Pick<RawAnswer, "headers" | "body">,
  limitBytes: number,
): Uint8Array {
  return unpack(headers["content-encoding"]?.trim().toLowerCase(), body, limitBytes);
}

function unpack(encoding: string | undefined, body: Uint8Array, limitBytes: number): Uint8Array {
  const bound = { maxOutputLength: limitBytes };
  try {
    if (encoding === "gzip" || encoding === "x-gzip" || encoding === "deflate")
      return unzipSync(body, { ...bound, finishFlush: constants.Z_SYNC_FLUSH });
    if (encoding === "br")
      return brotliDecompressSync(body, { ...bound, finishFlush: constants.BROTLI_OPERATION_FLUSH });
  } catch {
    // Not what its header says: read as it came.
  }
  return body;
}
