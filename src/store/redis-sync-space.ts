import type { OrganisationId, SyncId } from "../domain/id.ts";
import type { SyncSpace } from "../sync/reading-ports.ts";
import { syncChangesKey, syncKey, syncSpaceKey, syncsKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";
import { CHANGES_KEPT, type RedisSyncStoreOptions } from "./redis-sync-store.ts";

/** Entries looked at in one script: a millisecond or so of Redis' time. */
const LOOKED_AT = 2_000;

/** What syncs take of Redis. */
export class RedisSyncSpace implements SyncSpace {
  readonly #store: RedisStore;
  readonly #changesKept: number;

  constructor(store: RedisStore, options: RedisSyncStoreOptions = {}) {
    this.#store = store;
    this.#changesKept = options.changesKept ?? CHANGES_KEPT;
  }

  async totalOf(organisation: OrganisationId): Promise<number> {
    return Number((await this.#store.call((redis) => redis.hget(syncSpaceKey(organisation), "total"))) ?? 0);
  }

  async spaceOf(organisation: OrganisationId) {
    const { total = "0", ...of } = await this.#store.call((redis) =>
      redis.hgetall(syncSpaceKey(organisation)),
    );
    return {
      total: Number(total),
      of: new Map(Object.entries(of).map(([id, bytes]) => [id as SyncId, Number(bytes)])),
    };
  }

  async tidy(organisation: OrganisationId): Promise<void> {
    const ids = (await this.#store.call((redis) => redis.hvals(syncsKey(organisation)))) as SyncId[];
    for (const id of ids) {
      for (let gone = LOOKED_AT; gone >= LOOKED_AT; ) {
        gone = (await this.#store.run(
          "sync-tidy",
          [syncKey(id), syncChangesKey(id)],
          [id, this.#changesKept, LOOKED_AT],
        )) as number;
      }
    }
    await this.#store.run("sync-recount", [syncSpaceKey(organisation), syncsKey(organisation)], []);
  }
}
