import type { ProofStore } from "../broker/clients/ports.ts";
import type { ClientId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import { assertionUseKey, failuresFromKey, failuresKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

export class RedisProofStore implements ProofStore {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async claimAssertion(client: ClientId, jti: string, lifeMs: Milliseconds): Promise<boolean> {
    const first = await this.#store.call((redis) =>
      redis.set(assertionUseKey(client, jti), "1", "PX", Math.ceil(lifeMs), "NX"),
    );
    return first === "OK";
  }

  async countFailure(id: string, address: string): Promise<{ over: boolean; waitMs: Milliseconds }> {
    const keys = [failuresKey(id, address), failuresFromKey(address)];
    const [outcome, waitMs] = (await this.#store.run("count-failure", keys, [])) as [string, number];
    return { over: outcome === "over", waitMs: Number(waitMs) };
  }
}
