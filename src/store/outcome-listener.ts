import type { GrantId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { RedisConnection } from "./connect-redis.ts";
import { REFRESH_CHANNEL } from "./keys.ts";

/**
 * Wakes those who wait for a refresh, in whichever process it ends. Announcements may be lost (a reconnect is enough),
 * so whoever waits gives a timeout and reads again afterwards; nothing is ever decided from an announcement.
 */
export class OutcomeListener {
  readonly #connection: RedisConnection;
  readonly #waiting = new Map<string, Set<() => void>>();

  /** @param connection is used for nothing else: a subscribed connection takes no other command. */
  constructor(connection: RedisConnection) {
    this.#connection = connection;
    connection.on("message", (_channel: string, message: string) => this.#wake(message.split(" ", 1)[0]!));
  }

  /**
   * Resolves once announcements arrive. After a reconnect they arrive again, and everybody is woken: what was announced
   * meanwhile was said to nobody.
   */
  async listen(): Promise<void> {
    await this.#connection.subscribe(REFRESH_CHANNEL);
    this.#connection.on("ready", () => this.#listenAgain());
  }

  next(grant: GrantId, timeoutMs: Milliseconds): Promise<"announced" | "timeout"> {
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

  #listenAgain(): void {
    const wakeAll = () => {
      for (const grant of [...this.#waiting.keys()]) this.#wake(grant);
    };
    // Lost again meanwhile: then there is another `ready`.
    this.#connection.subscribe(REFRESH_CHANNEL).then(wakeAll, () => {});
  }

  #wake(grant: string): void {
    for (const announced of [...(this.#waiting.get(grant) ?? [])]) announced();
  }
}
