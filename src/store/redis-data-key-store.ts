import type { DataKeyStore, WrappedDataKeys } from "../broker/ports.ts";
import type { KeyOwner } from "../domain/sealed.ts";
import { dataKeysKey } from "./keys.ts";
import { optional, readDataKeys } from "./records.ts";
import type { RedisStore } from "./redis-store.ts";

export class RedisDataKeyStore implements DataKeyStore {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async find(owner: KeyOwner): Promise<WrappedDataKeys | undefined> {
    return optional(readDataKeys)(await this.#store.readJson(dataKeysKey(owner)));
  }

  async insert(owner: KeyOwner, keys: WrappedDataKeys): Promise<WrappedDataKeys> {
    await this.#store.call((redis) => redis.set(dataKeysKey(owner), JSON.stringify(keys), "NX"));
    return (await this.find(owner))!;
  }
}
