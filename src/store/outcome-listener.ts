import type { GrantId, ServerId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { RedisConnection } from "./connect-redis.ts";
import { keepSubscribed } from "./keep-subscribed.ts";
import { REFRESH_CHANNEL } from "./keys.ts";

/** As long as anybody waits (`callerDeadlineMs`), and some more. */
const KEPT_MS: Milliseconds = 15_000;

/**
 * Wakes those who wait for a refresh, in whichever process it ends. Announcements may be lost (a reconnect is enough),
 * so whoever waits gives a timeout and reads again afterwards; nothing is ever decided from an announcement.
 */
export class OutcomeListener {
  readonly #connection: RedisConnection;
  readonly #waiting = new Map<string, Set<() => void>>();
  /** The last announcement of each grant, oldest first; older than anybody still waits is forgotten. */
  readonly #heard = new Map<string, { readonly at: Milliseconds; readonly number: number }>();
  #announcements = 0;

  /** @param connection is used for nothing else: a subscribed connection takes no other command. */
  constructor(connection: RedisConnection) {
    this.#connection = connection;
    connection.on("message", (_channel: string, message: string) => this.#hear(message.split(" ", 1)[0]!));
  }

  /**
   * Resolves once announcements arrive. After a reconnect they arrive again, and everybody is woken: what was announced
   * meanwhile was said to nobody.
   */
  async listen(): Promise<void> {
    await keepSubscribed(this.#connection, REFRESH_CHANNEL, () => {
      for (const grant of [...this.#waiting.keys()]) this.#wake(grant);
    });
  }

  /** How many announcements were heard: what one notes before he reads, so that none falls between reading and waiting. */
  get heard(): number {
    return this.#announcements;
  }

  /** @param since what `heard` was: a later announcement counts, for it may overtake the answer that made somebody wait. */
  next(
    grant: GrantId | ServerId,
    timeoutMs: Milliseconds,
    since = this.#announcements,
  ): Promise<"announced" | "timeout"> {
    const last = this.#heard.get(grant);
    if (last !== undefined && last.number > since) return Promise.resolve("announced");
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(grant) ?? new Set();
      this.#waiting.set(grant, waiting);
      const settle = (how: "announced" | "timeout") => {
        clearTimeout(timer);
        waiting.delete(announced);
        if (waiting.size === 0 && this.#waiting.get(grant) === waiting) this.#waiting.delete(grant);
        resolve(how);
      };
      const announced = () => settle("announced");
      const timer = setTimeout(() => settle("timeout"), timeoutMs);
      waiting.add(announced);
    });
  }

  /** How many grants are waited for: 0 when nobody waits (F25). */
  get size(): number {
    return this.#waiting.size;
  }

  #hear(grant: string): void {
    const now = performance.now();
    this.#heard.delete(grant);
    this.#heard.set(grant, { at: now, number: ++this.#announcements });
    for (const [oldest, { at }] of this.#heard) {
      if (now - at < KEPT_MS) break;
      this.#heard.delete(oldest);
    }
    this.#wake(grant);
  }

  #wake(grant: string): void {
    for (const announced of [...(this.#waiting.get(grant) ?? [])]) announced();
  }
}
