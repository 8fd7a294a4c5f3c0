import { createCipheriv, createDecipheriv, type KeyObject } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Random } from "../broker/ports.ts";
import type { KeyOwner, SealContext, Sealed, SecretKind } from "../domain/sealed.ts";
import { Secret } from "../domain/secret.ts";
import { associatedData } from "./associated-data.ts";
import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import { deriveKey } from "./derive-key.ts";
import { integrityFailure } from "./integrity.ts";
import { NonceSequence } from "./nonce-sequence.ts";

/**
 * `<format>.<data key id>.<salt>.<nonce>.<ciphertext and tag>`, the last three in base64url (16, 12 and n + 16 bytes).
 * The first field fixes everything about the rest; there is nothing to negotiate.
 *
 * - `r1`: AES-256-GCM, key by HKDF-SHA-256 from the data key and a salt of this record version, random nonce.
 * - `h1`: AES-256-GCM, key by HKDF-SHA-256 from the data key and a salt of the sealing process, counted nonce.
 */
export type Format = "r1" | "h1";

/** What is read on every token request, and written often, takes the hot form. */
export const formatOf = (kind: SecretKind): Format =>
  kind === "access-token" || kind === "change" ? "h1" : "r1";

/** A data key, opened. Ids are 12 characters of base64url. */
export interface DataKey {
  readonly owner: KeyOwner;
  readonly id: string;
  readonly key: KeyObject;
}

/** An envelope's parts, before anything about them is believed. */
export interface Envelope {
  readonly format: Format;
  readonly dataKeyId: string;
  readonly salt: string;
  readonly nonce: Buffer;
  readonly body: Buffer;
}

export interface Envelopes {
  /** Throws `RangeError` for a secret over 16 KiB, or one that is not well-formed Unicode. */
  seal(secret: Secret, context: SealContext, key: DataKey): Sealed;
  /** Throws `Problem("integrity_failure")`, always the same. */
  open(envelope: Envelope, context: SealContext, key: DataKey): Secret;
}

/** Longest secret that is sealed, in bytes of UTF-8. */
export const SECRET_BYTES_MAX = 16 * 1024;
export const DATA_KEY_ID = /^[A-Za-z0-9_-]{12}$/;

const CIPHER = "aes-256-gcm";
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
/** The whole tag. GCM would also take 4 bytes, which is 2^32 guesses at most (SP 800-38D appendix C). */
const TAG_BYTES = 16;
const ENVELOPE_LENGTH_MAX =
  2 + 1 + 12 + 1 + 22 + 1 + 16 + 1 + Math.ceil(((SECRET_BYTES_MAX + TAG_BYTES) * 4) / 3);

/** The parts of an envelope. Throws `Problem("integrity_failure")` where it has another shape. */
export function parseEnvelope(sealed: string): Envelope {
  if (sealed.length > ENVELOPE_LENGTH_MAX) throw integrityFailure();
  const [format, dataKeyId, salt, nonceText, bodyText, rest] = sealed.split(".", 6);
  if ((format !== "r1" && format !== "h1") || bodyText === undefined || rest !== undefined) {
    throw integrityFailure();
  }
  const nonce = decodeBase64url(nonceText!, NONCE_BYTES);
  const body = decodeBase64url(bodyText);
  if (!DATA_KEY_ID.test(dataKeyId!) || nonce === undefined || body === undefined || body.length < TAG_BYTES) {
    throw integrityFailure();
  }
  return { format, dataKeyId: dataKeyId!, salt: salt!, nonce, body };
}

/**
 * Seals and opens under data keys that somebody else opened.
 * @param sealsPerSalt after how many hot seals the process takes a new salt; 2^32 is far inside what counted nonces
 *   allow (SP 800-38D §8.3 exempts them from its limit), and weeks of the fastest process
 * @param subKeysMax how many derived hot keys are remembered: one per data key and sealing process
 */
export function makeEnvelopes(parts: {
  readonly random: Random;
  readonly sealsPerSalt?: number | undefined;
  readonly subKeysMax?: number | undefined;
}): Envelopes {
  const { random, sealsPerSalt = 2 ** 32, subKeysMax = 20_000 } = parts;
  const subKeys = new LRUCache<string, KeyObject>({ max: subKeysMax });
  const newNonces = () => new NonceSequence(encodeBase64url(random.bytes(SALT_BYTES)), sealsPerSalt);
  // One count for all data keys: when a sub-key falls out of the cache and is derived again, its nonces go on.
  let nonces = newNonces();

  const hotKey = ({ owner, id, key }: DataKey, salt: string): KeyObject => {
    const name = `${owner} ${id} ${salt}`;
    const known = subKeys.get(name);
    if (known !== undefined) return known;
    const derived = recordKey(key, salt, "h1");
    subKeys.set(name, derived);
    return derived;
  };

  return {
    seal(secret, context, key) {
      const plain = plaintext(secret);
      const format = formatOf(context.kind);
      const aad = associatedData(format, key.id, context);
      let salt: string;
      let nonce: Buffer;
      if (format === "h1") {
        if (nonces.spent) nonces = newNonces();
        salt = nonces.salt;
        nonce = nonces.take();
      } else {
        const fresh = Buffer.from(random.bytes(SALT_BYTES + NONCE_BYTES));
        salt = encodeBase64url(fresh.subarray(0, SALT_BYTES));
        nonce = fresh.subarray(SALT_BYTES);
      }
      const sealing = format === "h1" ? hotKey(key, salt) : recordKey(key.key, salt, format);
      const body = encrypt(sealing, nonce, aad, plain);
      plain.fill(0);
      return `${format}.${key.id}.${salt}.${encodeBase64url(nonce)}.${encodeBase64url(body)}` as Sealed;
    },

    open({ format, dataKeyId, salt, nonce, body }, context, key) {
      if (dataKeyId !== key.id || context.owner !== key.owner) throw integrityFailure();
      const opening = format === "h1" ? hotKey(key, salt) : recordKey(key.key, salt, format);
      return decrypt(opening, nonce, associatedData(format, dataKeyId, context), body);
    },
  };
}

function recordKey(key: KeyObject, salt: string, format: Format): KeyObject {
  const bytes = decodeBase64url(salt, SALT_BYTES);
  if (bytes === undefined) throw integrityFailure();
  return deriveKey(key, bytes, `imb/data/1/${format}`);
}

/** `plain` as ciphertext with the tag behind it. */
export function encrypt(key: KeyObject, nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array): Buffer {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Throws `Problem("integrity_failure")` where the tag does not fit. Nothing of the plaintext leaves before that. */
export function decryptBytes(key: KeyObject, nonce: Uint8Array, aad: Uint8Array, body: Uint8Array): Buffer {
  if (body.length < TAG_BYTES) throw integrityFailure();
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(body.subarray(body.length - TAG_BYTES));
  const plain = decipher.update(body.subarray(0, body.length - TAG_BYTES));
  try {
    decipher.final();
  } catch {
    throw integrityFailure();
  }
  return plain;
}

function decrypt(key: KeyObject, nonce: Uint8Array, aad: Uint8Array, body: Uint8Array): Secret {
  const plain = decryptBytes(key, nonce, aad, body);
  const secret = new Secret(plain.toString("utf8"));
  plain.fill(0);
  return secret;
}

function plaintext(secret: Secret): Buffer {
  const text = secret.reveal();
  if (!text.isWellFormed())
    throw new RangeError("a secret that is not well-formed Unicode would not come back as it was");
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > SECRET_BYTES_MAX) throw new RangeError("a secret of more than 16 KiB is not sealed");
  return bytes;
}
