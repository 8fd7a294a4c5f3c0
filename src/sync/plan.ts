import { hours, type Instant, type Milliseconds, minutes, seconds } from "../domain/instant.ts";
import type { Problem } from "../domain/problem.ts";
import type { ScanCursor, SyncCursor } from "./cursor.ts";
import type { RunEnd } from "./ports.ts";

/** Lengths of this room; each may be shortened for a demo. */
export const syncTiming = {
  /** Default and least interval between two passes. */
  intervalMs: minutes(5),
  minIntervalMs: seconds(30),
  /** A pass by edit date begins this much before the last edit that the pass before could have seen: clocks and caches differ. */
  overlapMs: minutes(2),
  /** From the start of one full scan to the next, spread over a tenth so that not all scan at once. */
  scanEveryMs: hours(24),
  /** A parked sync asks for a token again, which costs no call at iManage. */
  parkedRetryMs: seconds(30),
  /** Without a page for so long a run is given up for dead. A page that takes longer is protected by its job. */
  quietMs: seconds(30),
  /** A run that took so long lets others go first. */
  sliceMs: seconds(30),
} as const satisfies Record<string, Milliseconds>;

/** One call of iManage, or one walk through what is remembered; each ends in one page that is stored. */
export type Step =
  /** Where the feed ends now. */
  | { readonly kind: "take"; readonly cursor: string | undefined }
  | { readonly kind: "events"; readonly cursor: string }
  | { readonly kind: "window"; readonly page: string | undefined }
  | { readonly kind: "list" | "count" | "judge" | "sweep"; readonly scan: ScanCursor }
  /** An operator has to decide first. */
  | { readonly kind: "held"; readonly scan: ScanCursor };

/** What beside the cursor decides what comes next. */
export interface Moment {
  readonly now: Instant;
  readonly passStartedAt: Instant;
  /** From one full scan to the next, of this sync. */
  readonly scanEveryMs: Milliseconds;
  /** Without documents nothing is scanned. */
  readonly documents: boolean;
  /** So many workspaces the sync is about; 0 or undefined: all of the library. */
  readonly workspaces?: number;
}

/**
 * What comes next; undefined: the pass is complete. What has changed comes before the scan goes on: a scan of a million
 * documents keeps nobody waiting, and the feed's cursor stays young.
 */
export function nextStep(cursor: SyncCursor, at: Moment): Step | undefined {
  const { feed, scan } = cursor;
  if (feed.kind === "unknown") return { kind: "take", cursor: feed.cursor };
  if (feed.kind === "missing" && feed.kept !== undefined && feed.triedAt !== at.passStartedAt) {
    return { kind: "events", cursor: feed.kept.cursor };
  }
  // Whoever has nothing else is never done without it.
  if (feed.kind === "missing" && !at.documents) return { kind: "take", cursor: undefined };
  if (cursor.polledAt !== at.passStartedAt) {
    if (feed.kind === "taken") return { kind: "events", cursor: feed.cursor };
    // Without a feed the first scan reads all there is.
    if (cursor.lastScan !== undefined && at.documents) {
      return { kind: "window", page: cursor.window?.page };
    }
  }
  // What is held waits; what has changed meanwhile is told all the same.
  if (scan !== undefined) return { kind: scan.stage, scan };
  return at.documents && isScanDue(cursor, at)
    ? { kind: "list", scan: newScan(cursor, at.now, at.workspaces) }
    : undefined;
}

const isScanDue = ({ lastScan, rescan }: SyncCursor, { now, scanEveryMs }: Moment): boolean =>
  lastScan === undefined || rescan === true || now >= lastScan.startedAt + scanEveryMs;

/** @param workspaces that are listed one after the other; 0: the whole library is listed. */
export const newScan = (
  { scans }: Pick<SyncCursor, "scans">,
  startedAt: Instant,
  workspaces = 0,
): ScanCursor => ({
  ...(workspaces === 0 ? {} : { within: { at: 0, rows: 0, served: 0, absent: 0, gap: 0 } }),
  number: scans + 1,
  startedAt,
  stage: "list",
  rows: 0,
  marked: 0,
  outside: 0,
  explained: 0,
});

/** Syncs that were made at the same moment do not scan at the same moment: a share of a tenth that their id decides. */
export function jittered(everyMs: Milliseconds, id: string): Milliseconds {
  let hash = 0;
  for (const char of id) hash = (hash * 31 + char.charCodeAt(0)) % 1_000;
  return everyMs - Math.floor((everyMs / 10) * (hash / 1_000));
}

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
  let found: Instant | undefined;
  for (const at of instants) if (at !== undefined && (found === undefined || at > found)) found = at;
  return found;
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
    return { code, park: false, retryAfterMs: details.retryAfterMs ?? 0 };
  }
  // A new token that is refused like the old one is not a matter of waiting (issue: server and token disagree).
  const park = problem.remedy !== "time" || code === "token_rejected_again";
  const patience = Math.min(seconds(2) * 2 ** Math.min(failures, 10), minutes(5));
  const wanted = details.retryAfterMs ?? 0;
  return {
    code,
    park,
    retryAfterMs: park ? parkedRetryMs : Math.min(Math.max(wanted, patience), minutes(60)),
  };
}
