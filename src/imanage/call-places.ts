import type { ApiOutcome } from "../broker/authorization/ports.ts";
import type { CallBudget, CallId, RateLimitSaid, Timers } from "../broker/ports.ts";
import type { ServerId } from "../domain/id.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { CallPriority } from "../domain/server-gate.ts";

export interface ServerBudget {
  readonly calls: CallBudget;
  readonly timers: Pick<Timers, "after">;
  readonly monotonicMs: () => Milliseconds;
  /** A name for a call that no other has. */
  readonly makeCallId: () => CallId;
}

export interface Place {
  readonly kind: "place";
  /** MUST be called, however the call ended. */
  leave(said: RateLimitSaid): Promise<void>;
}

type Throttled = Extract<ApiOutcome<never>, { kind: "throttled" }>;

/** A person waits that long sooner than he is told to come back; a job gives its place to another. */
const PATIENCE_MS: Readonly<Record<CallPriority, Milliseconds>> = {
  interactive: seconds(5),
  quick: seconds(1),
  scan: seconds(1),
};
/** A place that was asked for longer ago knows too little of pauses that other replicas were told of, and is given back. */
const FRESH_MS = 200;
/** A longer wait is found out when it is that call's turn. */
const AHEAD_PATIENCE_MS = 250;

interface Ahead {
  readonly call: CallId;
  readonly askedAt: Milliseconds;
  /** When it may leave; undefined: it has no place. */
  readonly mayLeaveAt: Promise<Milliseconds | undefined>;
}

/**
 * Takes places in a server's budget for calls of its REST API. The pages of a scan follow one another: while one is under way, the
 * place of the next is asked for, so that it leaves as soon as its cursor is known. It takes over the place of the page
 * before, so a scan never has two.
 */
export class CallPlaces {
  readonly #budget: ServerBudget;
  readonly #ahead = new Map<string, Ahead>();

  constructor(budget: ServerBudget) {
    this.#budget = budget;
  }

  /** Waits for a place as long as `priority` has patience; longer waits are the caller's, as if iManage had asked for them. */
  async take(server: ServerId, asker: string, priority: CallPriority): Promise<Place | Throttled> {
    const ahead = await this.#takeAhead(server, asker, priority);
    if (ahead !== undefined) return this.#place(server, asker, priority, ahead);
    const { calls, timers } = this.#budget;
    const call = this.#budget.makeCallId();
    for (let left = PATIENCE_MS[priority]; ; ) {
      const answer = await calls
        .ask(server, { call, asker, priority, patienceMs: left })
        .catch((error: unknown) => {
          // Whoever waits for a page does not do without it because nobody counts.
          if (priority === "interactive" && error instanceof Problem) return undefined;
          throw error;
        });
      if (answer === undefined) return UNBOUNDED;
      if (answer.kind === "go") {
        if (answer.afterMs > 0) await timers.after(answer.afterMs).elapsed;
        return this.#place(server, asker, priority, call);
      }
      left -= answer.waitMs;
      if (left < 0) return { kind: "throttled", retryAfterMs: answer.waitMs };
      await timers.after(answer.waitMs).elapsed;
    }
  }

  #place(server: ServerId, asker: string, priority: CallPriority, call: CallId): Place {
    const { calls } = this.#budget;
    const ahead = priority === "scan" ? this.#askAhead(server, asker, call) : undefined;
    return {
      kind: "place",
      leave: async (said) => {
        // What was granted before iManage asked for time is not used.
        if (said.waitMs !== undefined) this.#dropAllOf(server);
        else if (ahead !== undefined) this.#dropUnused(server, asker, ahead);
        // Told or not, the answer is there; what is not told ends by itself (`callLimits.lifeMs`).
        await calls.tell(server, call, said).catch(() => {});
      },
    };
  }

  #askAhead(server: ServerId, asker: string, follows: CallId): Ahead | undefined {
    const { calls, makeCallId, monotonicMs } = this.#budget;
    const name = nameOf(server, asker);
    // Two runs read the same: the other one's is enough to keep.
    if (this.#ahead.has(name)) return undefined;
    const call = makeCallId();
    const wish = { call, asker, priority: "scan", patienceMs: AHEAD_PATIENCE_MS, follows } as const;
    const mayLeaveAt = calls.ask(server, wish).then(
      (answer) => (answer.kind === "go" ? monotonicMs() + answer.afterMs : undefined),
      () => undefined,
    );
    const ahead = { call, askedAt: monotonicMs(), mayLeaveAt };
    this.#ahead.set(name, ahead);
    return ahead;
  }

  async #takeAhead(server: ServerId, asker: string, priority: CallPriority): Promise<CallId | undefined> {
    const name = nameOf(server, asker);
    const ahead = priority === "scan" ? this.#ahead.get(name) : undefined;
    if (ahead === undefined) return undefined;
    this.#ahead.delete(name);
    const mayLeaveAt = await ahead.mayLeaveAt;
    if (mayLeaveAt === undefined) return undefined;
    const { timers, monotonicMs } = this.#budget;
    const now = monotonicMs();
    if (now - ahead.askedAt > FRESH_MS) {
      await this.#giveBack(server, ahead);
      return undefined;
    }
    if (mayLeaveAt > now) await timers.after(mayLeaveAt - now).elapsed;
    return ahead.call;
  }

  /** The page before has come: a scan that goes on does so by now. */
  #dropUnused(server: ServerId, asker: string, ahead: Ahead): void {
    const name = nameOf(server, asker);
    void this.#budget.timers.after(FRESH_MS).elapsed.then(() => {
      if (this.#ahead.get(name) !== ahead) return;
      this.#ahead.delete(name);
      return this.#giveBack(server, ahead);
    });
  }

  #dropAllOf(server: ServerId): void {
    for (const [name, ahead] of this.#ahead) {
      if (!name.startsWith(nameOf(server, ""))) continue;
      this.#ahead.delete(name);
      void this.#giveBack(server, ahead);
    }
  }

  async #giveBack(server: ServerId, { call, mayLeaveAt }: Ahead): Promise<void> {
    if ((await mayLeaveAt) !== undefined) await this.#budget.calls.giveBack(server, call).catch(() => {});
  }
}

export const UNBOUNDED: Place = { kind: "place", leave: async () => {} };

const nameOf = (server: ServerId, asker: string): string => `${server} ${asker}`;
