/** Unpadded base64url (RFC 4648 §5). */
export function encodeBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

/**
 * The bytes behind `text`, or undefined where it is not exactly what we would have written. Node skips foreign
 * letters, takes `+` for `-` and ignores the spare bits of the last letter, so two texts could mean the same bytes and
 * an altered one would pass (RFC 4648 §3.5). Encoding again is cheaper than a pattern that knows all of that.
 */
export function decodeBase64url(text: string, length?: number): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  if (length !== undefined && bytes.length !== length) return undefined;
  return bytes.toString("base64url") === text ? bytes : undefined;
}
