import { createSecretKey, type KeyObject } from "node:crypto";
import type { Random, WrappedDataKeys } from "../broker/ports.ts";
import type { KeyOwner } from "../domain/sealed.ts";
import { wrapAssociatedData } from "./associated-data.ts";
import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import { DATA_KEY_ID, decryptBytes, encrypt } from "./envelope.ts";
import { integrityFailure } from "./integrity.ts";
import { ROOT_KEY_ID, type RootKeyset } from "./root-keyset.ts";

/** The name under which an owner's fingerprint key stands. 11 characters: never a data key's id, which has 12. */
export const FINGERPRINT = "fingerprint";

/**
 * A wrapped key: `<root key id>.w1.<nonce>.<ciphertext and tag>`. Random nonces under one key are good for 2^32
 * wrappings (NIST SP 800-38D §8.3); a broker with a million organisations needs a few million.
 */
const FORMAT = "w1";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const DATA_KEY_ID_BYTES = 9;

type Keys = { readonly rootKeyset: RootKeyset; readonly random: Random };

/** An owner's first keys: one data key and the fingerprint key, wrapped by the primary root key. */
export function newDataKeys({ rootKeyset, random }: Keys, owner: KeyOwner): WrappedDataKeys {
  const id = newDataKeyId(random);
  const make = (name: string) =>
    wrap({ rootKeyset, random }, owner, name, Buffer.from(random.bytes(KEY_BYTES)));
  return { v: 1, current: id, wrapped: { [id]: make(id), [FINGERPRINT]: make(FINGERPRINT) } };
}

/** `keys` with one more data key, not yet current: every process must know it before it seals (design §5). */
export function addDataKey(
  { rootKeyset, random }: Keys,
  owner: KeyOwner,
  keys: WrappedDataKeys,
): { readonly keys: WrappedDataKeys; readonly id: string } {
  const id = newDataKeyId(random);
  const wrapped = wrap({ rootKeyset, random }, owner, id, Buffer.from(random.bytes(KEY_BYTES)));
  return { keys: { ...keys, wrapped: { ...keys.wrapped, [id]: wrapped } }, id };
}

/** `keys` all wrapped by the primary root key; what they seal is untouched. The same object where nothing is to be done. */
export function rewrapDataKeys(
  { rootKeyset, random }: Keys,
  owner: KeyOwner,
  keys: WrappedDataKeys,
): WrappedDataKeys {
  if (rootKeysNamedBy(keys).every((id) => id === rootKeyset.primary)) return keys;
  const wrapped = Object.keys(keys.wrapped).map((name) => [
    name,
    wrap({ rootKeyset, random }, owner, name, unwrapBytes(rootKeyset, owner, name, keys)),
  ]);
  return { ...keys, wrapped: Object.fromEntries(wrapped) };
}

/** Ids of the root keys without which `keys` do not open: a root key is retired only when nobody names it. */
export function rootKeysNamedBy(keys: WrappedDataKeys): readonly string[] {
  return [...new Set(Object.values(keys.wrapped).map((text) => text.slice(0, text.indexOf("."))))];
}

/** Opens the key called `name`. Throws `Problem("integrity_failure")`; a missing root key is named in it. */
export function unwrapKey(
  rootKeyset: RootKeyset,
  owner: KeyOwner,
  name: string,
  keys: WrappedDataKeys,
): KeyObject {
  const bytes = unwrapBytes(rootKeyset, owner, name, keys);
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

const newDataKeyId = (random: Random): string => encodeBase64url(random.bytes(DATA_KEY_ID_BYTES));

/** Wipes `key`. */
function wrap({ rootKeyset, random }: Keys, owner: KeyOwner, name: string, key: Buffer): string {
  const root = rootKeyset.primary;
  const nonce = random.bytes(NONCE_BYTES);
  const aad = wrapAssociatedData(FORMAT, owner, name, root);
  const body = encrypt(rootKeyset.key("wrap-data-keys", root), nonce, aad, key);
  key.fill(0);
  return `${root}.${FORMAT}.${encodeBase64url(nonce)}.${encodeBase64url(body)}`;
}

function unwrapBytes(rootKeyset: RootKeyset, owner: KeyOwner, name: string, keys: WrappedDataKeys): Buffer {
  // Names come out of records: `__proto__` is not one of ours.
  if ((name !== FINGERPRINT && !DATA_KEY_ID.test(name)) || !Object.hasOwn(keys.wrapped, name)) {
    throw integrityFailure();
  }
  const [root, format, nonceText, bodyText, rest] = keys.wrapped[name]!.split(".", 5);
  const nonce = nonceText === undefined ? undefined : decodeBase64url(nonceText, NONCE_BYTES);
  const body = bodyText === undefined ? undefined : decodeBase64url(bodyText, KEY_BYTES + 16);
  if (!ROOT_KEY_ID.test(root!) || format !== FORMAT || !nonce || !body || rest !== undefined) {
    throw integrityFailure();
  }
  const wrapping = rootKeyset.key("wrap-data-keys", root!);
  return decryptBytes(wrapping, nonce, wrapAssociatedData(FORMAT, owner, name, root!), body);
}
