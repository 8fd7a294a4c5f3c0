import { type Instant, type Milliseconds, minutes, seconds } from "../domain/instant.ts";
import type { Problem } from "../domain/problem.ts";
import type { RunEnd, SyncCursor } from "./ports.ts";

/** Lengths of this room; each may be shortened for a demo. */
export const syncTiming = {
  /** Default and least interval between two passes. */
  intervalMs: minutes(5),
  minIntervalMs: seconds(30),
  /** A pass begins this much before the last edit that the pass before could have seen: clocks and caches differ. */
  overlapMs: minutes(2),
  /** A parked sync asks for a token again, which costs no call at iManage. */
  parkedRetryMs: seconds(30),
  /** Without a page for so long a run is given up for dead. A page that takes longer is protected by its job. */
  quietMs: seconds(30),
  /** A run that took so long lets others go first. */
  sliceMs: seconds(30),
} as const satisfies Record<string, Milliseconds>;

/**
 * From where the pass after this one reads. iManage's own dates count, since its clock may be behind ours; ours counts
 * where a document is dated in the future. It never goes back: what was read up to here stays read.
 * @param latestEditAt the latest edit date in the whole pass; undefined: no document was shown.
 */
export function nextEditedFrom(
  cursor: Pick<SyncCursor, "editedFrom">,
  startedAt: Instant,
  latestEditAt: Instant | undefined,
  overlapMs: Milliseconds,
): Instant | undefined {
  if (latestEditAt === undefined) return cursor.editedFrom;
  return Math.max(Math.min(startedAt, latestEditAt) - overlapMs, cursor.editedFrom ?? 0);
}

export const latest = (...instants: readonly (Instant | undefined)[]): Instant | undefined => {
  const known = instants.filter((at) => at !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
};

/**
 * How a run ends that could not go on. What time heals is tried again; whatever someone must do parks the sync, which
 * asks again all the same and goes on by itself once it was done.
 * @param failures how many went before since the last page that was stored.
 */
export function endAfter(problem: Problem, failures: number, parkedRetryMs: Milliseconds): RunEnd {
  const { code, details } = problem;
  // No failure but a turn that comes later: at the moment it was told, and not a doubled time after it.
  if (code === "imanage_rate_limited") {
    return { code, park: false, retryAfterMs: details.retryAfterMs ?? 0, restartPass: false };
  }
  // A new token that is refused like the old one is not a matter of waiting (issue: server and token disagree).
  const park = problem.remedy !== "time" || code === "token_rejected_again";
  const patience = Math.min(seconds(2) * 2 ** Math.min(failures, 10), minutes(5));
  const wanted = details.retryAfterMs ?? 0;
  return {
    code,
    park,
    retryAfterMs: park ? parkedRetryMs : Math.min(Math.max(wanted, patience), minutes(60)),
    restartPass: false,
  };
}
