import type { Milliseconds } from "../domain/instant.ts";
import type { RedisConnection } from "./connect-redis.ts";
import { keepSubscribed } from "./keep-subscribed.ts";

/**
 * Wakes those who wait for news of something, by its id, in whichever process it is stored. Announcements may be lost (a reconnect
 * is enough): whoever waits has a timeout and reads again afterwards. However many wait, they share one connection.
 */
export class AnnouncementListener<Id extends string> {
  readonly #connection: RedisConnection;
  readonly #channel: string;
  readonly #waiting = new Map<string, Set<() => void>>();

  /** @param connection takes subscriptions alone; other listeners may share it. */
  constructor(connection: RedisConnection, channel: string) {
    this.#connection = connection;
    this.#channel = channel;
    connection.on("message", (from: string, id: string) => {
      if (from !== channel) return;
      for (const settle of [...(this.#waiting.get(id) ?? [])]) settle();
    });
  }

  /** Resolves once announcements arrive; after a reconnect they arrive again. */
  async listen(): Promise<void> {
    await keepSubscribed(this.#connection, this.#channel);
  }

  next(id: Id, timeoutMs: Milliseconds): { readonly arrived: Promise<void>; cancel(): void } {
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting);
    const { promise: arrived, resolve } = Promise.withResolvers<void>();
    const cancel = () => {
      clearTimeout(timer);
      waiting.delete(cancel);
      if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
      resolve();
    };
    const timer = setTimeout(cancel, timeoutMs);
    waiting.add(cancel);
    return { arrived, cancel };
  }

  /** Hears each announcement from now on, whatever it is of, until the answer is called. */
  each(hear: (id: Id) => void): () => void {
    const heard = (from: string, id: string) => {
      if (from === this.#channel) hear(id as Id);
    };
    this.#connection.on("message", heard);
    return () => this.#connection.off("message", heard);
  }

  /** How many are waited for: 0 when nobody waits (F25). */
  get size(): number {
    return this.#waiting.size;
  }
}
