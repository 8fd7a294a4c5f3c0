import { timingSafeEqual } from "node:crypto";

/**
 * Whether two byte strings are equal, in time that depends on their lengths alone (CWE-208, T35). `timingSafeEqual`
 * throws on unequal lengths; a length is never the secret here, so that is simply "no".
 */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
