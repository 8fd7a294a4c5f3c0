import type { ChildProcess } from "node:child_process";
import type { FailPoint } from "../../src/broker/refresh/ports.ts";
import type { FailPointOrder, FromFailPoints, ToFailPoints } from "../../src/main/fail-points.ts";

export type { FailPoint } from "../../src/broker/refresh/ports.ts";

/** Points at which a refresh token may have been rotated without its successor being stored. */
export const IN_THE_WINDOW: readonly FailPoint[] = ["answer-received", "after-seal"];

/** Points that every refresh which is answered passes, in their order. */
export const OF_A_GOOD_REFRESH: readonly FailPoint[] = [
  "before-begin",
  "after-begin",
  "after-mark-sent",
  "answer-received",
  "after-seal",
  "after-commit",
  "ended",
];

export interface Reached {
  readonly point: FailPoint;
  readonly grant: string;
  /** The order that is carried out here, if there is one. */
  readonly order: number | undefined;
}

export interface Order {
  readonly id: number;
  /** Resolves when the process stands at the point, about to die, stop or wait. Rejects when it ended before. */
  readonly reached: Promise<Reached>;
  /** Lets a process that waits there go on. */
  go(): Promise<void>;
}

export type Clocked = Extract<FromFailPoints, { failPoints: "clocked" }>["clocked"];

type Where = { readonly grant?: string; readonly nth?: number };

/** Commands one broker process at the named points of its refreshes. It must have been started with `FAIL_POINTS`. */
export class FailPointControl {
  /** Every point the process has told of since it started. */
  readonly reached: Reached[] = [];
  /** Resolves when the process is gone and all that it told has been heard. */
  heardAll: Promise<void> = Promise.resolve();
  /** Told of every point as it is heard. */
  onReached: (reached: Reached) => void = () => {};
  #child: ChildProcess | undefined;
  #ended: Error | undefined = new Error("there is no process yet");
  #orders = 0;
  #awaitsClocked: ((clocked: Clocked) => void) | undefined;
  readonly #awaitsNoted: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  readonly #waiting = new Set<{
    readonly fits: (reached: Reached) => boolean;
    readonly resolve: (reached: Reached) => void;
    readonly reject: (error: Error) => void;
  }>();

  /** For `broker-process.ts`: the process, or the one that took its place. */
  attach(child: ChildProcess): void {
    this.#child = child;
    this.#ended = undefined;
    this.reached.length = 0;
    this.heardAll = new Promise((resolve) => child.once("disconnect", resolve));
    child.on("message", (message: FromFailPoints) => this.#heard(message));
    child.once("exit", () => {
      this.#ended = new Error("the process has ended");
      for (const { reject } of this.#awaitsNoted.splice(0)) reject(this.#ended);
      for (const { reject } of this.#waiting) reject(this.#ended);
      this.#waiting.clear();
    });
  }

  /** SIGKILL at this point. */
  kill(point: FailPoint, where: Where = {}): Promise<Order> {
    return this.#order("kill", point, where);
  }

  /** SIGSTOP at this point; continued by SIGCONT. */
  stop(point: FailPoint, where: Where = {}): Promise<Order> {
    return this.#order("stop", point, where);
  }

  /** That refresh stands still at this point; the rest of the process goes on. */
  wait(point: FailPoint, where: Where = {}): Promise<Order> {
    return this.#order("wait", point, where);
  }

  /** Drops all orders and lets everything go on. */
  async forget(): Promise<void> {
    await this.#say({ failPoints: "forget" });
  }

  /** Refreshes that have not ended, each with the last point it told of: what a kill takes along. */
  inFlight(): ReadonlyMap<string, FailPoint> {
    const last = new Map(this.reached.map(({ grant, point }) => [grant, point]));
    for (const [grant, point] of last) if (point === "ended") last.delete(grant);
    return last;
  }

  /** Resolves when everything that the process has told by now has been heard; also when it is gone. */
  async caughtUp(): Promise<void> {
    const { heardAll } = this;
    await this.#say({ failPoints: "hear" }).catch(() => heardAll);
  }

  /** Resolves with the next time that this point is reached; what was reached before stands in `reached`. */
  next(point: FailPoint, grant?: string): Promise<Reached> {
    return this.#next(
      (reached) => reached.point === point && (grant === undefined || reached.grant === grant),
    );
  }

  async #order(act: FailPointOrder["do"], point: FailPoint, { grant, nth = 1 }: Where): Promise<Order> {
    const id = ++this.#orders;
    const reached = this.#next((one) => one.order === id);
    // Whoever does not wait for it must not be told of its failure by the whole process.
    reached.catch(() => {});
    await this.#say({ failPoints: "order", order: { id, point, grant, nth, do: act } });
    return { id, reached, go: () => this.#say({ failPoints: "go", id }) };
  }

  /** Resolves when the process has noted it: only then may a request be sent that shall meet the order. */
  #say(message: ToFailPoints): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      this.#awaitsNoted.push({ resolve, reject });
      this.#child!.send(message, (error) => {
        if (error) reject(error);
      });
    });
  }

  #next(fits: (reached: Reached) => boolean): Promise<Reached> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      this.#waiting.add({ fits, resolve, reject });
    });
  }

  /** What the clock of the process showed at each point while `act` ran; nothing is told meanwhile, and no order taken. */
  async measure(act: () => Promise<void>): Promise<Clocked> {
    await this.#say({ failPoints: "measure" });
    await act();
    const clocked = new Promise<Clocked>((resolve) => {
      this.#awaitsClocked = resolve;
    });
    await this.#say({ failPoints: "measured" });
    return clocked;
  }

  #heard(message: FromFailPoints): void {
    if (message.failPoints === "noted") this.#awaitsNoted.shift()?.resolve();
    if (message.failPoints === "clocked") this.#awaitsClocked?.(message.clocked);
    if (message.failPoints !== "reached") return;
    const { point, grant, order } = message;
    const reached = { point, grant, order };
    this.reached.push(reached);
    this.onReached(reached);
    for (const waiting of [...this.#waiting]) {
      if (!waiting.fits(reached)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve(reached);
    }
  }
}
