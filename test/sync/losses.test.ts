import { expect, test } from "vitest";
import { makeId } from "../../src/domain/id.ts";
import { Problem } from "../../src/domain/problem.ts";
import { systemRandom } from "../../src/security/random.ts";
import { afterPageRefused } from "../../src/sync/advance.ts";
import { firstCursor } from "../../src/sync/cursor.ts";
import { releaseDeletions } from "../../src/sync/held-deletions.ts";
import type { DocumentSource } from "../../src/sync/library-source.ts";
import { newScan } from "../../src/sync/plan.ts";
import { SyncRuns } from "../../src/sync/run-sync.ts";
import { following, vanish } from "./following.ts";
import { DOCUMENTS, LIBRARY, NOTE, syncKit } from "./kit.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const FEED = `/work/api/v2/customers/5948/libraries/${LIBRARY}/change-events`;

type Kit = Awaited<ReturnType<typeof syncKit>>;

/** Runs whose lists leave these documents out, and count them out. */
function blindTo(kit: Kit, ids: readonly string[], options: ConstructorParameters<typeof SyncRuns>[1] = {}) {
  const all = kit.ports.documents;
  const listDocuments: DocumentSource["listDocuments"] = async (...of) => {
    const answer = await all.listDocuments(...of);
    if (answer.kind !== "ok") return answer;
    const { value } = answer;
    const total = value.total && value.total - ids.length;
    return {
      ...answer,
      value: { ...value, total, documents: value.documents.filter(({ id }) => !ids.includes(id)) },
    };
  };
  const documents: DocumentSource = {
    listDocuments,
    readDocument: (...of) => all.readDocument(...of),
    findDocuments: (...of) => all.findDocuments(...of),
    hasWorkspace: (...of) => all.hasWorkspace(...of),
    readEvents: (...of) => all.readEvents(...of),
  };
  return new SyncRuns({ ...kit.ports, documents }, { pageSize: 10, ...options });
}

const told = async (kit: Kit, sync: Parameters<Kit["all"]>[0], from = DOCUMENTS) =>
  (await kit.all(sync)).slice(from).map(({ kind, object }) => `${kind} ${object}`);

test("what a scan did not meet is asked for by itself before it is told as deleted: what iManage still shows is not", async () => {
  const kit = await following();
  vanish(kit, ["ACTIVE!1002.1"]);
  kit.simulator.addFault({
    on: { route: "api", path_starts_with: `${FEED.replace("change-events", "documents")}/ACTIVE!1004.1` },
    times: "always",
    do: { answer: { status: 403 } },
  });
  kit.advance(DAY);
  await blindTo(kit, ["ACTIVE!1003.1", "ACTIVE!1004.1"]).run(kit.sync);
  expect(await told(kit, kit.sync)).toEqual(["document.deleted ACTIVE!1002.1"]);
  expect(await kit.state()).toMatchObject({ state: "active", counts: { objects: DOCUMENTS - 1 } });
  // Nothing waits for anything.
  expect(await kit.pass(DAY)).toEqual([]);
});

test("held deletions that are released after the documents have come back are not told", async () => {
  const brake = { objects: 3, share: 0.1 };
  const kit = await following({ brake });
  const gone = ["ACTIVE!1002.1", "ACTIVE!1004.1", "ACTIVE!1006.1", "ACTIVE!1008.1"];
  kit.advance(DAY);
  expect(await blindTo(kit, gone, { brake }).run(kit.sync)).toMatchObject({ kind: "parked" });
  vanish(kit, ["ACTIVE!1002.1"]);
  await releaseDeletions(kit.ports, kit.sync, NOTE);
  expect(await kit.pass(0)).toEqual(["document.deleted ACTIVE!1002.1"]);
  expect((await kit.state()).cursor.lastScan).toMatchObject({ proven: true });
});

test("what another admin does not see than the one who lent before is held, be it one document", async () => {
  const kit = await following();
  vanish(kit, ["ACTIVE!1002.1"]);
  kit.lender.grant = makeId("grt", kit.route, Date.now(), systemRandom.bytes(16));
  kit.tokens.renew();
  expect(await kit.pass(DAY)).toEqual(["parked deletions_held"]);
  await releaseDeletions(kit.ports, kit.sync, NOTE);
  expect(await kit.pass(0)).toEqual(["document.deleted ACTIVE!1002.1"]);
  // From then on he is the one.
  vanish(kit, ["ACTIVE!1004.1"]);
  expect(await kit.pass(DAY)).toEqual(["document.deleted ACTIVE!1004.1"]);
});

test("a reset does not forget whose eyes were seen with: what another admin does not see after it is held", async () => {
  const kit = await following();
  vanish(kit, ["ACTIVE!1002.1"]);
  await kit.syncs.resetSync(kit.sync, NOTE);
  // Once more, before anything was read.
  await kit.syncs.resetSync(kit.sync, NOTE);
  kit.lender.grant = makeId("grt", kit.route, Date.now(), systemRandom.bytes(16));
  kit.tokens.renew();
  expect(await kit.pass(0)).toEqual(["parked deletions_held"]);
  await releaseDeletions(kit.ports, kit.sync, NOTE);
  expect(await kit.pass(0)).toEqual(["document.deleted ACTIVE!1002.1"]);
});

test.each([404, 501])(
  "a sync that only the feed can tell anything does not take its absence (%i) for an end: it says so, and loses nothing",
  async (status) => {
    const kit = await syncKit();
    const { sync } = await kit.stories.create({
      ...{ caller: kit.caller, server: kit.server, library: LIBRARY, note: NOTE },
      wish: { wants: ["people"] },
    });
    const without = (id: string) =>
      kit.simulator.addFault({
        id,
        on: { route: "api", path_starts_with: FEED },
        times: "always",
        do: { answer: { status } },
      });
    without("from the beginning");
    expect(await kit.runs.run(sync.id)).toMatchObject({ kind: "postponed", code: "imanage_unavailable" });
    kit.simulator.clearFaults("from the beginning");
    kit.advance(5 * MINUTE);
    expect(await kit.runs.run(sync.id)).toMatchObject({ kind: "complete" });

    without("for a while");
    kit.simulator.edit(LIBRARY, { kind: "group", id: "TEAM", change: { full_name: "The team" } });
    kit.advance(5 * MINUTE);
    expect(await kit.runs.run(sync.id)).toMatchObject({ kind: "postponed", code: "imanage_unavailable" });
    kit.simulator.clearFaults("for a while");
    kit.advance(5 * MINUTE);
    expect(await kit.runs.run(sync.id)).toMatchObject({ kind: "complete" });
    expect(await told(kit, sync.id, 0)).toEqual(["group.changed TEAM"]);
  },
);

test("an older version that iManage still shows by its id, and lists no more, is told as deleted by the next scan", async () => {
  const kit = await following();
  kit.simulator.setSwitches({ new_version: "replaces" });
  kit.simulator.edit(LIBRARY, { kind: "version", id: "ACTIVE!1003.1" });
  expect(await kit.pass()).toEqual(["document.created ACTIVE!1003.2"]);
  expect(await kit.pass(DAY)).toEqual(["document.deleted ACTIVE!1003.1"]);
  expect((await kit.state()).counts.objects).toBe(DOCUMENTS);
});

test("a feed that goes missing in the middle of a scan is made up for by another scan, not by the one that was half through", async () => {
  const kit = await following({ pageSize: 5, sliceMs: 0 });
  kit.advance(DAY);
  const rows = async () => (await kit.state()).cursor.scan?.rows ?? 0;
  for (let n = 0; n < 5 && (await rows()) < 10; n++) await kit.runs.run(kit.sync);
  expect(await rows()).toBe(10);
  kit.simulator.setSwitches({ change_events: "404" });
  vanish(kit, ["ACTIVE!1001.1"]);
  kit.advance(6 * MINUTE);
  for (let n = 0; n < 40 && (await kit.runs.run(kit.sync)).kind !== "complete"; n++);
  expect(await told(kit, kit.sync)).toEqual(["document.deleted ACTIVE!1001.1"]);
});

test("a page of the window that iManage takes no more begins the window anew, and not the scan beside it", () => {
  const scan = { ...newScan({ scans: 4 }, 0), page: "scan page", rows: 500 };
  const cursor = { ...firstCursor(9, 5), window: { page: "window page" }, scan };
  expect(afterPageRefused(cursor, 1)).toEqual({ ...cursor, window: undefined });
  const { window: _, ...scanning } = cursor;
  // Its number is given away, also should a reset come before its first page.
  expect(afterPageRefused(scanning, 1)).toMatchObject({ scans: 6, scan: { number: 6, rows: 0 } });
});

test("a page of the feed that names more documents than iManage's rate limit lets through at once gets on, part by part", async () => {
  const kit = await following();
  kit.simulator.setSwitches({ documents_search: "not_found" });
  const ids = Array.from({ length: 20 }, (_, n) => `ACTIVE!${1001 + n}.1`);
  for (const id of ids) kit.edit(id, { name: "Migrated" });
  const all = kit.ports.documents;
  let left = 0;
  const documents: DocumentSource = {
    listDocuments: (...of) => all.listDocuments(...of),
    findDocuments: (...of) => all.findDocuments(...of),
    hasWorkspace: (...of) => all.hasWorkspace(...of),
    readEvents: (...of) => all.readEvents(...of),
    readDocument: async (...of) =>
      left-- > 0 ? all.readDocument(...of) : { kind: "throttled", retryAfterMs: 5_000 },
  };
  const runs = new SyncRuns({ ...kit.ports, documents }, { pageSize: 10, eventsAtOnce: 4 });
  kit.advance(5 * MINUTE);
  let outcomes = 0;
  for (let done = false; !done && outcomes < 10; outcomes++) {
    left = 6;
    done = (await runs.run(kit.sync)).kind === "complete";
    kit.advance(5_000);
  }
  expect(outcomes).toBeLessThan(10);
  expect(await told(kit, kit.sync)).toEqual(ids.map((id) => `document.changed ${id}`));
});

test("a feed that overflows again and again lets others go first, and a process that stops end", async () => {
  const kit = await following({ sliceMs: 0 });
  kit.simulator.setSwitches({ change_events_page: 2 });
  for (let n = 0; n < 6; n++) kit.edit(`ACTIVE!100${1 + n}.1`, { name: "Edited" });
  expect(await kit.pass()).toEqual(["gave_way "]);
  for (let n = 0; n < 5 && (await kit.runs.run(kit.sync)).kind !== "complete"; n++);
  expect(await told(kit, kit.sync)).toHaveLength(6);
});

test("having waited for someone to act is no reason to pass over a document that iManage cannot load once", async () => {
  const kit = await following();
  kit.edit("ACTIVE!1003.1", { name: "Edited while parked" });
  kit.tokens.refusal = new Problem("reauthorization_required");
  for (let n = 0; n < 6; n++) expect(await kit.pass()).toEqual(["parked reauthorization_required"]);
  kit.tokens.refusal = undefined;
  kit.simulator.addFault({
    on: { route: "api", path_starts_with: `${FEED.replace("change-events", "documents")}/ACTIVE!1003.1` },
    do: { answer: { status: 500 } },
  });
  expect(await kit.pass()).toEqual(["postponed imanage_unavailable"]);
  expect(await kit.pass()).toEqual(["document.changed ACTIVE!1003.1"]);
});
