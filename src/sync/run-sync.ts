import type { SyncId } from "../domain/id.ts";
import { type Milliseconds, minutes } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { ProblemCode } from "../domain/problem-catalogue.ts";
import { afterPageRefused, type Brake } from "./advance.ts";
import { isHeld, type SyncCursor } from "./cursor.ts";
import { endAfter, jittered, type Moment, nextStep, type Step, syncTiming } from "./plan.ts";
import type { CommitAnswer, PassEnd, RunEnd, Sync, SyncPorts } from "./ports.ts";
import { LibraryCalls } from "./read-library.ts";
import { PageCursorRefused } from "./refusals.ts";
import { Steps } from "./steps.ts";

/** How one run ended. None of these is an error: the schedule knows when to look again. */
export type SyncRunOutcome =
  | { readonly kind: "complete"; readonly changes: number }
  /** It took its share of time, or this process is stopping: due again at once. */
  | { readonly kind: "gave_way"; readonly changes: number }
  | { readonly kind: "postponed"; readonly code: ProblemCode; readonly retryAfterMs: Milliseconds }
  | { readonly kind: "parked"; readonly code: ProblemCode }
  /** Another run stored this page first and goes on. */
  | { readonly kind: "overtaken" | "not_due" | "paused" | "gone" };

export interface SyncRunOptions {
  /** Documents a page. */
  readonly pageSize?: number;
  /** Events of the feed that are told before they are stored. */
  readonly eventsAtOnce?: number;
  /** Containers and people that are loaded before what was told is stored. */
  readonly objectsAtOnce?: number;
  readonly overlapMs?: Milliseconds;
  readonly scanEveryMs?: Milliseconds;
  readonly parkedRetryMs?: Milliseconds;
  readonly quietMs?: Milliseconds;
  readonly sliceMs?: Milliseconds;
  /** When it is held that so many have gone. */
  readonly brake?: Brake;
}

type RunPorts = Pick<
  SyncPorts,
  | "clock"
  | "timers"
  | "log"
  | "sealer"
  | "syncs"
  | "servers"
  | "clients"
  | "documents"
  | "objects"
  | "accessToken"
>;

/** Each page is a token, a place in the budget, and two looks at the store: of larger pages there are fewer. */
const PAGE_SIZE = 2_000;
const EVENTS_AT_ONCE = 100;
const OBJECTS_AT_ONCE = 25;
const BRAKE: Brake = { objects: 20, share: 0.1 };

/**
 * Follows what changes in one library, step by step. What was stored with a page is all a run knows, so a run that was
 * killed anywhere is gone on with, and one that runs twice does no harm.
 */
export class SyncRuns {
  readonly #ports: RunPorts;
  readonly #options: Required<SyncRunOptions>;

  constructor(ports: RunPorts, options: SyncRunOptions = {}) {
    this.#ports = ports;
    const { overlapMs, scanEveryMs, parkedRetryMs, quietMs, sliceMs } = syncTiming;
    const timing = { overlapMs, scanEveryMs, parkedRetryMs, quietMs, sliceMs };
    this.#options = {
      pageSize: PAGE_SIZE,
      eventsAtOnce: EVENTS_AT_ONCE,
      objectsAtOnce: OBJECTS_AT_ONCE,
      brake: BRAKE,
      ...timing,
      ...options,
    };
  }

  /**
   * @param progressed told after each page that was stored.
   * @throws only for what the schedule cannot know: the store is away, or a defect of ours.
   */
  async run(
    id: SyncId,
    signal?: AbortSignal,
    progressed: () => Promise<void> = async () => {},
  ): Promise<SyncRunOutcome> {
    const { clock, syncs } = this.#ports;
    const { quietMs, sliceMs, scanEveryMs } = this.#options;
    const begun = await syncs.beginRun(id, quietMs);
    if (begun.kind !== "begun") return { kind: begun.kind };

    const { sync } = begun;
    const startedMs = clock.monotonicMs();
    const moment = (): Moment => ({
      now: Math.round(begun.now + (clock.monotonicMs() - startedMs)),
      passStartedAt: sync.passStartedAt,
      scanEveryMs: jittered(scanEveryMs, id),
      documents: sync.wish.wants.includes("documents"),
      workspaces: sync.wish.workspaces?.length ?? 0,
    });
    const steps = new Steps(this.#ports, new LibraryCalls(this.#ports), sync, this.#options);
    const mustEnd = () => signal?.aborted === true || clock.monotonicMs() >= startedMs + sliceMs;
    let { cursor } = sync;
    let { failures } = sync.counts;
    let troubled = failures > 0 || sync.state === "parked";
    let changes = 0;
    // While a page of a scan is stored the one behind it is told. What is stored is in order all the same: on one connection,
    // and only under the number that is due.
    let storing: Promise<CommitAnswer> | undefined;
    try {
      for (let step = nextStep(cursor, moment()); ; ) {
        const page = await steps.take(step?.kind === "held" ? undefined : step, cursor, moment, mustEnd);
        const next = nextStep(page.cursor, moment());
        const pass = passEnd(next, page.cursor, sync, moment());
        const before = await storing;
        storing = undefined;
        if (before !== undefined && before !== "committed") return { kind: before };
        if (before !== undefined) await progressed();
        const stored = syncs.commitPage(
          id,
          { ...page, pass, waitsFor: isHeld(page.cursor) ? "deletions_held" : undefined },
          quietMs,
        );
        const isScanning = step?.kind === "list" && next?.kind === "list" && pass === "more";
        if (isScanning && !troubled && !mustEnd()) {
          storing = stored;
          // Whether it failed is asked before the next page is stored.
          stored.catch(() => {});
        } else {
          const answer = await stored;
          if (answer !== "committed") return { kind: answer };
          await progressed();
        }
        if (pass === "held") {
          const problem = new Problem("deletions_held");
          if (sync.parkedBecause !== problem.code) this.#tell(sync, "parked", problem);
          return { kind: "parked", code: problem.code };
        }
        if (troubled && !isHeld(page.cursor)) this.#tell(sync, "recovered");
        troubled &&= isHeld(page.cursor);
        failures = 0;
        changes += page.changes.length;
        cursor = { ...page.cursor, sequence: cursor.sequence + 1 };
        if (pass === "complete") return { kind: "complete", changes };
        if (pass === "again") return { kind: "gave_way", changes };
        // The feed overflows, or what it answered is told in parts.
        const goesOn = step?.kind === "events" && next?.kind === "events";
        if (mustEnd() && (goesOn || isLong(next))) {
          const last = await storing;
          if (last !== undefined && last !== "committed") return { kind: last };
          await syncs.endRun(id, cursor.sequence, GAVE_WAY);
          return { kind: "gave_way", changes };
        }
        step = next;
      }
    } catch (error) {
      const before = await storing?.catch(() => undefined);
      if (before !== undefined && before !== "committed") return { kind: before };
      const problem = error instanceof Problem ? error : new Problem("internal_error");
      const end = this.#end(problem, failures, cursor, moment());
      await syncs.endRun(id, cursor.sequence, end);
      this.#tell(sync, end.park ? "parked" : "postponed", problem);
      // A defect is due again like anything else, and yet somebody has to see where it came from.
      if (problem !== error) throw error;
      return end.park
        ? { kind: "parked", code: problem.code }
        : { kind: "postponed", code: problem.code, retryAfterMs: end.retryAfterMs };
    }
  }

  #end(problem: Problem, failures: number, cursor: SyncCursor, { now }: Moment): RunEnd {
    const end = endAfter(problem, failures, this.#options.parkedRetryMs);
    if (problem instanceof PageCursorRefused) return { ...end, cursor: afterPageRefused(cursor, now) };
    return problem.code === "internal_error" ? { ...end, retryAfterMs: minutes(1) } : end;
  }

  #tell(sync: Sync, outcome: string, problem?: Problem): void {
    const { organisation, server, client, id } = sync;
    const fields = { sync: id, organisation, server, client, outcome };
    if (problem === undefined) this.#ports.log.info(fields, "sync");
    else if (problem.code === "imanage_rate_limited")
      this.#ports.log.info(
        { ...fields, code: problem.code, elapsedMs: problem.details.retryAfterMs ?? 0 },
        "sync",
      );
    else this.#ports.log.warn({ ...fields, code: problem.code, detail: problem.message }, "sync");
  }
}

/** A run gives way before what may be one of many pages: a small library is read in one turn. */
const isLong = (next: Step | undefined): boolean =>
  next?.kind === "sweep" ||
  (next?.kind === "take" && next.cursor !== undefined) ||
  (next?.kind === "list" && (next.scan.page !== undefined || (next.scan.within?.at ?? 0) > 0)) ||
  (next?.kind === "window" && next.page !== undefined);

/** A scan goes on in the next pass once that is due: what has changed comes first. */
function passEnd(
  next: Step | undefined,
  cursor: SyncCursor,
  { intervalMs }: Sync,
  { now, passStartedAt }: Moment,
): PassEnd {
  if (next === undefined) return "complete";
  if (next.kind === "held") return "held";
  const polled = cursor.polledAt === passStartedAt;
  return polled && next.kind === "list" && now >= passStartedAt + intervalMs ? "again" : "more";
}

const GAVE_WAY: RunEnd = { retryAfterMs: 0, code: undefined, park: false };
