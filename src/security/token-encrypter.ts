import { CompactEncrypt, importJWK } from "jose";
import { LRUCache } from "lru-cache";
import type { TokenEncrypter } from "../broker/clients/ports.ts";
import { Problem } from "../domain/problem.ts";

type ImportedKey = Awaited<ReturnType<typeof importJWK>>;

/** Clients whose keys stay imported. */
const KEYS_KEPT = 500;

/** Compact JWE (RFC 7516) by jose. */
export function makeTokenEncrypter(): TokenEncrypter {
  const keys = new LRUCache<string, Promise<ImportedKey>>({ max: KEYS_KEPT });
  return {
    async encrypt(token, { key, alg, enc }) {
      const name = `${alg} ${JSON.stringify(key)}`;
      const imported = keys.get(name) ?? importJWK({ ...key }, alg);
      keys.set(name, imported);
      try {
        return await new CompactEncrypt(new TextEncoder().encode(token.reveal()))
          .setProtectedHeader({ alg, enc, cty: "text/plain", ...(key.kid !== undefined && { kid: key.kid }) })
          .encrypt(await imported);
      } catch {
        keys.delete(name);
        // A point that is not on its curve, for example. Never in the clear instead.
        throw new Problem("internal_error", { detail: "A token cannot be encrypted to this client's key." });
      }
    },
  };
}
