import { hash } from "node:crypto";
import type { KeyOwner, SealContext } from "../domain/sealed.ts";

/**
 * What a sealed secret belongs to, as the bytes that AES-GCM authenticates beside it (design §5). Pure. Different
 * contexts give different bytes: every field stands behind its length, in a fixed order, so that nothing can move
 * across a border (`ab`,`c` is not `a`,`bc`). No server is written as an empty one; a server id is never empty.
 */
export function associatedData(format: string, dataKeyId: string, context: SealContext): Buffer {
  return lengthPrefixed([
    format,
    context.kind,
    context.owner,
    context.record,
    context.server ?? "",
    hash("sha256", wellFormed(context.tokenOrigin), "buffer"),
    context.consentGeneration,
    context.attempt,
    dataKeyId,
  ]);
}

/** What a wrapped data key belongs to. */
export function wrapAssociatedData(
  format: string,
  owner: KeyOwner,
  dataKeyId: string,
  rootKeyId: string,
): Buffer {
  return lengthPrefixed([format, owner, dataKeyId, rootKeyId]);
}

/** Each field behind its length in bytes (4, big-endian). Numbers are whole, not negative, and take 8 bytes. */
function lengthPrefixed(fields: readonly (string | number | Uint8Array)[]): Buffer {
  let most = 0;
  for (const field of fields) most += 4 + (typeof field === "number" ? 8 : field.length * 3);
  const out = Buffer.allocUnsafe(most);
  let at = 0;
  for (const field of fields) {
    const length = writeField(out, at + 4, field);
    out.writeUInt32BE(length, at);
    at += 4 + length;
  }
  return out.subarray(0, at);
}

function writeField(out: Buffer, at: number, field: string | number | Uint8Array): number {
  if (typeof field === "string") return out.write(wellFormed(field), at, "utf8");
  if (typeof field === "number") {
    if (!Number.isSafeInteger(field) || field < 0)
      throw new RangeError("a context counts in whole numbers from 0");
    out.writeUInt32BE(Math.floor(field / 2 ** 32), at);
    out.writeUInt32BE(field % 2 ** 32, at + 4);
    return 8;
  }
  out.set(field, at);
  return field.length;
}

/** UTF-8 has no half surrogates: all of them become U+FFFD, and two different texts the same bytes. */
function wellFormed(text: string): string {
  if (!text.isWellFormed()) throw new RangeError("a context is well-formed Unicode");
  return text;
}
