import type { IncomingMessage } from "node:http";
import { Problem } from "../domain/problem.ts";

export const BODY_BYTES_MAX = 64 * 1024;

/**
 * The JSON of a request whose length is told, and is at most `BODY_BYTES_MAX`: Node reads no more than that. As Express' reader: UTF-8, a
 * byte order mark is passed over, and anything but an object or a list is unreadable.
 * @throws Problem invalid_request
 */
export async function readPlainJson(request: IncomingMessage): Promise<unknown> {
  const text = (await readWhole(request)).toString("utf8").replace(/^\uFEFF/, "");
  try {
    if (/^[\x20\x09\x0a\x0d]*[[{]/.test(text)) return JSON.parse(text);
  } catch {
    // Its message would quote the body.
  }
  throw unreadable();
}

const unreadable = (): Problem => new Problem("invalid_request", { detail: "The body cannot be read." });

/** Nearly always in one piece. Rejects where the caller goes away before the end. */
function readWhole(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let whole: Buffer | undefined;
    request.on("data", (piece: Buffer) => {
      whole = whole === undefined ? piece : Buffer.concat([whole, piece]);
    });
    request.once("end", () => resolve(whole ?? Buffer.alloc(0)));
    request.once("close", () => {
      if (!request.readableEnded) reject(unreadable());
    });
  });
}
