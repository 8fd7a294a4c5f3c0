import { createHmac } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { BrokerTokens, ReadBrokerToken } from "../broker/clients/ports.ts";
import type { Random } from "../broker/ports.ts";
import { parseId } from "../domain/id.ts";
import type { Instant } from "../domain/instant.ts";
import { Secret } from "../domain/secret.ts";
import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import { equalInConstantTime } from "./compare.ts";
import type { RootKeyset } from "./root-keyset.ts";

/**
 * `imb_at_` and, in base64url, fixed fields rather than JSON, so that reading costs one HMAC and little else:
 *
 *     byte  0       version: 1, or 2 with a thumbprint
 *           1..6    expires at, milliseconds since 1970
 *           7..12   generation of the client
 *          13..24   random, so that no two tokens are alike
 *          25..50   the client's id without `cli_`, 26 letters
 *          51..82   in version 2: SHA-256 of the certificate that it is bound to (RFC 8705 §3.1)
 *          51.. or 83..  id of the root key whose token key signs: tokens outlive the promotion of another
 *          last 32  HMAC-SHA-256 over all before it
 */
const PREFIX = "imb_at_";
const UNBOUND = 1;
const BOUND = 2;
const THUMBPRINT_BYTES = 32;
const AT = { expires: 1, generation: 7, random: 13, client: 25, root: 51 } as const;
const MAC_BYTES = 32;
const LENGTH_MAX = PREFIX.length + Math.ceil(((AT.root + THUMBPRINT_BYTES + 40 + MAC_BYTES) * 4) / 3);
/** Tokens whose signature was seen to fit are not computed again: each is shown many times in its five minutes. */
const VERIFIED_MAX = 10_000;
/** 48 bits, in milliseconds the year 10889. */
const NUMBER_MAX = 2 ** 48 - 1;

export function makeBrokerTokens(parts: {
  readonly rootKeyset: RootKeyset;
  readonly random: Random;
  readonly now: () => Instant;
}): BrokerTokens {
  const { rootKeyset, random, now } = parts;
  const verified = new LRUCache<string, ReadBrokerToken>({ max: VERIFIED_MAX });

  /** What a token says of itself, its end aside; undefined where it is none of ours. */
  const verify = (text: string): ReadBrokerToken | undefined => {
    if (!text.startsWith(PREFIX) || text.length > LENGTH_MAX) return undefined;
    const token = decodeBase64url(text.slice(PREFIX.length));
    if (token === undefined || (token[0] !== UNBOUND && token[0] !== BOUND)) return undefined;
    const bound = token[0] === BOUND;
    const rootAt = bound ? AT.root + THUMBPRINT_BYTES : AT.root;
    if (token.length <= rootAt + MAC_BYTES) return undefined;
    const signed = token.subarray(0, -MAC_BYTES);
    const key = rootKeyset.findKey("broker-token", token.toString("latin1", rootAt, signed.length));
    if (key === undefined) return undefined;
    const mac = createHmac("sha256", key).update(signed).digest();
    if (!equalInConstantTime(mac, token.subarray(-MAC_BYTES))) return undefined;

    const expiresAt = token.readUIntBE(AT.expires, 6);
    const client = parseId("cli", `cli_${token.toString("latin1", AT.client, AT.root)}`);
    if (client === undefined) return undefined;
    const generation = token.readUIntBE(AT.generation, 6);
    if (!bound) return { client, generation, expiresAt };
    const thumbprint = encodeBase64url(token.subarray(AT.root, rootAt));
    return { client, generation, expiresAt, thumbprint };
  };

  return {
    issue(client, generation, lifeMs, thumbprint) {
      const expiresAt = now() + lifeMs;
      if (!isNumber(generation) || !isNumber(expiresAt))
        throw new RangeError("whole numbers below 2^48 are needed");
      if (parseId("cli", client) === undefined) throw new RangeError("a broker token names a client");
      const bound = thumbprint === undefined ? undefined : decodeBase64url(thumbprint);
      if (thumbprint !== undefined && bound?.length !== THUMBPRINT_BYTES)
        throw new RangeError("a broker token is bound to a SHA-256");
      const root = rootKeyset.primary;
      const rootAt = AT.root + (bound?.length ?? 0);
      const token = Buffer.alloc(rootAt + root.length + MAC_BYTES);
      token[0] = bound === undefined ? UNBOUND : BOUND;
      token.writeUIntBE(expiresAt, AT.expires, 6);
      token.writeUIntBE(generation, AT.generation, 6);
      token.set(random.bytes(AT.client - AT.random), AT.random);
      token.write(client.slice(4), AT.client, "latin1");
      if (bound !== undefined) token.set(bound, AT.root);
      token.write(root, rootAt, "latin1");
      const signed = token.subarray(0, -MAC_BYTES);
      token.set(
        createHmac("sha256", rootKeyset.key("broker-token", root)).update(signed).digest(),
        signed.length,
      );
      return new Secret(PREFIX + encodeBase64url(token));
    },

    read(secret) {
      const text = secret.reveal();
      const known = verified.get(text);
      const read = known ?? verify(text);
      if (read === undefined || read.expiresAt <= now()) return undefined;
      if (known === undefined) verified.set(text, read);
      return read;
    },
  };
}

const isNumber = (value: number): boolean => Number.isSafeInteger(value) && value >= 0 && value <= NUMBER_MAX;
