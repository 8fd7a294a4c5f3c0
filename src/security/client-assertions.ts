import { compactVerify, createLocalJWKSet, errors, type JWK } from "jose";
import { LRUCache } from "lru-cache";
import type { AssertionReader } from "../broker/clients/ports.ts";
import { assertionLimits } from "../domain/client-assertion.ts";
import type { PublicJwk } from "../domain/client-keys.ts";
import { decodeBase64url } from "./base64url.ts";

type KeySet = ReturnType<typeof createLocalJWKSet>;

/** Key sets that stay imported. */
const SETS_KEPT = 500;

/** Reads and checks client assertions (RFC 7523): the JWS by jose, its form before that by ourselves. */
export function makeAssertionReader(): AssertionReader {
  const sets = new LRUCache<string, KeySet>({ max: SETS_KEPT });
  // The same list comes again for as long as a record is remembered: then its text need not be made to find the set.
  const ofLists = new WeakMap<readonly PublicJwk[], KeySet>();
  const setOf = (keys: readonly PublicJwk[]): KeySet => {
    const known = ofLists.get(keys);
    if (known !== undefined) return known;
    const text = JSON.stringify(keys);
    const set = sets.get(text) ?? createLocalJWKSet({ keys: keys as JWK[] });
    sets.set(text, set);
    ofLists.set(keys, set);
    return set;
  };
  return {
    read(assertion, bytesMax = assertionLimits.bytes) {
      const text = assertion.reveal();
      if (text.length > bytesMax) return "too_large";
      const parts = text.split(".");
      if (parts.length !== 3) return "malformed";
      // All three exactly as an encoder writes them: otherwise one signature would have many spellings.
      const [head, body, signature] = parts.map((part) => decodeBase64url(part));
      const header = head && readObject(head);
      const claims = body && readObject(body);
      if (header === undefined || claims === undefined || signature === undefined) return "malformed";
      return { header, claims };
    },

    async verify(assertion, keys, algorithm) {
      const set = setOf(keys);
      const options = { algorithms: [algorithm] };
      try {
        await compactVerify(assertion.reveal(), set, options);
        return "fits";
      } catch (error) {
        if (error instanceof errors.JWKSNoMatchingKey) return "no_key";
        if (!(error instanceof errors.JWKSMultipleMatchingKeys)) return "signature";
        // Without a `kid`, and several keys of its kind: while one takes the place of another, both count.
        for await (const key of error) {
          const fits = await compactVerify(assertion.reveal(), key, options).then(
            () => true,
            () => false,
          );
          if (fits) return "fits";
        }
        return "signature";
      }
    },
  };
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

function readObject(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(strictUtf8.decode(bytes));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
