import { timing } from "../../src/domain/access-policy.ts";
import type { FailPointControl, Reached } from "./fail-points.ts";
import type { JournalEntry } from "./invariants.ts";

/** What a fault touches: one process with its connections to Redis, Redis itself, or one iManage server with the way to it. */
export type Scope = `process:${number}` | "redis" | `server:${string}`;

/** A fault, from the moment before it began until what it touched was seen to be well again. */
export interface FaultWindow {
  readonly kind: string;
  /** Undefined: nothing may fail for it. */
  readonly scope: Scope | undefined;
  readonly from: number;
  to: number;
}

interface Attempt {
  readonly process: number;
  readonly grant: string;
  readonly server: string;
  /** As heard: later than it happened, never earlier. */
  readonly from: number;
  to: number;
  begun: boolean;
  sent: boolean;
  good: boolean;
  last: string;
}

export interface AskedFor {
  readonly process: number;
  readonly server: string;
  readonly grant: string;
  readonly from: number;
  /** Undefined: a token that is good. Else status and code, or how the connection ended. */
  readonly failed: string | undefined;
}

/** What is heard of a fault may arrive so much later than the fault's end. */
const LATE_MS = 1_000;
/** A closed gate tries again after half a minute at the latest (`gate.lua`), and then one call at a time. */
const GATE_MS = 35_000;
/** The places and leases of the dead lapse by then. */
const LEASE_MS = timing.leaseMs + LATE_MS;

interface Tally {
  good: number;
  /** Failed, and a fault's window says why. */
  excused: number;
  /** Failed outside of every window. */
  unexcused: number;
}

/**
 * What was tried while faults came and went, and what became of it. *Could succeed* is all that did, and all that failed outside of
 * every fault's window: no fault stood, or had ended a moment ago, at its process, at Redis, at its server; and of a request also
 * that its grant or its server's gate did not still wait for the end of something that a fault had broken off.
 */
export class SoakLedger {
  readonly windows: FaultWindow[] = [];
  readonly refreshes: Tally = { good: 0, excused: 0, unexcused: 0 };
  readonly requests: Tally = { good: 0, excused: 0, unexcused: 0 };
  /** Processes that ended while they started, because Redis went away then. */
  startsBrokenOff = 0;
  /** Failed requests that met a fault: at which server, how, and whether it stood or was waited for. */
  readonly met: Record<string, number> = {};
  /** Every failure that nothing excuses, in a sentence. */
  readonly unexcused: string[] = [];
  readonly #strict: ReadonlySet<string>;
  readonly #serverOf: ReadonlyMap<string, string>;
  readonly #open = new Map<string, Attempt>();
  /** Begun attempts since the last look that a fault touched. */
  #touched: (Attempt & { readonly by: FaultWindow })[] = [];

  constructor(serverOf: ReadonlyMap<string, string>, strict: ReadonlySet<string>) {
    this.#serverOf = serverOf;
    this.#strict = strict;
  }

  begin(kind: string, scope: Scope | undefined): FaultWindow {
    const window = { kind, scope, from: performance.now(), to: Number.POSITIVE_INFINITY };
    this.windows.push(window);
    return window;
  }

  /** It did not come about. */
  withdraw(window: FaultWindow): void {
    this.windows.splice(this.windows.indexOf(window), 1);
  }

  hear(process: number, control: FailPointControl): void {
    control.onReached = (reached) => this.#reached(process, reached);
  }

  /** The process is gone, and all that it told has been heard. */
  died(process: number): void {
    for (const [key, attempt] of this.#open) {
      if (attempt.process === process) this.#end(key, attempt);
    }
  }

  asked({ process, server, grant, from, failed }: AskedFor): void {
    if (failed === undefined) {
      this.requests.good += 1;
      return;
    }
    const to = performance.now();
    const windowed = this.#windowOf({ process, server, from, to });
    const waits = / (imanage_unavailable|refresh_pending)$/.test(failed) && this.#waits(grant, server, from);
    if (windowed !== undefined || waits) {
      const met = `${server} ${windowed === undefined ? "waits" : windowed.scope?.split(":")[0]} ${failed}`;
      this.met[met] = (this.met[met] ?? 0) + 1;
    }
    this.#count(
      this.requests,
      windowed !== undefined || waits,
      () => `a request to process ${process} for ${grant} of ${server}: ${failed}`,
    );
  }

  /** What may explain the loss of a grant: each refresh of it that left, and that a fault touched. */
  get journal(): readonly JournalEntry[] {
    return this.#touched
      .filter(({ sent }) => sent)
      .map(({ grant, last, by }) => ({ grant, what: `${by.kind} touched a refresh that came to ${last}` }));
  }

  /** All is well again: what was broken off before is no excuse any more. */
  forgive(): void {
    this.#touched = [];
    const now = performance.now();
    const open = this.windows.filter(({ to }) => to > now);
    if (open.length > 0) throw new Error(`${open.map(({ kind }) => kind)} goes on`);
    this.#settledAt = now;
  }
  #settledAt = 0;

  #reached(process: number, { point, grant }: Reached): void {
    const key = `${process} ${grant}`;
    const now = performance.now();
    if (point === "before-begin") {
      const server = this.#serverOf.get(grant) ?? "?";
      this.#open.set(key, {
        process,
        grant,
        server,
        from: now,
        to: now,
        begun: false,
        sent: false,
        good: false,
        last: point,
      });
      return;
    }
    const attempt = this.#open.get(key);
    if (attempt === undefined) return;
    attempt.to = now;
    if (point === "ended") {
      this.#end(key, attempt);
      return;
    }
    attempt.last = point;
    attempt.begun = true;
    if (point === "after-mark-sent") attempt.sent = true;
    if (point === "after-commit") attempt.good = true;
  }

  #end(key: string, attempt: Attempt): void {
    this.#open.delete(key);
    if (!attempt.begun) return;
    attempt.to = performance.now();
    const by = this.#windowOf(attempt);
    if (by !== undefined) this.#touched.push({ ...attempt, by });
    if (attempt.good) {
      this.refreshes.good += 1;
      return;
    }
    // A strict server ends what a fault has broken off; whoever presents it next finds it dead.
    const hurt =
      this.#strict.has(attempt.server) && this.#touched.some(({ grant }) => grant === attempt.grant);
    this.#count(
      this.refreshes,
      by !== undefined || hurt,
      () =>
        `a refresh of ${attempt.grant} of ${attempt.server} by process ${attempt.process} came to ${attempt.last}`,
    );
  }

  #count(tally: Tally, excused: boolean, tell: () => string): void {
    if (excused) tally.excused += 1;
    else {
      tally.unexcused += 1;
      const last = this.windows.at(-1);
      this.unexcused.push(`${tell()}; the last fault before it: ${last?.kind ?? "none"} at ${last?.scope}`);
    }
  }

  #windowOf({ process, server, from, to }: { process: number; server: string; from: number; to: number }) {
    return this.windows.findLast(
      (window) =>
        (window.scope === "redis" ||
          window.scope === `process:${process}` ||
          window.scope === `server:${server}`) &&
        window.from <= to &&
        window.to + LATE_MS >= from,
    );
  }

  /** Its grant, or its server's gate, still waits for the end of what a fault has broken off. */
  #waits(grant: string, server: string, at: number): boolean {
    const since = (ms: number) => Math.max(this.#settledAt, at - ms);
    if (this.windows.some(({ scope, to }) => scope === `server:${server}` && to > since(GATE_MS)))
      return true;
    if ([...this.#open.values()].some((one) => one.grant === grant && this.#windowOf(one) !== undefined))
      return true;
    const places = this.#touched.filter((one) => one.server === server && one.to > since(LEASE_MS));
    return (
      places.length > 0 || (this.#strict.has(server) && this.#touched.some((one) => one.grant === grant))
    );
  }
}
