import type { KeyObject } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Clock, DataKeyStore, WrappedDataKeys } from "../broker/ports.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { KeyOwner } from "../domain/sealed.ts";
import { unwrapKey } from "./data-keys.ts";
import type { RootKeyset } from "./root-keyset.ts";

/**
 * How long a process goes on with the keys it has read: a rotation waits as long between *add* and *promote*, and a
 * shredded owner's keys are gone from every process after it.
 */
export const DATA_KEY_AGE_MAX_MS: Milliseconds = 60_000;

/** An owner's keys, each opened when it is first asked for: a lost root key stops only what it wrapped. */
export class OwnerKeys {
  readonly current: string;
  readonly loadedAtMs: Milliseconds;
  readonly #unwrap: (name: string) => KeyObject;
  readonly #names: ReadonlySet<string>;
  readonly #opened = new Map<string, KeyObject>();

  constructor(keys: WrappedDataKeys, loadedAtMs: Milliseconds, unwrap: (name: string) => KeyObject) {
    this.current = keys.current;
    this.loadedAtMs = loadedAtMs;
    this.#unwrap = unwrap;
    this.#names = new Set(Object.keys(keys.wrapped));
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Throws `Problem("integrity_failure")` where there is no such key or it does not open. */
  get(name: string): KeyObject {
    const known = this.#opened.get(name);
    if (known !== undefined) return known;
    const key = this.#unwrap(name);
    this.#opened.set(name, key);
    return key;
  }
}

export interface DataKeyCache {
  /** The owner's keys, at most `DATA_KEY_AGE_MAX_MS` old; undefined where it has none. */
  find(owner: KeyOwner): OwnerKeys | undefined | Promise<OwnerKeys | undefined>;
  /** The same, read now. */
  reload(owner: KeyOwner): Promise<OwnerKeys | undefined>;
  /** Takes what was just read or written by others for known. */
  keep(owner: KeyOwner, keys: WrappedDataKeys): void;
  forget(owner: KeyOwner): void;
}

/** Bounded; one read at a time per owner, however many ask; neither a failure nor an absence is remembered. */
export function makeDataKeyCache(parts: {
  readonly dataKeys: DataKeyStore;
  readonly rootKeyset: RootKeyset;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly ownersMax?: number | undefined;
}): DataKeyCache {
  const { dataKeys, rootKeyset, clock, ownersMax = 10_000 } = parts;
  const known = new LRUCache<KeyOwner, OwnerKeys>({ max: ownersMax });
  const loading = new Map<KeyOwner, Promise<OwnerKeys | undefined>>();

  const opened = (owner: KeyOwner, keys: WrappedDataKeys, loadedAtMs: Milliseconds) =>
    new OwnerKeys(keys, loadedAtMs, (name) => unwrapKey(rootKeyset, owner, name, keys));

  const load = (owner: KeyOwner): Promise<OwnerKeys | undefined> => {
    const startedAtMs = clock.monotonicMs();
    const read: Promise<OwnerKeys | undefined> = dataKeys.find(owner).then(
      (keys) => {
        // Whoever was told to forget meanwhile must not remember what was read before.
        const stillWanted = loading.get(owner) === read;
        if (stillWanted) loading.delete(owner);
        if (keys === undefined) {
          if (stillWanted) known.delete(owner);
          return undefined;
        }
        const owned = opened(owner, keys, startedAtMs);
        if (stillWanted) known.set(owner, owned);
        return owned;
      },
      (error: unknown) => {
        if (loading.get(owner) === read) loading.delete(owner);
        throw error;
      },
    );
    loading.set(owner, read);
    return read;
  };

  const reload = (owner: KeyOwner) => loading.get(owner) ?? load(owner);

  return {
    reload,
    find(owner) {
      const owned = known.get(owner);
      return owned !== undefined && clock.monotonicMs() - owned.loadedAtMs < DATA_KEY_AGE_MAX_MS
        ? owned
        : reload(owner);
    },
    keep(owner, keys) {
      known.set(owner, opened(owner, keys, clock.monotonicMs()));
    },
    forget(owner) {
      known.delete(owner);
      loading.delete(owner);
    },
  };
}
