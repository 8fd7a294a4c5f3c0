export interface Hold {
  id: string;
  fault: string;
  stage: "before" | "after";
  route: string;
  grant_type?: string;
  user?: string;
  client_id?: string;
}

type Ending = "over" | "aborted" | "closing";

interface Pause {
  hold?: Hold;
  /** Of a delay: how much is left to advance before it is over. */
  leftMs: number;
  end: (how: Ending) => void;
}

/**
 * Requests that stand still because a fault says so. A delay is over when real time has passed or when
 * `advance` has skipped as much, so that a test need not sleep.
 */
export class Pauses {
  readonly #pauses = new Set<Pause>();
  #holds = 0;
  #closed = false;

  delay(ms: number, aborted?: AbortSignal): Promise<Ending> {
    return this.#pause({ leftMs: ms }, aborted, ms);
  }

  /** `started` hears the hold's id once it can be released. */
  hold(of: Omit<Hold, "id">, started: (hold: Hold) => void, aborted?: AbortSignal): Promise<Ending> {
    this.#holds += 1;
    const hold = { id: `hold_${this.#holds}`, ...of };
    const paused = this.#pause({ hold, leftMs: Number.POSITIVE_INFINITY }, aborted);
    started(hold);
    return paused;
  }

  held(): Hold[] {
    return [...this.#pauses].flatMap((pause) => pause.hold ?? []);
  }

  /** Releases one hold by its id, all of one fault by the fault's id, or everything. Returns how many. */
  release(id?: string): number {
    const chosen = [...this.#pauses].filter(
      ({ hold }) => hold !== undefined && (id === undefined || hold.id === id || hold.fault === id),
    );
    for (const pause of chosen) pause.end("over");
    return chosen.length;
  }

  advance(ms: number): void {
    for (const pause of [...this.#pauses]) {
      pause.leftMs -= ms;
      if (pause.leftMs <= 0) pause.end("over");
    }
  }

  close(): void {
    this.#closed = true;
    for (const pause of [...this.#pauses]) pause.end("closing");
  }

  #pause(of: Omit<Pause, "end">, aborted?: AbortSignal, realMs?: number): Promise<Ending> {
    if (this.#closed) return Promise.resolve("closing");
    if (aborted?.aborted) return Promise.resolve("aborted");
    return new Promise((resolve) => {
      const pause: Pause = {
        ...of,
        end: (how) => {
          clearTimeout(timer);
          aborted?.removeEventListener("abort", onAbort);
          this.#pauses.delete(pause);
          resolve(how);
        },
      };
      const onAbort = () => pause.end("aborted");
      const timer = realMs === undefined ? undefined : setTimeout(() => pause.end("over"), realMs);
      aborted?.addEventListener("abort", onAbort, { once: true });
      this.#pauses.add(pause);
    });
  }
}
