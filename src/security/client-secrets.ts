import { createHmac, type KeyObject } from "node:crypto";
import { crc32 } from "node:zlib";
import type { ClientSecrets } from "../broker/clients/ports.ts";
import type { Random } from "../broker/ports.ts";
import { Secret } from "../domain/secret.ts";
import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import { equalInConstantTime } from "./compare.ts";
import { rootKeyMissing } from "./integrity.ts";
import { ROOT_KEY_ID, type RootKeyset } from "./root-keyset.ts";

/**
 * `imb_sk_<43 characters, 256 random bits><6 characters, checksum>`. The prefix is for secret scanners; the checksum
 * (CRC-32 of all before it, base 62, as GitHub's tokens have it) tells a typo or another firm's secret from ours
 * without a look-up. It guards nothing: whoever guesses can compute it.
 */
const PREFIX = "imb_sk_";
const CHECKSUM_LENGTH = 6;
const SHAPE = /^imb_sk_[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048][0-9A-Za-z]{6}$/;
const BASE_62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * What is stored is `<root key id>.<HMAC-SHA-256, base64url>`: the id in front, so that secrets made before a rotation
 * of the root key go on matching for as long as their key is in the keyset.
 */
export function makeClientSecrets(parts: {
  readonly rootKeyset: RootKeyset;
  readonly random: Random;
}): ClientSecrets & {
  /** Whether this can be one of ours at all. Costs nothing, so it comes before every look-up. */
  isWellFormed(candidate: Secret): boolean;
} {
  const { rootKeyset, random } = parts;
  return {
    isWellFormed,
    primary: rootKeyset.primary,
    rootKeyOf: rootKeyOfClientSecret,

    make() {
      const body = PREFIX + encodeBase64url(random.bytes(32));
      return new Secret(body + checksum(body));
    },

    hmac(secret) {
      const root = rootKeyset.primary;
      return `${root}.${encodeBase64url(mac(rootKeyset.key("client-secret", root), secret))}`;
    },

    matches(candidate, secrets, now) {
      if (!isWellFormed(candidate)) return false;
      let matched = false;
      let missing: string | undefined;
      // No early way out: which of the secrets fitted, or how many there are before it, is not to be measured (T35).
      for (const { hmac, expiresAt } of secrets) {
        if (expiresAt !== undefined && expiresAt <= now) continue;
        const [root, stored] = splitStored(hmac);
        const key = rootKeyset.findKey("client-secret", root);
        if (key === undefined) {
          missing ??= root;
          continue;
        }
        if (equalInConstantTime(mac(key, candidate), stored)) matched = true;
      }
      // "Wrong secret" would send the client's people searching for what only the operator can mend.
      if (!matched && missing !== undefined) throw rootKeyMissing(missing);
      return matched;
    },
  };
}

/** Id of the root key without which a stored HMAC cannot be compared: that key is not retired while one names it. */
export const rootKeyOfClientSecret = (hmac: string): string => splitStored(hmac)[0];

function isWellFormed(candidate: Secret): boolean {
  const text = candidate.reveal();
  if (!SHAPE.test(text)) return false;
  return checksum(text.slice(0, -CHECKSUM_LENGTH)) === text.slice(-CHECKSUM_LENGTH);
}

const mac = (key: KeyObject, secret: Secret): Buffer =>
  createHmac("sha256", key).update(secret.reveal()).digest();

function checksum(text: string): string {
  let rest = crc32(text);
  let written = "";
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    written = BASE_62[rest % 62] + written;
    rest = Math.floor(rest / 62);
  }
  return written;
}

function splitStored(hmac: string): readonly [root: string, mac: Buffer] {
  const at = hmac.indexOf(".");
  const root = hmac.slice(0, at);
  return [
    ROOT_KEY_ID.test(root) ? root : "(unreadable)",
    decodeBase64url(hmac.slice(at + 1), 32) ?? Buffer.alloc(0),
  ];
}
