import { createSecretKey, type KeyObject } from "node:crypto";
import { open } from "node:fs/promises";
import type { RootKeyWrapper } from "../broker/keys/ports.ts";
import { deriveKey } from "./derive-key.ts";
import { rootKeyMissing } from "./integrity.ts";
import { type Entry, parseKeysetFile, RootKeysetError, rootKeyContext } from "./root-keyset-file.ts";

export {
  addRootKey,
  createRootKeyset,
  promoteRootKey,
  ROOT_KEY_ID,
  RootKeysetError,
  retireRootKey,
  wrapRootKeyset,
} from "./root-keyset-file.ts";

/** What a root key is for. Each purpose has a key of its own (RFC 5869 §3.2), so no two uses can be played off. */
export type RootPurpose =
  | "wrap-data-keys"
  | "client-secret"
  | "broker-token"
  | "cursor"
  | "record-mac"
  | "signature"
  | "backup";

const PURPOSES: readonly RootPurpose[] = [
  "wrap-data-keys",
  "client-secret",
  "broker-token",
  "cursor",
  "record-mac",
  "signature",
  "backup",
];
const NO_SALT = new Uint8Array(0);

/**
 * The keys of the firm's root keyset, by id. Holds derived keys only, in `KeyObject`s outside the JavaScript heap:
 * there is nothing to print (T24).
 */
export class RootKeyset {
  /** Id of the key that wraps and signs what is new. */
  readonly primary: string;
  /** Ids of all keys of the file. While a retired one lies there, what it wrapped can be opened again. */
  readonly known: readonly string[];
  readonly #keys: ReadonlyMap<string, ReadonlyMap<RootPurpose, KeyObject>>;

  /** @param known ids of all that the file holds, the retired ones included */
  constructor(
    primary: string,
    keys: ReadonlyMap<string, KeyObject>,
    known: readonly string[] = [...keys.keys()],
  ) {
    this.primary = primary;
    this.known = known;
    this.#keys = new Map(
      [...keys].map(([id, key]) => [
        id,
        new Map(PURPOSES.map((purpose) => [purpose, deriveKey(key, NO_SALT, `imb/root/1/${purpose}`)])),
      ]),
    );
  }

  /** Ids of the keys that may be used: the primary one and the active ones. */
  get ids(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /** The key of root key `id` for `purpose`. Throws `Problem("integrity_failure")` that names the id if it is missing. */
  key(purpose: RootPurpose, id: string): KeyObject {
    const key = this.findKey(purpose, id);
    if (key === undefined) throw rootKeyMissing(id);
    return key;
  }

  findKey(purpose: RootPurpose, id: string): KeyObject | undefined {
    return this.#keys.get(id)?.get(purpose);
  }

  toJSON(): string {
    return "[root keyset]";
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[root keyset]";
  }
}

/** Reads a keyset whose keys lie bare in it. Throws `RootKeysetError` with every fault. */
export function parseRootKeyset(text: string): RootKeyset {
  const entries = parseKeysetFile(text);
  const wrapped = entries.find(({ state, wrapper }) => state !== "retired" && wrapper !== undefined);
  if (wrapped !== undefined)
    throw new RootKeysetError([
      `key ${wrapped.id} is wrapped by ${wrapped.wrapper}: set VAULT_ADDR, VAULT_TOKEN_FILE and VAULT_TRANSIT_KEY`,
    ]);
  const keys = new Map<string, Uint8Array>();
  for (const { id, state, key } of entries)
    if (state !== "retired") keys.set(id, Buffer.from(key!, "base64"));
  return keysetOf(entries, keys);
}

/** The same, and keys that are wrapped are opened by `wrapper`, all before the first is used. */
export async function openRootKeyset(text: string, wrapper: RootKeyWrapper | undefined): Promise<RootKeyset> {
  if (wrapper === undefined) return parseRootKeyset(text);
  const entries = parseKeysetFile(text);
  const keys = new Map<string, Uint8Array>();
  for (const { id, state, key, wrapped } of entries) {
    if (state === "retired") continue;
    const bytes =
      wrapped === undefined ? Buffer.from(key!, "base64") : await wrapper.unwrap(wrapped, rootKeyContext(id));
    if (bytes.length !== 32)
      throw new RootKeysetError([`what ${wrapper.name} opened of key ${id} is no root key`]);
    keys.set(id, bytes);
  }
  return keysetOf(entries, keys);
}

/** Wipes the bytes. */
function keysetOf(entries: readonly Entry[], bytes: ReadonlyMap<string, Uint8Array>): RootKeyset {
  const keys = new Map([...bytes].map(([id, key]) => [id, createSecretKey(key)]));
  for (const key of bytes.values()) key.fill(0);
  return new RootKeyset(
    entries.find((entry) => entry.state === "primary")!.id,
    keys,
    entries.map(({ id }) => id),
  );
}

/**
 * Whether more than this process, and root, may read or write a file. Kubernetes hands secrets over as root's files that
 * the pod's own group may read (`fsGroup`), and in no other way to a process that is not root: that group is let be.
 */
export function isOpenToOthers(
  { mode, uid }: { readonly mode: number; readonly uid: number },
  self: number | undefined = process.getuid?.(),
): boolean {
  const handedOverByRoot = uid === 0 && self !== 0;
  return (mode & (handedOverByRoot ? 0o037 : 0o077)) !== 0;
}

/**
 * Reads the keyset at `path`. In production a file that others may read or write is refused: whoever reads it can read
 * every secret of every firm.
 */
export async function loadRootKeyset(
  path: string,
  options: { readonly production: boolean; readonly wrapper?: RootKeyWrapper | undefined },
): Promise<RootKeyset> {
  const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    throw new RootKeysetError([
      `${path} cannot be read (${error.code}): make one with the cli, readable by this process alone`,
    ]);
  });
  try {
    // Asked of the open file, not of the path: what is checked is what is read.
    const standing = await file.stat();
    if (options.production && isOpenToOthers(standing)) {
      throw new RootKeysetError([
        `${path} is open to others (mode ${(standing.mode & 0o777).toString(8)}): chmod 600 it, and consider its keys known to whoever had access`,
      ]);
    }
    return await openRootKeyset(await file.readFile("utf8"), options.wrapper);
  } finally {
    await file.close();
  }
}
