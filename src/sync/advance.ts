import type { GrantId } from "../domain/id.ts";
import type { Instant, Milliseconds } from "../domain/instant.ts";
import type { ScanCursor, ScanFlaw, SyncCursor } from "./cursor.ts";
import type { DocumentPage, EventPage } from "./library-source.ts";
import { latest, type Moment, newScan, nextEditedFrom } from "./plan.ts";

/** How a cursor goes on from what iManage answered. Pure; `sequence` is counted by who stores. */

/** What a page did to what is remembered. */
export interface Remembering {
  /** Objects that carry the number of the scan under way, more or less than before. */
  readonly marked: number;
  /** Objects that came or went. */
  readonly cameOrWent: number;
  /** Documents that lie outside of the workspaces that are asked for. */
  readonly outside: number;
}

/** @param page undefined: this iManage has no feed. */
export function afterTake(cursor: SyncCursor, page: EventPage | undefined, at: Moment): SyncCursor {
  if (page?.overflow) return { ...cursor, feed: { kind: "unknown", cursor: page.cursor } };
  // What is not scanned begins here.
  const nothingToScan =
    at.documents || cursor.lastScan !== undefined
      ? {}
      : { lastScan: { startedAt: at.now, completedAt: at.now, documents: 0, proven: false } };
  if (page === undefined) return { ...cursor, feed: { kind: "missing" }, ...nothingToScan };
  return {
    ...cursor,
    feed: { kind: "taken", cursor: page.cursor },
    polledAt: at.passStartedAt,
    ...nothingToScan,
    // Whatever happened before this cursor and was not told is found by a scan.
    ...(cursor.lastScan === undefined ? {} : { rescan: true }),
  };
}

/**
 * @param page the events that were told of what the feed answered.
 * @param told how many of them are told by now; undefined: all.
 */
export function afterEvents(
  cursor: SyncCursor,
  page: EventPage,
  told: number | undefined,
  { marked, cameOrWent }: Remembering,
  at: Moment,
): SyncCursor {
  const { feed, scan } = cursor;
  const eventAt = latest(feed.kind === "taken" ? feed.eventAt : undefined, ...page.events.map((it) => it.at));
  return {
    ...cursor,
    // Of a window that was begun while it was away nothing is left to read.
    window: undefined,
    feed:
      told === undefined || feed.kind !== "taken"
        ? { kind: "taken", cursor: page.cursor, eventAt, used: true }
        : { ...feed, eventAt, used: true, told },
    polledAt: page.overflow || told !== undefined ? cursor.polledAt : at.passStartedAt,
    scan: scan && {
      ...scan,
      marked: scan.marked + marked,
      explained: scan.explained + cameOrWent,
    },
  };
}

/**
 * There is no feed, or none now. Its cursor is kept: what nothing else tells is told once it is back.
 * @param before what was known when it was asked: whether it was away already, and a scan made up for it.
 */
export function afterFeedMissing(
  { feed, ...cursor }: SyncCursor,
  { passStartedAt }: Moment,
  before: Pick<SyncCursor, "feed"> = { feed },
): SyncCursor {
  return {
    ...cursor,
    feed: { kind: "missing", ...(feed.kind === "taken" ? { kept: feed, triedAt: passStartedAt } : {}) },
    ...(before.feed.kind === "missing" ? {} : { rescan: true }),
  };
}

/** As if it had never been away. */
export const withFeedBack = (cursor: SyncCursor): SyncCursor =>
  cursor.feed.kind === "missing" && cursor.feed.kept !== undefined
    ? { ...cursor, feed: cursor.feed.kept }
    : cursor;

/**
 * iManage takes the feed's cursor no more. First a fresh one, then a scan, and a scan under way begins anew: what it has
 * read lies before the fresh cursor. A feed that refuses its own fresh cursor is as good as none.
 */
export function afterFeedRefused(cursor: SyncCursor): SyncCursor {
  const usable = cursor.feed.kind === "taken" && cursor.feed.used === true;
  return {
    ...cursor,
    feed: usable ? { kind: "unknown" } : { kind: "missing" },
    rescan: true,
    scan: undefined,
    scans: cursor.scan === undefined ? cursor.scans : Math.max(cursor.scans, cursor.scan.number),
  };
}

export function afterWindow(
  cursor: SyncCursor,
  page: DocumentPage,
  { marked, cameOrWent }: Remembering,
  at: Moment,
  overlapMs: Milliseconds,
): SyncCursor {
  const { scan, window } = cursor;
  const latestEditAt = latest(window?.latestEditAt, ...page.documents.map(({ editedAt }) => editedAt));
  const marking = scan && {
    ...scan,
    marked: scan.marked + marked,
    explained: scan.explained + cameOrWent,
  };
  if (page.next !== undefined) {
    return { ...cursor, scan: marking, window: { page: page.next, latestEditAt } };
  }
  return {
    ...cursor,
    scan: marking,
    window: undefined,
    polledAt: at.passStartedAt,
    editedFrom: nextEditedFrom(cursor, at.passStartedAt, latestEditAt, overlapMs),
  };
}

/**
 * @param scan the one that listed this page.
 * @param workspaces how many the sync is about.
 */
export function afterList(
  cursor: SyncCursor,
  scan: ScanCursor,
  page: DocumentPage,
  { marked, outside }: Pick<Remembering, "marked" | "outside">,
  grant: GrantId,
  workspaces = 0,
): SyncCursor {
  const flaw: ScanFlaw | undefined =
    page.unreadable > 0
      ? "unreadable_rows"
      : scan.grant !== undefined && scan.grant !== grant
        ? "another_owner"
        : undefined;
  const rows = page.documents.length + page.unreadable;
  const { within } = scan;
  const listed: ScanCursor = {
    ...scan,
    stage: page.next === undefined ? "count" : "list",
    page: page.next,
    latestEditAt: latest(scan.latestEditAt, ...page.documents.map(({ editedAt }) => editedAt)),
    rows: scan.rows + rows,
    marked: scan.marked + marked,
    outside: scan.outside + outside,
    flawed: scan.flawed ?? flaw,
    grant: scan.grant ?? grant,
    ...(within === undefined
      ? { total: scan.total ?? page.total }
      : { within: { ...within, rows: within.rows + rows, total: within.total ?? page.total } }),
  };
  const begun = begunWith(cursor, scan);
  // One answer that holds all there is counts itself.
  if (within !== undefined && scan.page === undefined && page.next === undefined) {
    return afterWorkspace(begun, listed, { total: page.total, grant }, workspaces);
  }
  return { ...begun, scan: listed };
}

const begunWith = (cursor: SyncCursor, { number, page, within }: ScanCursor): SyncCursor => ({
  ...cursor,
  scans: Math.max(cursor.scans, number),
  // What the feed lost while a scan was under way, that one may have gone past.
  rescan: page === undefined && (within?.at ?? 0) === 0 ? undefined : cursor.rescan,
});

/** A workspace was listed to its end and counted again: on with the next. */
function afterWorkspace(
  cursor: SyncCursor,
  scan: ScanCursor,
  counted: Counted,
  workspaces: number,
): SyncCursor {
  const { rows = 0, total, ...within } = scan.within!;
  const [fewest, most] = [total, counted.total].map((it) => it ?? 0).toSorted((a, b) => a - b) as [
    number,
    number,
  ];
  return nextWorkspace(
    cursor,
    {
      ...scan,
      flawed: scan.flawed ?? flawOfCount(scan, total, counted),
      total: (scan.total ?? 0) + fewest,
      counted: (scan.counted ?? 0) + most,
      within: {
        ...within,
        rows,
        served: within.served + 1,
        gap: within.gap + Math.max(0, fewest - rows, rows - most),
      },
    },
    workspaces,
  );
}

function nextWorkspace(cursor: SyncCursor, scan: ScanCursor, workspaces: number): SyncCursor {
  const { total: _, ...within } = scan.within!;
  if (within.at + 1 < workspaces) {
    const next = { ...within, at: within.at + 1, rows: 0 };
    return { ...cursor, scan: { ...scan, stage: "list", page: undefined, within: next } };
  }
  // Not one could be listed: this iManage may have no such lists, and then nothing was asked at all.
  if (within.served === 0 && within.absent > 0) return asWholeLibrary(cursor, scan);
  return toJudge(cursor, { ...scan, page: undefined, within });
}

const asWholeLibrary = (cursor: SyncCursor, scan: ScanCursor): SyncCursor => ({
  ...cursor,
  scan: {
    ...scan,
    stage: "list",
    page: undefined,
    within: undefined,
    rows: 0,
    total: undefined,
    counted: undefined,
  },
});

/** Nothing may be concluded before what has changed up to now is read. */
const toJudge = (cursor: SyncCursor, scan: ScanCursor): SyncCursor => ({
  ...cursor,
  polledAt: cursor.feed.kind === "taken" ? undefined : cursor.polledAt,
  scan: { ...scan, stage: "judge" },
});

/**
 * A workspace could not be listed. `absent`: iManage knows of no such workspace. `unlisted`: it shows the workspace, and not what is in it.
 * `hidden`: it shows neither. Where others could be listed, an absent one is gone; what was in it is asked for by itself before it is told.
 */
export function afterWorkspaceRefused(
  cursor: SyncCursor,
  scan: ScanCursor,
  why: "absent" | "unlisted" | "hidden",
  workspaces: number,
): SyncCursor {
  const { within } = scan;
  if (within === undefined) return cursor;
  const begun = begunWith(cursor, scan);
  if (why === "unlisted" && within.served === 0) return asWholeLibrary(begun, scan);
  const refused: ScanCursor =
    why === "absent"
      ? { ...scan, within: { ...within, absent: within.absent + 1 } }
      : { ...scan, flawed: scan.flawed ?? "workspace_refused" };
  return nextWorkspace(begun, refused, workspaces);
}

/** When it is held that so many have gone: both must be exceeded. */
export interface Brake {
  readonly objects: number;
  readonly share: number;
}

interface Counted {
  readonly total: number | undefined;
  readonly grant: GrantId;
}

/** The scan has listed its last page, or a workspace's last, and iManage has counted again. */
export function afterCount(
  cursor: SyncCursor,
  scan: ScanCursor,
  counted: Counted,
  workspaces = 0,
): SyncCursor {
  if (scan.within !== undefined) return afterWorkspace(cursor, scan, counted, workspaces);
  const flaw = flawOfCount(scan, scan.total, counted);
  return toJudge(cursor, { ...scan, counted: counted.total, flawed: scan.flawed ?? flaw });
}

const flawOfCount = (
  { grant }: ScanCursor,
  total: number | undefined,
  counted: Counted,
): ScanFlaw | undefined =>
  grant !== counted.grant
    ? "another_owner"
    : counted.total === undefined || total === undefined
      ? "no_count"
      : undefined;

/**
 * Only where all was read, by one admin, and iManage counted as many, within what came and went meanwhile, is gone what was
 * not met.
 * @param objects that are remembered.
 */
export function afterJudge(
  cursor: SyncCursor,
  scan: ScanCursor,
  objects: number,
  brake: Brake,
  at: Moment & { readonly overlapMs: Milliseconds },
): SyncCursor {
  const flawed = scan.flawed ?? (agrees(scan) ? undefined : "count_differs");
  const missing = objects - scan.marked;
  if (flawed !== undefined || missing <= 0) return finished(cursor, { ...scan, flawed }, at);
  const seenBy = cursor.lastScan?.grant ?? cursor.seenBy;
  const braked =
    (missing > brake.objects && missing > objects * brake.share) ||
    // Another admin may see less than the one before: what he does not see need not be gone.
    (seenBy !== undefined && seenBy !== scan.grant);
  return { ...cursor, scan: { ...scan, stage: braked ? "held" : "sweep", page: undefined, missing } };
}

/** Between the two counts it may have been as many as either; more or less where something came and went. */
function agrees({ total, counted, marked, outside, explained, within }: ScanCursor): boolean {
  if (total === undefined || counted === undefined || (within?.gap ?? 0) > explained) return false;
  const met = marked + outside;
  return met >= Math.min(total, counted) - explained && met <= Math.max(total, counted) + explained;
}

/** @param next undefined: the walk is over. */
export function afterSweep(
  cursor: SyncCursor,
  scan: ScanCursor,
  told: number,
  next: string | undefined,
  at: Moment & { readonly overlapMs: Milliseconds },
): SyncCursor {
  const missing = (scan.missing ?? 0) - told;
  // The walk of a store that was started again meanwhile may have left some out: they are looked for once more.
  if (next === undefined && missing > 0 && told > 0) {
    return { ...cursor, scan: { ...scan, page: undefined, missing } };
  }
  if (next === undefined || missing <= 0) return finished(cursor, scan, at);
  return { ...cursor, scan: { ...scan, page: next, missing } };
}

/** An operator says that what is missing is gone. */
export const afterRelease = (cursor: SyncCursor, scan: ScanCursor): SyncCursor => ({
  ...cursor,
  scan: { ...scan, stage: "sweep", page: undefined, released: true },
  // What came back meanwhile is told first.
  polledAt: undefined,
});

/** An operator says that it is not: nothing is told, and the next scan looks again. */
export const afterDiscard = (
  cursor: SyncCursor,
  scan: ScanCursor,
  at: Moment & { readonly overlapMs: Milliseconds },
): SyncCursor => finished(cursor, { ...scan, flawed: "discarded" }, at);

function finished(
  cursor: SyncCursor,
  scan: ScanCursor,
  at: Moment & { readonly overlapMs: Milliseconds },
): SyncCursor {
  const { feed, lastScan, seenBy } = cursor;
  const withoutFeed = feed.kind === "missing";
  return {
    ...cursor,
    scan: undefined,
    lastScan: {
      startedAt: scan.startedAt,
      completedAt: at.now,
      documents: scan.rows,
      proven: scan.flawed === undefined,
      ...(scan.flawed === undefined ? {} : { flaw: scan.flawed }),
      grant: scan.flawed === undefined ? scan.grant : (lastScan?.grant ?? seenBy ?? scan.grant),
    },
    seenBy: undefined,
    editedFrom: nextEditedFrom(cursor, scan.startedAt, scan.latestEditAt, at.overlapMs),
    ...(withoutFeed && lastScan === undefined ? { polledAt: at.passStartedAt } : {}),
    // Servers get newer: is there a feed by now? One whose cursor is kept is looked for with each pass.
    ...(withoutFeed && feed.kept === undefined && lastScan !== undefined
      ? { feed: { kind: "unknown" } }
      : {}),
  };
}

/**
 * A page cursor that iManage takes no more: from the first page on, a scan under a number of its own. A window that is under way
 * comes before a scan's next page, so it is the window's.
 */
export function afterPageRefused(cursor: SyncCursor, startedAt: Instant): SyncCursor {
  const { scan, window } = cursor;
  if (window?.page !== undefined || scan?.page === undefined) return { ...cursor, window: undefined };
  const again = newScan({ scans: scan.number }, startedAt, scan.within === undefined ? 0 : 1);
  // Given away already: what has changed may be marked with it before the first page comes.
  return { ...cursor, scans: again.number, scan: again };
}
