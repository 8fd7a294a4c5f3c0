import { createHash } from "node:crypto";
import type { IdempotencyClaim, IdempotencyPlace, IdempotencyStore } from "../broker/idempotency/ports.ts";
import type { Milliseconds } from "../domain/instant.ts";
import { idempotencyKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

export class RedisIdempotencyStore implements IdempotencyStore {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async claim(at: IdempotencyPlace, request: string, lifeMs: Milliseconds): Promise<IdempotencyClaim> {
    const [kind, answer] = (await this.#store.run(
      "claim-idempotency",
      [keyOf(at)],
      [sha256(request), lifeMs],
    )) as [IdempotencyClaim["kind"], string];
    return kind === "answered" ? { kind, answer } : { kind };
  }

  async settle(at: IdempotencyPlace, answer: string): Promise<void> {
    await this.#store.call((redis) => redis.hset(keyOf(at), "answer", answer));
  }

  async giveBack(at: IdempotencyPlace): Promise<void> {
    await this.#store.call((redis) => redis.del(keyOf(at)));
  }
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("base64url");

const keyOf = ({ organisation, client, key }: IdempotencyPlace): string =>
  idempotencyKey(organisation, client, sha256(key));
