import type { GrantId } from "../domain/id.ts";
import type { Instant } from "../domain/instant.ts";

/** How far a sync has read. Everything needed to go on after a kill; stored with each page. */
export interface SyncCursor {
  /** Number of the next page, over all passes: whoever commits another number is told that he is late. */
  readonly sequence: number;
  /** Number of the newest scan. Never given twice, not even after a reset: objects are marked with it. */
  readonly scans: number;
  readonly feed: FeedCursor;
  /** Start of the last pass in which what has changed was read to its end. */
  readonly polledAt?: Instant | undefined;
  /** Where there is no feed: documents edited since then are read. */
  readonly editedFrom?: Instant | undefined;
  /** A reading by edit date that is under way. */
  readonly window?: WindowCursor | undefined;
  /** A full scan that is under way. */
  readonly scan?: ScanCursor | undefined;
  /** The last full scan that came to its end; undefined: none yet, the baseline. */
  readonly lastScan?: LastScan | undefined;
  /** After a reset: whose eyes the last scan before it saw with. */
  readonly seenBy?: GrantId | undefined;
  /** A scan is due whatever the schedule says: what the feed would have told is lost. */
  readonly rescan?: true | undefined;
}

/** `unknown`: its end is being looked for, and nothing is told of what lies before. `missing`: this iManage has none, or none now. */
export type FeedCursor =
  | { readonly kind: "unknown"; readonly cursor?: string | undefined }
  | TakenFeed
  | {
      readonly kind: "missing";
      /** There was one: where it goes on, should it be there again. */
      readonly kept?: TakenFeed | undefined;
      /** Start of the pass in which it was last looked for. */
      readonly triedAt?: Instant | undefined;
    };

export interface TakenFeed {
  readonly kind: "taken";
  readonly cursor: string;
  /** When the newest event happened that was read. */
  readonly eventAt?: Instant | undefined;
  /** It was answered at least once. */
  readonly used?: true | undefined;
  /** So many events of the page behind the cursor are told already. */
  readonly told?: number | undefined;
}

export interface WindowCursor {
  /** iManage's cursor of the next page; undefined: its first. */
  readonly page?: string | undefined;
  readonly latestEditAt?: Instant | undefined;
}

export interface ScanCursor {
  readonly number: number;
  readonly startedAt: Instant;
  /**
   * `list`: page by page. `count`: iManage is asked how many there are. `judge`: once what has changed up to then is read,
   * is it complete? `held`: an operator decides. `sweep`: what was not met is told.
   */
  readonly stage: "list" | "count" | "judge" | "held" | "sweep";
  /** Of `list`: iManage's cursor of the next page. Of `sweep`: where the store's walk stands. */
  readonly page?: string | undefined;
  readonly latestEditAt?: Instant | undefined;
  /** Documents listed. */
  readonly rows: number;
  /** Objects that carry this scan's number: those that it met, and those that the feed told meanwhile. */
  readonly marked: number;
  /** Nothing may be concluded from what is missing: the first reason. */
  readonly flawed?: ScanFlaw | undefined;
  /** Whose eyes it sees with. */
  readonly grant?: GrantId | undefined;
  /** Chosen workspaces are listed, one after the other; undefined: the whole library is. */
  readonly within?: WorkspacesCursor | undefined;
  /**
   * How many iManage counted at its first page, and after its last. Of workspaces: of each the smaller and the greater of
   * the two, added up.
   */
  readonly total?: number | undefined;
  readonly counted?: number | undefined;
  /** Documents that were met and lie outside of the workspaces that are asked for. */
  readonly outside: number;
  /** Documents that came or went meanwhile, as far as the feed or the edit dates tell. */
  readonly explained: number;
  /** Of `held` and `sweep`: objects that were not met and have not been told yet. */
  readonly missing?: number | undefined;
  /** Of `sweep`: an operator said that they are gone. */
  readonly released?: true | undefined;
}

/** Where a scan of chosen workspaces stands. */
export interface WorkspacesCursor {
  /** Which of them is being listed, in the order of the wish, which never changes. */
  readonly at: number;
  /** Of that one: documents listed so far, and how many iManage counted at its first page. */
  readonly rows: number;
  readonly total?: number | undefined;
  /** So many were listed to their ends, and of so many iManage knows nothing. */
  readonly served: number;
  readonly absent: number;
  /** By how many documents what was listed and what was counted differ, workspace by workspace: no surplus makes up for a lack. */
  readonly gap: number;
}

/** An operator has to decide on deletions; what has changed is told meanwhile. */
export const isHeld = ({ scan }: Pick<SyncCursor, "scan">): boolean => scan?.stage === "held";

/** Why a scan proves nothing. */
export type ScanFlaw =
  | "workspace_refused"
  | "unreadable_rows"
  | "another_owner"
  | "no_count"
  | "count_differs"
  | "discarded";

export interface LastScan {
  readonly startedAt: Instant;
  readonly completedAt: Instant;
  readonly documents: number;
  /** Deletions could be concluded from it. */
  readonly proven: boolean;
  /** Whose eyes the last scan that was proven saw with, or the first of all. */
  readonly grant?: GrantId | undefined;
  readonly flaw?: ScanFlaw | undefined;
}

/** Where a sync begins, and begins again after a reset. */
export const firstCursor = (sequence = 1, scans = 0): SyncCursor => ({
  sequence,
  scans,
  feed: { kind: "unknown" },
});

/** What a sync is doing, in one word. */
export type SyncPhase = "baseline" | "following" | "window" | "reconciling";

export function phaseOf(cursor: SyncCursor): SyncPhase {
  if (cursor.lastScan === undefined) return "baseline";
  if (cursor.scan !== undefined || cursor.rescan === true || cursor.feed.kind === "unknown")
    return "reconciling";
  return cursor.feed.kind === "missing" ? "window" : "following";
}
