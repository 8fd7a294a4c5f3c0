import type { SyncId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { ChangeAnnouncements } from "../sync/ports.ts";
import type { RedisConnection } from "./connect-redis.ts";

/** Channel on which a page with changes, or the end of a sync, is announced: `<sync>`. */
export const CHANGES_CHANNEL = "b1:sync-changes";

/**
 * Wakes those who wait for changes, in whichever process they are stored. Announcements may be lost (a reconnect is
 * enough): whoever waits has a timeout and reads again afterwards. However many wait, they share one connection.
 */
export class ChangeListener implements ChangeAnnouncements {
  readonly #connection: RedisConnection;
  readonly #waiting = new Map<string, Set<() => void>>();

  /** @param connection takes subscriptions alone; other listeners may share it. */
  constructor(connection: RedisConnection) {
    this.#connection = connection;
    connection.on("message", (channel: string, sync: string) => {
      if (channel !== CHANGES_CHANNEL) return;
      for (const settle of [...(this.#waiting.get(sync) ?? [])]) settle();
    });
  }

  /** Resolves once announcements arrive; ioredis subscribes again by itself after a reconnect. */
  async listen(): Promise<void> {
    await this.#connection.subscribe(CHANGES_CHANNEL);
  }

  next(sync: SyncId, timeoutMs: Milliseconds): { readonly arrived: Promise<void>; cancel(): void } {
    const waiting = this.#waiting.get(sync) ?? new Set();
    this.#waiting.set(sync, waiting);
    const { promise: arrived, resolve } = Promise.withResolvers<void>();
    const cancel = () => {
      clearTimeout(timer);
      waiting.delete(cancel);
      if (waiting.size === 0 && this.#waiting.get(sync) === waiting) this.#waiting.delete(sync);
      resolve();
    };
    const timer = setTimeout(cancel, timeoutMs);
    waiting.add(cancel);
    return { arrived, cancel };
  }

  /** How many syncs are waited for: 0 when nobody waits (F25). */
  get size(): number {
    return this.#waiting.size;
  }
}
