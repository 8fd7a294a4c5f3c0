import { type PublicJwk, readKeys } from "./client-keys.ts";

/** RFC 7518 §4.1, those whose sender needs no secret. */
export const ENCRYPTION_ALGORITHMS = ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW"] as const;
export type EncryptionAlgorithm = (typeof ENCRYPTION_ALGORITHMS)[number];

/** The client's public key, to which tokens are encrypted on their way to it (RFC 7516). */
export interface TokenEncryption {
  readonly key: PublicJwk;
  readonly alg: EncryptionAlgorithm;
  readonly enc: "A256GCM";
}

/** The one key of a document. A fault continues to a sentence. */
export function readEncryptionKey(
  document: unknown,
  alg: EncryptionAlgorithm,
): { readonly key: PublicJwk } | { readonly fault: string } {
  const read = readKeys(document, "enc");
  if ("fault" in read) return read;
  const [key, another] = read.keys;
  if (key === undefined || another !== undefined) return { fault: "must hold one key" };
  if (key.alg !== undefined && key.alg !== alg)
    return { fault: `holds a key for ${key.alg}, not for ${alg}` };
  if ((key.kty === "RSA") !== (alg === "RSA-OAEP-256")) {
    return { fault: `holds a key of kind ${key.kty}, which ${alg} cannot use` };
  }
  return { key };
}
