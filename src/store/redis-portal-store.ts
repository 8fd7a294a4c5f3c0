import type { PortalStore } from "../broker/portal/ports.ts";
import type { Route } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { PortalSession } from "../domain/portal-session.ts";
import { EndingRecords } from "./ending-records.ts";
import { portalLinkKey, portalVisitKey } from "./keys.ts";
import { readPortalSession } from "./records.ts";
import type { RedisStore } from "./redis-store.ts";

export class RedisPortalStore implements PortalStore {
  readonly #store: RedisStore;
  readonly #records: EndingRecords;

  constructor(store: RedisStore) {
    this.#store = store;
    this.#records = new EndingRecords(store);
  }

  async insertPortalLink(
    route: Route,
    digest: string,
    session: PortalSession,
    lifeMs: Milliseconds,
  ): Promise<void> {
    await this.#records.put(portalLinkKey(route, digest), session, lifeMs);
  }

  async takePortalLink(route: Route, digest: string): Promise<PortalSession | undefined> {
    return this.#records.take(portalLinkKey(route, digest), readPortalSession);
  }

  async insertPortalVisit(
    route: Route,
    digest: string,
    session: PortalSession,
    lifeMs: Milliseconds,
  ): Promise<void> {
    await this.#records.put(portalVisitKey(route, digest), session, lifeMs);
  }

  async findPortalVisit(route: Route, digest: string): Promise<PortalSession | undefined> {
    return this.#records.find(portalVisitKey(route, digest), readPortalSession);
  }

  async deletePortalVisit(route: Route, digest: string): Promise<void> {
    await this.#store.call((redis) => redis.del(portalVisitKey(route, digest)));
  }
}
