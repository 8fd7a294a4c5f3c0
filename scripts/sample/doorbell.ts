import { setTimeout as pause } from "node:timers/promises";

/** Wakes those who wait before their time. */
export class Doorbell {
  #rung = Promise.withResolvers<void>();

  ring(): void {
    this.#rung.resolve();
    this.#rung = Promise.withResolvers();
  }

  /** Until somebody rings, or for so long. */
  async wait(ms: number): Promise<void> {
    const over = new AbortController();
    const patience = pause(ms, undefined, { signal: over.signal }).catch(() => {});
    await Promise.race([patience, this.#rung.promise]);
    over.abort();
  }
}
