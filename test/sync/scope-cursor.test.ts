import fc from "fast-check";
import { expect, test } from "vitest";
import { makeId, makeRoute } from "../../src/domain/id.ts";
import {
  afterCount,
  afterJudge,
  afterList,
  afterPageRefused,
  afterWorkspaceRefused,
} from "../../src/sync/advance.ts";
import type { ScanCursor, SyncCursor } from "../../src/sync/cursor.ts";
import type { DocumentPage, LibraryDocument } from "../../src/sync/library-source.ts";
import { type Moment, newScan, nextStep } from "../../src/sync/plan.ts";

const grant = makeId("grt", makeRoute(new Uint8Array(10)), 0, new Uint8Array(16));
const BRAKE = { objects: 20, share: 0.1 };
const momentOf = (workspaces: number): Moment & { overlapMs: number } => ({
  ...{ now: 1_000, passStartedAt: 1_000, scanEveryMs: 10_000, overlapMs: 0 },
  ...{ documents: true, workspaces },
});
const ready = (scan?: ScanCursor): SyncCursor => ({
  ...{ sequence: 1, scans: 3, polledAt: 1_000, scan },
  feed: { kind: "taken", cursor: "f" },
});
const pageOf = (rows: number, next: string | undefined, total: number | undefined): DocumentPage => ({
  documents: Array.from({ length: rows }, () => ({}) as LibraryDocument),
  ...{ next, total, unreadable: 0 },
});

/** What iManage lists of a workspace, page by page, and what it counts before and after. */
interface Shown {
  readonly pages: readonly number[];
  readonly before: number;
  readonly after: number;
}

/** Each step as `nextStep` asks for it; the cursor is written and read between all of them, as a kill would have it. */
function scanOf(workspaces: readonly (Shown | "absent" | "unlisted" | "hidden")[]) {
  const at = momentOf(workspaces.length);
  let cursor = ready();
  const asked: string[] = [];
  for (let n = 0; n < 1_000; n++) {
    cursor = JSON.parse(JSON.stringify({ ...cursor, polledAt: at.passStartedAt })) as SyncCursor;
    const step = nextStep(cursor, at);
    if (step?.kind !== "list" && step?.kind !== "count") return { cursor, asked, step };
    const { scan } = step;
    if (scan.within === undefined) return { cursor, asked, step };
    const shown = workspaces[scan.within.at]!;
    const page = Number(scan.page ?? 0);
    asked.push(`${step.kind} ${scan.within.at} ${page}`);
    if (typeof shown === "string") {
      cursor = afterWorkspaceRefused(cursor, scan, shown, workspaces.length);
    } else if (step.kind === "count") {
      cursor = afterCount(cursor, scan, { total: shown.after, grant }, workspaces.length);
    } else {
      const rows = shown.pages[page] ?? 0;
      const next = page + 1 < shown.pages.length ? String(page + 1) : undefined;
      const answer = pageOf(rows, next, page === 0 ? shown.before : undefined);
      cursor = afterList(cursor, scan, answer, { marked: rows, outside: 0 }, grant, workspaces.length);
    }
  }
  throw new Error("never ends");
}

const sum = (of: readonly number[]) => of.reduce((a, b) => a + b, 0);
const workspace = fc
  .array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 4 })
  .map((pages): Shown => ({ pages, before: sum(pages), after: sum(pages) }));

test("every workspace is listed once, page by page in their order, counted, and then the scan is proven", () => {
  fc.assert(
    fc.property(fc.array(workspace, { minLength: 1, maxLength: 6 }), (all) => {
      const { cursor, asked, step } = scanOf(all);
      expect(step).toMatchObject({ kind: "judge" });
      expect(asked).toEqual(
        all.flatMap(({ pages }, at) => [
          ...pages.map((_, page) => `list ${at} ${page}`),
          ...(pages.length > 1 ? [`count ${at} 0`] : []),
        ]),
      );
      const rows = sum(all.flatMap(({ pages }) => pages));
      expect(cursor.scan).toMatchObject({ rows, marked: rows, total: rows, counted: rows });
      const judged = afterJudge(cursor, cursor.scan!, rows, BRAKE, momentOf(all.length));
      expect(judged.lastScan).toMatchObject({ proven: true, documents: rows });
    }),
  );
});

test("what one workspace has too many never makes up for what another lacks", () => {
  fc.assert(
    fc.property(
      fc.array(workspace, { minLength: 2, maxLength: 6 }),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(),
      fc.integer({ min: 0, max: 12 }),
      (all, by, which, explained) => {
        const lacking = which % all.length;
        const over = (which + 1) % all.length;
        const counted = all.map((one, at) => {
          const off = at === lacking ? by : at === over ? -Math.min(by, one.before) : 0;
          return { ...one, before: one.before + off, after: one.after + off };
        });
        const gap = by + Math.min(by, all[over]!.before);
        const { cursor } = scanOf(counted);
        const scan = { ...cursor.scan!, explained };
        // More objects than were met: a deletion would be told.
        const judged = afterJudge(cursor, scan, scan.marked + 1, BRAKE, momentOf(all.length));
        expect(judged.scan?.stage === "sweep").toBe(explained >= gap);
        if (explained < gap) expect(judged.lastScan).toMatchObject({ proven: false, flaw: "count_differs" });
      },
    ),
  );
});

test("one that is refused flaws the scan; absent ones do not where others are listed; where none is, the whole library is listed", () => {
  const one: Shown = { pages: [3], before: 3, after: 3 };
  expect(scanOf(["absent", one]).cursor.scan).toMatchObject({ stage: "judge", rows: 3 });
  expect(scanOf(["absent", one]).cursor.scan?.flawed).toBeUndefined();
  for (const why of ["hidden", "unlisted"] as const) {
    expect(scanOf([one, why]).cursor.scan).toMatchObject({ stage: "judge", flawed: "workspace_refused" });
  }
  expect(scanOf(["hidden", one]).cursor.scan).toMatchObject({ flawed: "workspace_refused" });
  for (const none of [["absent", "absent"], ["unlisted", one], ["unlisted"]] as const) {
    const { step } = scanOf(none);
    expect(step).toMatchObject({ kind: "list", scan: { rows: 0, number: 4 } });
    expect(step?.kind === "list" && step.scan.within).toBeUndefined();
  }
});

test("a scan that was stored before workspaces were listed goes on through the whole library, also after its page is refused", () => {
  const stored: ScanCursor = {
    ...{ number: 3, startedAt: 1, stage: "list", page: "p7", rows: 60, marked: 4, outside: 56, explained: 0 },
    ...{ total: 61, grant },
  };
  const step = nextStep(ready(stored), momentOf(2));
  expect(step).toEqual({ kind: "list", scan: stored });
  const next = afterList(
    ready(stored),
    stored,
    pageOf(1, undefined, undefined),
    { marked: 1, outside: 0 },
    grant,
    2,
  );
  expect(next.scan).toMatchObject({ stage: "count", rows: 61, total: 61 });
  expect(afterPageRefused(ready(stored), 5).scan?.within).toBeUndefined();
  // One of workspaces begins with the first again.
  const within = {
    ...newScan({ scans: 2 }, 1, 2),
    page: "p",
    within: { ...newScan({ scans: 2 }, 1, 2).within!, at: 1 },
  };
  expect(afterPageRefused(ready(within), 5).scan).toMatchObject({ number: 4, within: { at: 0, served: 0 } });
});
