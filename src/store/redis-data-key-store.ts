import type { KeyChange, KeyStore, OwnerKeyRecords } from "../broker/keys/ports.ts";
import type { DataKeyStore, WrappedDataKeys } from "../broker/ports.ts";
import { organisationId, type Route } from "../domain/id.ts";
import type { Instant } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { KeyOwner } from "../domain/sealed.ts";
import { dataKeyRotationKey, dataKeysKey, rotatingKey, shreddedKey } from "./keys.ts";
import { optional, readDataKeyRotation, readDataKeys } from "./records.ts";
import type { RedisStore } from "./redis-store.ts";

/** A shared registration is never shredded; the key only has to lie in its slot. */
const tombstoneOf = (owner: KeyOwner): string =>
  owner.startsWith("o:")
    ? shreddedKey(organisationId(owner.slice(2) as Route))
    : `${dataKeysKey(owner)}:shredded`;

const ACTIONS = {
  added: { action: "data_key.added" },
  promoted: { action: "data_key.promoted" },
  retired: { action: "data_key.retired" },
  rewrapped: { action: "data_key.rewrapped" },
} as const;

export class RedisDataKeyStore implements DataKeyStore, KeyStore {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async find(owner: KeyOwner): Promise<WrappedDataKeys | undefined> {
    return optional(readDataKeys)(await this.#store.readJson(dataKeysKey(owner)));
  }

  async insert(owner: KeyOwner, keys: WrappedDataKeys): Promise<WrappedDataKeys> {
    const stored = (await this.#store.run(
      "insert-data-keys",
      [dataKeysKey(owner), tombstoneOf(owner)],
      [JSON.stringify(keys)],
    )) as string;
    if (stored === "shredded")
      throw new Problem("integrity_failure", {
        detail: "This organisation was shredded: it gets no keys again.",
      });
    return readDataKeys(JSON.parse(stored));
  }

  async read(owner: KeyOwner): Promise<OwnerKeyRecords> {
    const [keys, rotation] = await Promise.all([
      this.find(owner),
      this.#store.readJson(dataKeyRotationKey(owner)),
    ]);
    return { keys, rotation: optional(readDataKeyRotation)(rotation) };
  }

  async change(
    owner: KeyOwner,
    read: OwnerKeyRecords,
    { keys, rotation, audited }: KeyChange,
  ): Promise<boolean> {
    if (rotation !== undefined && rotation.phase !== "done")
      await this.#store.call((redis) => redis.sadd(rotatingKey(), owner));
    const entry = audited && {
      ...ACTIONS[audited.what],
      actor: audited.note.actor,
      key: audited.key,
      ...(owner.startsWith("s:") && { registration: owner.slice(2) }),
      request: audited.note.requestId,
    };
    const changed = await this.#store.run(
      "change-data-keys",
      [dataKeysKey(owner), dataKeyRotationKey(owner)],
      [
        ...[read.keys, read.rotation, keys, rotation].map((it) =>
          it === undefined ? "" : JSON.stringify(it),
        ),
        ...Object.entries(entry ?? {}).flat(),
      ],
    );
    return changed === 1;
  }

  async rotating(): Promise<readonly KeyOwner[]> {
    const owners = (await this.#store.call((redis) => redis.smembers(rotatingKey()))) as KeyOwner[];
    const all = await Promise.all(owners.map(async (owner) => ({ owner, ...(await this.read(owner)) })));
    for (const { owner, rotation } of all)
      if (rotation?.phase === "done") await this.#store.call((redis) => redis.srem(rotatingKey(), owner));
    return all
      .filter(({ rotation }) => rotation !== undefined && rotation.phase !== "done")
      .map(({ owner }) => owner)
      .sort();
  }

  now(): Promise<Instant> {
    return this.#store.now();
  }
}
