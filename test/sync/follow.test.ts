import { expect, test } from "vitest";
import { discardDeletions, releaseDeletions } from "../../src/sync/held-deletions.ts";
import { SyncRuns } from "../../src/sync/run-sync.ts";
import { following, vanish } from "./following.ts";
import { DOCUMENTS, LIBRARY, NOTE, problemCode, syncKit } from "./kit.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const FEED = `/work/api/v2/customers/5948/libraries/${LIBRARY}/change-events`;

test("after its first scan a sync follows the feed: what happened is told once, and nothing is listed for it", async () => {
  const kit = await following();
  const listed = kit.listed().length;
  kit.edit("ACTIVE!1003.1", { name: "Signed lease", last_user: "b.okafor" });
  kit.edit("ACTIVE!2001.1", { name: "New" });
  kit.edit("ACTIVE!1004.1", { deleted: true });
  // Gone and back within a page: it is there.
  kit.edit("ACTIVE!1005.1", { deleted: true });
  kit.edit("ACTIVE!1005.1", { name: "Back", action_type: "restored_from_trash" });
  expect(await kit.pass()).toEqual([
    "document.changed ACTIVE!1003.1",
    "document.created ACTIVE!2001.1",
    "document.changed ACTIVE!1005.1",
    "document.deleted ACTIVE!1004.1",
  ]);
  const [edit] = (await kit.all(kit.sync)).slice(DOCUMENTS);
  expect(edit).toMatchObject({ actor: "b.okafor", document: { name: "Signed lease" } });
  expect(kit.listed()).toHaveLength(listed);
  expect(await kit.pass()).toEqual([]);
  expect((await kit.state()).counts.objects).toBe(DOCUMENTS);
});

test("what a page of the feed names is loaded by one search, and an iManage without search is asked one by one", async () => {
  const kit = await following();
  const ids = [1, 2, 3, 4, 5, 6].map((n) => `ACTIVE!100${n}.1`);
  for (const id of ids) kit.edit(id, { name: "Searched" });
  expect(await kit.pass()).toHaveLength(6);
  expect([kit.asked("/documents/search"), kit.asked("/documents/ACTIVE!")]).toEqual([1, 0]);

  kit.simulator.setSwitches({ documents_search: "ignores_ids" });
  for (const id of ids) kit.edit(id, { name: "Not searched" });
  expect(await kit.pass()).toHaveLength(6);
  kit.simulator.setSwitches({ documents_search: "not_found" });
  for (const id of ids) kit.edit(id, { name: "Not found" });
  expect(await kit.pass()).toHaveLength(6);
  expect((await kit.all(kit.sync)).at(-1)!.document?.name).toBe("Not found");
});

test("what a search finds older than the feed says is loaded by itself", async () => {
  const kit = await following();
  const ids = ["ACTIVE!1001.1", "ACTIVE!1002.1", "ACTIVE!1003.1"];
  const old = (await kit.all(kit.sync)).filter(({ object }) => ids.includes(object));
  for (const id of ids) kit.edit(id, { name: "New name" });
  const rows = old.map(({ document }) => ({
    ...{ id: document!.id, document_number: document!.number, version: document!.version },
    ...{ name: document!.name, edit_date: new Date(document!.editedAt!).toISOString() },
  }));
  kit.simulator.addFault({
    on: { route: "api", path_starts_with: FEED.replace("change-events", "documents/search") },
    do: { answer: { body: { data: rows, overflow: false } } },
  });
  expect(await kit.pass()).toHaveLength(3);
  const told = (await kit.all(kit.sync)).slice(-3).map(({ document }) => document?.name);
  expect(told).toEqual(["New name", "New name", "New name"]);
});

test("as long as the feed overflows it is asked again at once", async () => {
  const kit = await following();
  kit.simulator.setSwitches({ change_events_page: 5 });
  for (let n = 1; n <= 12; n++) kit.edit(`ACTIVE!10${String(n).padStart(2, "0")}.1`, { name: `Edit ${n}` });
  const before = kit.asked("change-events");
  expect(await kit.pass()).toHaveLength(12);
  expect(kit.asked("change-events") - before).toBe(3);
});

test("a document that iManage does not show after it changed is not told as deleted; what happens to it next is told", async () => {
  const kit = await following();
  kit.edit("ACTIVE!1003.1", { name: "Not shown" });
  const id = kit.simulator.addFault({
    on: { route: "api", path_starts_with: `${FEED.replace("change-events", "documents")}/ACTIVE!1003.1` },
    times: "always",
    do: { answer: { status: 404 } },
  });
  expect(await kit.pass()).toEqual([]);
  kit.simulator.clearFaults(id);
  kit.edit("ACTIVE!1003.1", { name: "Shown again" });
  expect(await kit.pass()).toEqual(["document.changed ACTIVE!1003.1"]);
});

test("a document that iManage cannot load holds up the others for a while, not for ever", async () => {
  const kit = await following();
  kit.edit("ACTIVE!1003.1", { name: "Broken" });
  kit.edit("ACTIVE!1004.1", { name: "Sound" });
  kit.simulator.addFault({
    on: { route: "api", path_starts_with: `${FEED.replace("change-events", "documents")}/ACTIVE!1003.1` },
    times: "always",
    do: { answer: { status: 500 } },
  });
  for (let n = 0; n < 5; n++) expect(await kit.pass()).toEqual(["postponed imanage_unavailable"]);
  expect(await kit.pass()).toEqual(["document.changed ACTIVE!1004.1"]);
  expect((await kit.state()).counts).toMatchObject({ unreadable: 1, failures: 0 });
});

test.each(["400", "410"] as const)(
  "a feed that forgot what comes after the cursor (%s) is followed from a fresh cursor, and a scan tells what was missed, once",
  async (change_events_expired) => {
    const kit = await following();
    kit.edit("ACTIVE!1003.1", { name: "Missed" });
    kit.edit("ACTIVE!1004.1", { deleted: true });
    kit.edit("ACTIVE!2001.1", { name: "Missed, too" });
    for (let n = 0; n < 6; n++) kit.edit("ACTIVE!1006.1", { name: `Often ${n}` });
    kit.simulator.setSwitches({ change_events_kept: 2, change_events_expired });
    expect([...(await kit.pass())].sort()).toEqual([
      "document.changed ACTIVE!1003.1",
      "document.changed ACTIVE!1006.1",
      "document.created ACTIVE!2001.1",
      "document.deleted ACTIVE!1004.1",
    ]);
    const listed = kit.listed().length;
    kit.edit("ACTIVE!1007.1", { name: "Followed" });
    expect(await kit.pass()).toEqual(["document.changed ACTIVE!1007.1"]);
    expect(kit.listed()).toHaveLength(listed);
  },
);

test("a feed that refuses its own fresh cursor is as good as none, and is not asked for ever", async () => {
  const kit = await syncKit();
  kit.simulator.addFault({
    on: { route: "api", path_starts_with: FEED, nth: 2 },
    times: "always",
    do: { answer: { status: 400 } },
  });
  const sync = await kit.create();
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: DOCUMENTS });
  kit.advance(5 * MINUTE);
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1003.1", { name: "By date" });
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: 1 });
  expect((await kit.syncs.findSync(sync))!.cursor.feed.kind).toBe("missing");
});

test("without a feed a daily scan tells what went, and what came with an old date; a feed that is there by then is followed", async () => {
  const kit = await syncKit({ feed: "missing" });
  const sync = await kit.create();
  await kit.runs.run(sync);
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1004.1", { deleted: true });
  kit.simulator.editDocument(LIBRARY, "ACTIVE!2001.1", { edit_date: "2020-01-01T00:00:00.000Z" });
  kit.advance(5 * MINUTE);
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: 0 });
  kit.advance(DAY);
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: 2 });
  expect((await kit.all(sync)).slice(-2).map(({ kind, object }) => `${kind} ${object}`)).toEqual([
    "document.created ACTIVE!2001.1",
    "document.deleted ACTIVE!1004.1",
  ]);

  kit.simulator.clearFaults("no feed");
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1005.1", { name: "Before the feed was found" });
  kit.advance(DAY);
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: 1 });
  expect((await kit.syncs.findSync(sync))!.cursor).toMatchObject({ feed: { kind: "taken" } });
});

test("a sync that wants changes alone remembers what is there and tells none of it; a missed one is told after a reset", async () => {
  const kit = await syncKit();
  const { sync } = await kit.stories.create({
    ...{ caller: kit.caller, server: kit.server, library: LIBRARY, note: NOTE },
    wish: { existing: "skip" },
  });
  expect(await kit.runs.run(sync.id)).toEqual({ kind: "complete", changes: 0 });
  const known = (await kit.syncs.findSync(sync.id))!;
  expect(known.counts.objects).toBe(DOCUMENTS);
  expect(known.baselineAt).toEqual(expect.any(Number));
  kit.advance(5 * MINUTE);
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1003.1", { name: "Edited" });
  expect(await kit.runs.run(sync.id)).toEqual({ kind: "complete", changes: 1 });
  expect((await kit.all(sync.id)).map(({ kind }) => kind)).toEqual(["document.changed"]);

  kit.simulator.editDocument(LIBRARY, "ACTIVE!1004.1", { name: "Edited before the reset" });
  await kit.store.call((redis) => redis.hdel(`b1:{o:${kit.route}}:sync:${sync.id}`, "cursor"));
  kit.advance(5 * MINUTE);
  expect(await kit.runs.run(sync.id)).toEqual({ kind: "complete", changes: 1 });
});

test("an edit is told while a scan is at it, and the scan tells neither it nor an older state of it again", async () => {
  const kit = await syncKit({ pageSize: 3, sliceMs: 0 });
  const sync = await kit.create();
  // The end of the feed, two pages of eight.
  for (let n = 0; n < 2; n++) await kit.runs.run(sync);
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1001.1", { name: "Behind the scan" });
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1020.1", { name: "Before the scan" });
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1021.1", { deleted: true });
  kit.advance(6 * MINUTE);
  let runs = 0;
  // The pass is over in time; the next begins with what has changed.
  for (; (await kit.all(sync)).length < 9; runs++) await kit.runs.run(sync);
  expect(runs).toBeLessThanOrEqual(3);
  while ((await kit.runs.run(sync)).kind !== "complete");
  const told = await kit.all(sync);
  expect(told.filter(({ object }) => object === "ACTIVE!1020.1")).toHaveLength(1);
  expect(
    told.filter(({ object }) => object === "ACTIVE!1001.1").map(({ document }) => document?.name),
  ).toEqual([expect.any(String), "Behind the scan"]);
  expect(told.filter(({ object }) => object === "ACTIVE!1021.1")).toEqual([]);
  expect((await kit.syncs.findSync(sync))!.cursor.lastScan).toMatchObject({ proven: true });
});

test("what a complete scan does not meet is told as deleted; one that saw an unreadable row, or too few, tells no deletion", async () => {
  const kit = await following();
  const lists = FEED.replace("change-events", "documents");
  const always = { on: { route: "api", path_starts_with: lists } } as const;
  vanish(kit, ["ACTIVE!1002.1", "ACTIVE!1012.1"]);

  const unreadable = { data: { results: [{ name: "no id" }] }, cursor: null, total_count: 22 };
  kit.simulator.addFault({ ...always, do: { answer: { body: unreadable } } });
  expect(await kit.pass(DAY)).toEqual([]);
  expect((await kit.state()).cursor.lastScan).toMatchObject({ proven: false, flaw: "unreadable_rows" });

  kit.simulator.addFault({ ...always, do: { set: { total_count: 24 } } });
  kit.simulator.addFault({ on: { ...always.on, nth: 3 }, do: { set: { total_count: 24 } } });
  expect(await kit.pass(DAY)).toEqual([]);
  expect((await kit.state()).cursor.lastScan).toMatchObject({ proven: false, flaw: "count_differs" });

  kit.simulator.addFault({ ...always, do: { omit: ["total_count"] } });
  expect(await kit.pass(DAY)).toEqual([]);
  expect((await kit.state()).cursor.lastScan).toMatchObject({ proven: false, flaw: "no_count" });

  expect([...(await kit.pass(DAY))].sort()).toEqual([
    "document.deleted ACTIVE!1002.1",
    "document.deleted ACTIVE!1012.1",
  ]);
  expect((await kit.state()).cursor.lastScan).toMatchObject({ proven: true });
});

test("a scan that began with one admin's eyes and ended with another's tells no deletion", async () => {
  const kit = await following();
  vanish(kit, ["ACTIVE!1002.1"]);
  const from = (await kit.state()).cursor.sequence;
  const provide = kit.ports.accessToken;
  const others = new SyncRuns(
    {
      ...kit.ports,
      accessToken: async (request) => {
        const token = await provide(request);
        const page = Number(request.note.requestId.split("/")[1]) - from;
        // What has happened, the first page, and then the others.
        return page < 2 ? token : { ...token, grant: `${token.grant.slice(0, -1)}x` as typeof token.grant };
      },
    },
    { pageSize: 10 },
  );
  kit.advance(DAY);
  expect(await others.run(kit.sync)).toEqual({ kind: "complete", changes: 0 });
  expect((await kit.state()).cursor.lastScan).toMatchObject({ proven: false, flaw: "another_owner" });
});

test("far more deletions than usual are held until an operator decides: discarded, the next scan looks again; released, they are told", async () => {
  const kit = await following({ brake: { objects: 3, share: 0.1 } });
  const gone = ["ACTIVE!1002.1", "ACTIVE!1004.1", "ACTIVE!1006.1", "ACTIVE!1008.1"];
  vanish(kit, gone);
  expect(await kit.pass(DAY)).toEqual(["parked deletions_held"]);
  expect(await kit.state()).toMatchObject({ state: "parked", parkedBecause: "deletions_held" });
  const before = (await kit.all(kit.sync)).length;
  const listed = kit.listed().length;
  kit.edit("ACTIVE!1003.1", { name: "Told while deletions are held" });
  expect(await kit.pass()).toEqual(["parked deletions_held"]);
  expect(await kit.pass()).toEqual(["parked deletions_held"]);
  expect((await kit.all(kit.sync)).slice(before)).toMatchObject([
    { kind: "document.changed", object: "ACTIVE!1003.1" },
  ]);
  expect(kit.listed()).toHaveLength(listed);
  expect(await kit.state()).toMatchObject({
    ...{ state: "parked", parkedBecause: "deletions_held", lastError: { code: "deletions_held" } },
    counts: { failures: 0 },
  });

  expect(await discardDeletions(kit.ports, kit.sync, NOTE)).toBe(4);
  expect(await kit.pass(0)).toEqual([]);
  expect(await kit.state()).toMatchObject({ state: "active", counts: { objects: DOCUMENTS } });
  expect(await problemCode(releaseDeletions(kit.ports, kit.sync, NOTE))).toBe("invalid_request");

  expect(await kit.pass(DAY)).toEqual(["parked deletions_held"]);
  expect(await releaseDeletions(kit.ports, kit.sync, NOTE)).toBe(4);
  expect([...(await kit.pass(0))].sort()).toEqual(gone.map((id) => `document.deleted ${id}`));
  expect((await kit.state()).counts.objects).toBe(DOCUMENTS - 4);

  const events = await kit.store.call((redis) => redis.xrange(`b1:{o:${kit.route}}:events`, "-", "+"));
  const told = events.map(([, fields]) => {
    const field = Object.fromEntries(fields.flatMap((name, i) => (i % 2 ? [] : [[name, fields[i + 1]]])));
    return [field.kind, field.code ?? field.changes, field.scan].filter(Boolean).join(" ");
  });
  expect(told).toEqual([
    "sync.completed 24 1",
    "sync.parked deletions_held",
    "sync.resumed",
    "sync.completed 1 0",
    "sync.parked deletions_held",
    "sync.resumed",
    "sync.completed 4 1",
  ]);
});

test("who asks for containers, people and security is told of them; who does not is not", async () => {
  const kit = await following();
  const wish = { wants: ["containers", "people", "security"] } as const;
  const { sync } = await kit.stories.create({
    ...{ caller: kit.caller, server: kit.server, library: LIBRARY, note: NOTE, wish },
    wish: { ...wish, workspaces: ["ACTIVE!11", "ACTIVE!12"] },
  });
  expect(await kit.runs.run(sync.id)).toEqual({ kind: "complete", changes: 0 });
  const listed = kit.listed().length;
  kit.simulator.edit(LIBRARY, { kind: "container", id: "ACTIVE!11", change: { name: "Closed" } });
  kit.simulator.edit(LIBRARY, { kind: "container", id: "ACTIVE!122", change: { deleted: true } });
  kit.simulator.edit(LIBRARY, { kind: "group", id: "TEAM", change: { full_name: "The team" } });
  kit.simulator.edit(LIBRARY, { kind: "security", id: "ACTIVE!1003.1", visible_to: ["e.moreau"] });
  kit.simulator.edit(LIBRARY, { kind: "document", id: "ACTIVE!1004.1", change: { name: "Edited" } });
  // To whoever wants documents it is a field of the document that changed.
  expect(await kit.pass()).toEqual(["document.changed ACTIVE!1003.1", "document.changed ACTIVE!1004.1"]);
  expect(await kit.runs.run(sync.id)).toMatchObject({ kind: "complete" });
  expect((await kit.all(sync.id)).map(({ kind, object }) => `${kind} ${object}`).sort()).toEqual([
    "container.changed ACTIVE!11",
    "container.deleted ACTIVE!122",
    "document.security_changed ACTIVE!1003.1",
    "group.changed TEAM",
  ]);
  expect(kit.listed()).toHaveLength(listed);
});

test("who wants security alone hears whose security changed, and neither what changed nor what went", async () => {
  const kit = await syncKit();
  const of = async (wants: readonly ("documents" | "security")[]) => {
    const named = { caller: kit.caller, server: kit.server, library: LIBRARY, note: NOTE };
    const { sync } = await kit.stories.create({
      ...named,
      wish: { wants, workspaces: WITHIN[wants.length] },
    });
    while ((await kit.runs.run(sync.id)).kind !== "complete");
    return sync.id;
  };
  const alone = await of(["security"]);
  const both = await of(["documents", "security"]);
  kit.simulator.edit(LIBRARY, { kind: "security", id: "ACTIVE!1003.1", visible_to: ["e.moreau"] });
  const told = async (id: typeof alone) => {
    kit.advance(5 * MINUTE);
    expect(await kit.runs.run(id)).toMatchObject({ kind: "complete" });
    return (await kit.all(id)).map(({ kind, object }) => `${kind} ${object}`);
  };
  expect(await told(alone)).toEqual(["document.security_changed ACTIVE!1003.1"]);
  kit.simulator.edit(LIBRARY, { kind: "document", id: "ACTIVE!1003.1", change: { deleted: true } });
  expect(await told(alone)).toEqual(["document.security_changed ACTIVE!1003.1"]);
  expect(await told(both)).toContain("document.deleted ACTIVE!1003.1");
});

/** Two syncs of one client and library: one of a part of it. */
const WITHIN: readonly (readonly string[] | undefined)[] = [undefined, undefined, ["ACTIVE!11", "ACTIVE!12"]];
