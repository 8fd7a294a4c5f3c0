/** Something happened. Flat, so that the control endpoint can filter on any field. Never holds a token. */
export interface SimulatorEvent {
  seq: number;
  at: string;
  type:
    | "arrived"
    | "delayed"
    | "held"
    | "released"
    | "fault_fired"
    | "answered"
    | "aborted"
    | "signed_in"
    | "denied"
    | "code_issued"
    | "redeemed"
    | "refreshed"
    | "refused"
    | "family_ended"
    | "revoked"
    | "logged_out"
    | "document_edited"
    | "object_edited"
    | "activity_ended"
    | "advanced"
    | "rolled_back";
  route?: string;
  grant_type?: string;
  user?: string;
  client_id?: string;
  family?: string;
  fault?: string;
  hold?: string;
  stage?: string;
  status?: number;
  error?: string;
  library?: string;
  document?: string;
  /** A container, a user, a group. */
  object?: string;
  item_type?: string;
  action?: string;
  activity?: string;
}

export type NewEvent = Omit<SimulatorEvent, "seq" | "at">;

const KEPT = 10_000;

export class Events {
  readonly #now: () => number;
  readonly #kept: SimulatorEvent[] = [];
  readonly #listeners = new Set<(event: SimulatorEvent) => void>();
  #seq = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get seq(): number {
    return this.#seq;
  }

  emit(event: NewEvent): void {
    this.#seq += 1;
    const numbered = { seq: this.#seq, at: new Date(this.#now()).toISOString(), ...event };
    this.#kept.push(numbered);
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const listener of [...this.#listeners]) listener(numbered);
  }

  after(seq: number): SimulatorEvent[] {
    return this.#kept.filter((event) => event.seq > seq);
  }

  /**
   * Asks the predicate now, without an event, and again after each event, until it holds. Asking now makes
   * a predicate about state free of races: it does not matter whether the thing happened just before.
   */
  waitFor(
    predicate: (event: SimulatorEvent | undefined) => unknown,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<SimulatorEvent | undefined> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
        signal?.removeEventListener("abort", onAbort);
      };
      const look = (event: SimulatorEvent | undefined) => {
        try {
          if (!predicate(event)) return;
          stop();
          resolve(event);
        } catch (error) {
          stop();
          reject(error);
        }
      };
      const listener = (event: SimulatorEvent) => look(event);
      const onAbort = () => {
        stop();
        reject(new Error("stopped waiting"));
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`nothing of the kind happened within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#listeners.add(listener);
      signal?.addEventListener("abort", onAbort, { once: true });
      look(undefined);
    });
  }
}
