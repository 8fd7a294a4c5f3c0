import type { Shredding, ShredStore } from "../broker/keys/ports.ts";
import type { AuditNote } from "../broker/ports.ts";
import { type OrganisationId, type Route, routeOf } from "../domain/id.ts";
import type { Instant, Milliseconds } from "../domain/instant.ts";
import {
  clientNamesKey,
  clientOrganisationsKey,
  dataKeyRotationKey,
  dataKeysKey,
  deliveryDueHintKey,
  dueHintKey,
  organisationNamesKey,
  rotatingKey,
  shreddedKey,
  syncDueHintKey,
} from "./keys.ts";
import { optional, readShredding } from "./records.ts";
import type { RedisStore } from "./redis-store.ts";

export class RedisShredStore implements ShredStore {
  readonly #store: RedisStore;

  readonly #auditKeptMs: Milliseconds;

  /** @param auditKeptMs how long exported audit stays; nobody trims that of an organisation which is gone */
  constructor(store: RedisStore, auditKeptMs: Milliseconds) {
    this.#store = store;
    this.#auditKeptMs = auditKeptMs;
  }

  async findShredding(name: string): Promise<Shredding | undefined> {
    const id = await this.#store.call((redis) => redis.hget(organisationNamesKey(), name));
    if (id === null) return undefined;
    return optional(readShredding)(await this.#store.readJson(shreddedKey(id as OrganisationId)));
  }

  async count(organisation: OrganisationId): Promise<Readonly<Record<string, number>>> {
    return this.#walk(organisation, false);
  }

  async destroyKeys(shredding: Shredding, note: AuditNote): Promise<boolean> {
    const { organisation, name, dataKeys } = shredding;
    const owner = `o:${routeOf(organisation)}` as const;
    const done = await this.#store.run(
      "shred-keys",
      [shreddedKey(organisation), dataKeysKey(owner), dataKeyRotationKey(owner)],
      [JSON.stringify(shredding), note.actor, name, dataKeys.join(" "), note.requestId],
    );
    await this.#store.call((redis) => redis.srem(rotatingKey(), owner));
    return done === 1;
  }

  async removeRecords({ organisation, name }: Shredding): Promise<void> {
    await this.#walk(organisation, true);
    const clients = await this.#store.call((redis) => redis.hvals(clientNamesKey()));
    for (const client of clients)
      await this.#store.call((redis) => redis.srem(clientOrganisationsKey(client as never), organisation));
    const route: Route = routeOf(organisation);
    for (const hint of [dueHintKey(), syncDueHintKey(), deliveryDueHintKey()])
      await this.#store.call((redis) => redis.zrem(hint, organisation, route));
    // Last: by the name whoever was interrupted finds it again.
    await this.#store.call((redis) => redis.hdel(organisationNamesKey(), name));
  }

  now(): Promise<Instant> {
    return this.#store.now();
  }

  async #walk(organisation: OrganisationId, remove: boolean): Promise<Readonly<Record<string, number>>> {
    const counts: Record<string, number> = {};
    let cursor = "0";
    do {
      const [next, nouns] = (await this.#store.run(
        "remove-records",
        [shreddedKey(organisation)],
        [cursor, remove ? 1 : 0, this.#auditKeptMs],
      )) as [string, string[]];
      for (const noun of nouns) counts[noun] = (counts[noun] ?? 0) + 1;
      cursor = next;
    } while (cursor !== "0");
    return counts;
  }
}
