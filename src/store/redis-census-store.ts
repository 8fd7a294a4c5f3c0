import type { Census, CensusStore, ServerGate, SharedCensus } from "../broker/census/ports.ts";
import type { OrganisationId } from "../domain/id.ts";
import { type Instant, type Milliseconds, minutes } from "../domain/instant.ts";
import { censusKey, censusLeadKey, gateKey, grantsKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

/** Looked at one by one in a script: with as many it takes Redis some milliseconds. */
const SYNCS_LOOKED_AT = 2_000;
const RECEIVERS_LOOKED_AT = 500;
const SERVERS_LOOKED_AT = 500;
/** What nobody has taken for so long is not told any more. */
const KEPT_MS = minutes(5);
const GRANTS_AT_ONCE = 1_000;

export class RedisCensusStore implements CensusStore {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  now(): Promise<Instant> {
    return this.#store.now();
  }

  async ofOrganisation(organisation: OrganisationId): Promise<Census> {
    const answer = (await this.#store.run(
      "census",
      [gateKey(organisation)],
      [SYNCS_LOOKED_AT, RECEIVERS_LOOKED_AT, SERVERS_LOOKED_AT],
    )) as [...flat: string[], servers: [string, string, string][]];
    const servers = answer.at(-1) as [string, string, string][];
    // `grants.active` is the member `active` of `grants`.
    const census: Record<string, unknown> = {};
    for (let at = 0; at + 1 < answer.length; at += 2) {
      const [name, member] = (answer[at] as string).split(".") as [string, string | undefined];
      const value = Number(answer[at + 1]);
      if (member === undefined) census[name] = value;
      else census[name] = { ...(census[name] as object | undefined), [member]: value };
    }
    return {
      ...(census as unknown as Omit<Census, "servers">),
      servers: servers.map(
        ([id, gate, closedMs]) => ({ id, gate, closedMs: Number(closedMs) }) as ServerGate,
      ),
    };
  }

  async findShared(): Promise<SharedCensus | undefined> {
    return (await this.#store.readJson(censusKey())) as SharedCensus | undefined;
  }

  async lead(ms: Milliseconds): Promise<boolean> {
    return (await this.#store.call((redis) => redis.set(censusLeadKey(), "1", "PX", ms, "NX"))) === "OK";
  }

  async share(census: SharedCensus): Promise<void> {
    await this.#store.call((redis) => redis.set(censusKey(), JSON.stringify(census), "PX", KEPT_MS));
    await this.#store.call((redis) => redis.del(censusLeadKey()));
  }

  /** Puts grants that an earlier version has written where they are counted, a part of them. Answers how many are left. */
  async indexGrants(organisation: OrganisationId, limit: number = GRANTS_AT_ONCE): Promise<number> {
    const keys = [gateKey(organisation), grantsKey(organisation)];
    return Number(await this.#store.run("index-grants", keys, [limit]));
  }
}
