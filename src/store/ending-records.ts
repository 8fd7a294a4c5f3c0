import type { Instant, Milliseconds } from "../domain/instant.ts";
import type { RedisStore } from "./redis-store.ts";

/** Records that end by themselves: links, requests, sessions. */
export class EndingRecords {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  /** Redis ends the record by itself; the time that is written beside it is what shifted clocks are compared with. */
  async put(key: string, record: object, lifeMs: Milliseconds): Promise<void> {
    const life = Math.ceil(lifeMs);
    const text = JSON.stringify({ ...record, endsAt: (await this.#store.now()) + life });
    await this.#store.change(key, (redis) => redis.set(key, text, "PX", life));
  }

  async find<T>(key: string, read: (stored: unknown) => T): Promise<T | undefined> {
    // The time is asked for whether there is one or not: how long it takes tells nobody (T29).
    const [stored, now] = await Promise.all([this.#store.readJson(key), this.#store.now()]);
    return living(stored, now, read);
  }

  /** Answers it to exactly one caller. */
  async take<T>(key: string, read: (stored: unknown) => T): Promise<T | undefined> {
    const [text, now] = await Promise.all([
      this.#store.call((redis) => redis.getdel(key)),
      this.#store.now(),
    ]);
    return living(text === null ? undefined : JSON.parse(text), now, read);
  }
}

/** A record that is over is none, whether Redis has ended it yet or not. */
function living<T>(stored: unknown, now: Instant, read: (stored: unknown) => T): T | undefined {
  if (stored === undefined) return undefined;
  const { endsAt } = stored as { endsAt?: number };
  return endsAt !== undefined && endsAt <= now ? undefined : read(stored);
}
