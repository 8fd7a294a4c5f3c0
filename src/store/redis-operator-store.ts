import type { OperatorStore } from "../broker/operators/ports.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { OperatorSession } from "../domain/operator.ts";
import { EndingRecords } from "./ending-records.ts";
import { operatorSessionKey } from "./keys.ts";
import { readOperatorSession } from "./records.ts";
import type { RedisStore } from "./redis-store.ts";

export class RedisOperatorStore implements OperatorStore {
  readonly #store: RedisStore;
  readonly #records: EndingRecords;

  constructor(store: RedisStore) {
    this.#store = store;
    this.#records = new EndingRecords(store);
  }

  async insertOperatorSession(digest: string, session: OperatorSession, lifeMs: Milliseconds): Promise<void> {
    await this.#records.put(operatorSessionKey(digest), session, lifeMs);
  }

  async findOperatorSession(digest: string): Promise<OperatorSession | undefined> {
    return this.#records.find(operatorSessionKey(digest), readOperatorSession);
  }

  async deleteOperatorSession(digest: string): Promise<void> {
    await this.#store.call((redis) => redis.del(operatorSessionKey(digest)));
  }
}
