import type { Instant, Milliseconds } from "../domain/instant.ts";
import type { ProblemCode } from "../domain/problem-catalogue.ts";
import { phaseOf, type SyncPhase } from "./cursor.ts";
import type { Sync } from "./ports.ts";

/** How a sync stands, as it is told to its client and to operators. */
export interface SyncView {
  readonly sync: Sync;
  readonly phase: SyncPhase;
  /** Why it does not go on: what somebody must do, or what passes. */
  readonly waitsFor: ProblemCode | undefined;
  /** Since iManage was last asked to the end what has changed; undefined: never. */
  readonly cursorAgeMs: Milliseconds | undefined;
  /** How far what has been told is behind; less than the cursor's age while a pass is under way. */
  readonly lagMs: Milliseconds | undefined;
  /** Deletions that are not told before an operator has decided. */
  readonly heldDeletions: number;
  /** Bytes of the store, as last measured. */
  readonly space: { readonly own: number; readonly organisation: number; readonly quota: number };
}

export function viewSync(sync: Sync, now: Instant, space: SyncView["space"]): SyncView {
  const { cursor, lastError } = sync;
  const { polledAt, feed, scan } = cursor;
  const eventAt = feed.kind === "taken" ? feed.eventAt : undefined;
  const since = (at: Instant | undefined) => (at === undefined ? undefined : Math.max(0, now - at));
  return {
    sync,
    phase: phaseOf(cursor),
    // Of one that is active: forgotten with the next page that is stored. A turn that comes later is no fault, and yet a reason.
    waitsFor: sync.parkedBecause ?? (sync.state === "active" ? lastError?.code : undefined),
    cursorAgeMs: since(polledAt),
    // iManage's clock dates the event: it may be ahead of ours, and then nothing is behind.
    lagMs: polledAt === undefined ? undefined : since(Math.max(polledAt, eventAt ?? 0)),
    heldDeletions: scan?.stage === "held" ? (scan.missing ?? 0) : 0,
    space,
  };
}
