import type { OrganisationId, Route } from "../domain/id.ts";
import { organisationId, routeOf } from "../domain/id.ts";
import type { Instant } from "../domain/instant.ts";
import type { RedisStore } from "./redis-store.ts";

/**
 * The earliest due time of each organisation, in one sorted set across them, so that a sweep need not ask every one. A
 * hint: each organisation's own due set is what counts, in another slot, so the two can never be written together. A hint
 * may be too early, which costs one look; one that is too late would keep the organisation waiting until all are restated.
 */
export class DueHint {
  readonly #store: RedisStore;
  readonly #hintKey: string;
  readonly #dueKey: (organisation: OrganisationId) => string;

  constructor(store: RedisStore, hintKey: string, dueKey: (organisation: OrganisationId) => string) {
    this.#store = store;
    this.#hintKey = hintKey;
    this.#dueKey = dueKey;
  }

  async dueOrganisations(limit: number): Promise<readonly OrganisationId[]> {
    const now = await this.#store.now();
    const routes = await this.#store.call((redis) =>
      redis.zrangebyscore(this.#hintKey, "-inf", now, "LIMIT", 0, limit),
    );
    return routes.map((route) => organisationId(route as Route));
  }

  /** Writes the hint anew from the organisation's own due set. */
  async restate(organisation: OrganisationId): Promise<void> {
    const route = routeOf(organisation);
    const earliest = await this.#earliest(organisation);
    await this.#store.call<unknown>((redis) =>
      earliest === undefined ? redis.zrem(this.#hintKey, route) : redis.zadd(this.#hintKey, earliest, route),
    );
    // What became due in between has stated its own hint before ours was written, or will after this.
    const since = await this.#earliest(organisation);
    if (since !== undefined) await this.atMost(organisation, since);
  }

  async atMost(organisation: OrganisationId, at: Instant): Promise<void> {
    await this.#store.call((redis) => redis.zadd(this.#hintKey, "LT", at, routeOf(organisation)));
  }

  /** In one call: of two, the first could name what the second finds put off. */
  async #earliest(organisation: OrganisationId): Promise<Instant | undefined> {
    const [, score] = await this.#store.call((redis) =>
      redis.zrange(this.#dueKey(organisation), "0", "0", "WITHSCORES"),
    );
    return score === undefined ? undefined : Number(score);
  }
}
