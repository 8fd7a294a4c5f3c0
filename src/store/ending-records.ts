import type { Milliseconds } from "../domain/instant.ts";
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
    await this.#store.call((redis) => redis.set(key, text, "PX", life));
  }

  async find<T>(key: string, read: (stored: unknown) => T): Promise<T | undefined> {
    return this.#read(await this.#store.readJson(key), read);
  }

  /** Answers it to exactly one caller. */
  async take<T>(key: string, read: (stored: unknown) => T): Promise<T | undefined> {
    const text = await this.#store.call((redis) => redis.getdel(key));
    return this.#read(text === null ? undefined : JSON.parse(text), read);
  }

  /** A record that is over is none, whether Redis has ended it yet or not. */
  async #read<T>(stored: unknown, read: (stored: unknown) => T): Promise<T | undefined> {
    if (stored === undefined) return undefined;
    const { endsAt } = stored as { endsAt?: number };
    return endsAt !== undefined && endsAt <= (await this.#store.now()) ? undefined : read(stored);
  }
}
