import type { ContainmentStore, ContainmentTarget } from "../broker/containment/ports.ts";
import type { OrganisationId } from "../domain/id.ts";
import { bindingDigest, containmentKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

export class RedisContainmentStore implements ContainmentStore {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async contain(organisation: OrganisationId, target: ContainmentTarget): Promise<void> {
    await this.#store.call((redis) => redis.sadd(containmentKey(organisation), selectorOf(target)));
  }

  async lift(organisation: OrganisationId, target: ContainmentTarget): Promise<void> {
    await this.#store.call((redis) => redis.srem(containmentKey(organisation), selectorOf(target)));
  }
}

/** The words that `vend.lua` looks for. */
function selectorOf(target: ContainmentTarget): string {
  switch (target.kind) {
    case "organisation":
      return "organisation";
    case "client":
      return `client:${target.client}`;
    case "server":
      return `server:${target.server}`;
    case "grant":
      return `grant:${target.grant}`;
    case "subject":
      return `binding:${bindingDigest(target.server, target.client, target.subject)}`;
  }
}
