import { createSecretKey, hkdfSync, type KeyObject } from "node:crypto";

/** A key of 32 bytes out of `key` for one purpose: HKDF-SHA-256 (RFC 5869). Labels separate purposes, salts versions. */
export function deriveKey(key: KeyObject, salt: Uint8Array, label: string): KeyObject {
  const bytes = Buffer.from(hkdfSync("sha256", key, salt, label, 32));
  const derived = createSecretKey(bytes);
  // The KeyObject holds its own copy outside the heap; ours would lie in a heap snapshot (T24).
  bytes.fill(0);
  return derived;
}
