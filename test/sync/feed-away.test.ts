import { expect, test } from "vitest";
import { afterFeedMissing, afterFeedRefused, withFeedBack } from "../../src/sync/advance.ts";
import { firstCursor, type SyncCursor } from "../../src/sync/cursor.ts";
import { type Moment, nextStep } from "../../src/sync/plan.ts";
import { following, vanish } from "./following.ts";
import { LIBRARY, NOTE, syncKit } from "./kit.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const FEED = `/work/api/v2/customers/5948/libraries/${LIBRARY}/change-events`;

const taken = { kind: "taken", cursor: "here", eventAt: 7, used: true, told: 100 } as const;
const cursor: SyncCursor = {
  ...firstCursor(9, 2),
  feed: taken,
  polledAt: 1_000,
  lastScan: { startedAt: 0, completedAt: 1, documents: 5, proven: true },
};
const at = (passStartedAt: number, documents = true): Moment => ({
  ...{ now: passStartedAt, passStartedAt, scanEveryMs: DAY, documents },
});

test("a feed that is away keeps its cursor, is asked once at the beginning of each pass, and meanwhile documents are read by date", () => {
  const away = afterFeedMissing(cursor, at(2_000));
  expect(away).toMatchObject({ feed: { kind: "missing", kept: taken, triedAt: 2_000 }, rescan: true });
  expect(nextStep(away, at(2_000))).toMatchObject({ kind: "window" });
  expect(nextStep(away, at(3_000))).toEqual({ kind: "events", cursor: "here" });
  // Away once more: no scan because of it, the one that was due stays due.
  const scanned = { ...away, rescan: undefined };
  const still = afterFeedMissing(withFeedBack(scanned), at(3_000), scanned);
  expect(still).toMatchObject({ feed: { kind: "missing", kept: taken, triedAt: 3_000 } });
  expect(still.rescan).toBeUndefined();
  expect(withFeedBack(still).feed).toEqual(taken);
});

test("only a refusal of the cursor itself drops what was kept; where none was ever taken there is none to keep", () => {
  const away = afterFeedMissing(cursor, at(2_000));
  expect(afterFeedRefused(withFeedBack(away))).toMatchObject({ feed: { kind: "unknown" }, rescan: true });
  const never: SyncCursor = { ...cursor, feed: { kind: "missing" } };
  expect(withFeedBack(never)).toEqual(never);
  expect(nextStep(never, at(2_000))).toMatchObject({ kind: "window" });
});

const away = (kit: Awaited<ReturnType<typeof syncKit>>) =>
  kit.simulator.addFault({
    id: "away",
    on: { route: "api", path_starts_with: FEED },
    times: "always",
    do: { answer: { status: 404 } },
  });

test("what the feed alone tells, and happened while it was away, is told once it is back; documents did not wait for it", async () => {
  const kit = await syncKit();
  const { sync } = await kit.stories.create({
    ...{ caller: kit.caller, server: kit.server, library: LIBRARY, note: NOTE },
    wish: { wants: ["documents", "people"], existing: "skip" },
  });
  const pass = async () => {
    const known = (await kit.all(sync.id)).length;
    kit.advance(5 * MINUTE);
    expect(await kit.runs.run(sync.id)).toMatchObject({ kind: "complete" });
    return (await kit.all(sync.id)).slice(known).map(({ kind, object }) => `${kind} ${object}`);
  };
  while ((await kit.runs.run(sync.id)).kind !== "complete");
  away(kit);
  kit.simulator.edit(LIBRARY, { kind: "group", id: "TEAM", change: { full_name: "The team" } });
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1001.1", { name: "Edited" });
  expect(await pass()).toEqual(["document.changed ACTIVE!1001.1"]);
  const scans = (await kit.syncs.findSync(sync.id))!.cursor.scans;
  expect(await pass()).toEqual([]);
  expect(await pass()).toEqual([]);
  // It is scanned once for a feed that goes away, and not with each look for it.
  expect((await kit.syncs.findSync(sync.id))!.cursor.scans).toBe(scans);
  kit.simulator.clearFaults("away");
  expect(await pass()).toEqual(["group.changed TEAM"]);
  expect((await kit.syncs.findSync(sync.id))!.cursor.feed.kind).toBe("taken");
});

test("a feed that is back and has forgotten its cursor begins anew, and a scan makes up for it", async () => {
  const kit = await following();
  away(kit);
  expect(await kit.pass()).toEqual([]);
  kit.simulator.clearFaults("away");
  kit.simulator.addFault({
    on: { route: "api", path_starts_with: FEED },
    times: 1,
    do: { answer: { status: 410 } },
  });
  vanish(kit, ["ACTIVE!1002.1"]);
  expect(await kit.pass()).toEqual(["document.deleted ACTIVE!1002.1"]);
  expect((await kit.state()).cursor.feed.kind).toBe("taken");
});
