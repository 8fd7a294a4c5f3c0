import { type Milliseconds, seconds } from "./instant.ts";
import { Problem } from "./problem.ts";

/** A replica of a client waits for each thing once; so many replicas are believed. */
const PLACES = 100;
const AGAIN_MS: Milliseconds = seconds(5);

/**
 * How many may wait in this process at the same time, for each thing that is waited for: whoever waits looks again whenever
 * something happens there, so that those who wait cost the store something without asking.
 */
export class WaitingPlaces {
  readonly #taken = new Map<string, number>();

  /** @throws Problem("too_much_at_once") where all are taken */
  async during<T>(what: string, wait: () => Promise<T>): Promise<T> {
    const taken = this.#taken.get(what) ?? 0;
    if (taken >= PLACES) {
      const detail = `${PLACES} requests of this client wait for the same thing already.`;
      throw new Problem("too_much_at_once", { detail, retryAfterMs: AGAIN_MS });
    }
    this.#taken.set(what, taken + 1);
    try {
      return await wait();
    } finally {
      const left = (this.#taken.get(what) ?? 1) - 1;
      if (left === 0) this.#taken.delete(what);
      else this.#taken.set(what, left);
    }
  }
}
