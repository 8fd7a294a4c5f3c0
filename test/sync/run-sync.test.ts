import { expect, test } from "vitest";
import { Problem } from "../../src/domain/problem.ts";
import { SyncRuns } from "../../src/sync/run-sync.ts";
import { keysOf } from "../kit/redis.ts";
import { seeded } from "../security/kit.ts";
import { DOCUMENTS, dyingAfter, LIBRARY, NOTE, onLists, syncKit } from "./kit.ts";

const MINUTE = 60_000;

test("the first scan tells every document once, with what the library shows of it", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: DOCUMENTS });

  const changes = await kit.all(sync);
  expect(new Set(changes.map(({ object }) => object)).size).toBe(DOCUMENTS);
  expect(changes[0]).toMatchObject({
    id: "2-1",
    kind: "document.created",
    object: "ACTIVE!1001.1",
    document: { id: "ACTIVE!1001.1", number: 1001, version: 1, workspaceId: expect.any(String) },
    shortened: false,
  });
  expect(changes[0]!.time).toBe(changes[0]!.document?.editedAt);
  expect(await kit.syncs.findSync(sync)).toMatchObject({
    state: "active",
    counts: {
      passes: 1,
      documents: DOCUMENTS,
      changes: DOCUMENTS,
      objects: DOCUMENTS,
      unreadable: 0,
      failures: 0,
    },
    baselineAt: expect.any(Number),
    passStartedAt: undefined,
    cursor: { feed: { kind: "taken" }, lastScan: { documents: DOCUMENTS, proven: true } },
  });
});

test("an edit arrives once, and a pass without edits tells nothing", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  await kit.runs.run(sync);

  kit.advance(5 * MINUTE);
  const { event_date } = kit.simulator.editDocument(LIBRARY, "ACTIVE!1003.1", {
    name: "Signed lease",
    last_user: "b.okafor",
  });
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: 1 });
  const [edit] = (await kit.all(sync)).slice(DOCUMENTS);
  expect(edit).toMatchObject({
    object: "ACTIVE!1003.1",
    actor: "b.okafor",
    time: Date.parse(event_date),
    document: { name: "Signed lease" },
  });

  kit.advance(5 * MINUTE);
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: 0 });
});

test("without a feed only what was edited since is asked for, and an edit between two passes is not lost to a clock that is behind", async () => {
  const kit = await syncKit({ feed: "missing" });
  const sync = await kit.create();
  await kit.runs.run(sync);
  kit.advance(5 * MINUTE);
  // iManage's clock is half an hour behind the broker's: the edit is older than the start of the pass before.
  const at = new Date(kit.simulator.now() - 30 * MINUTE).toISOString();
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1003.1", { name: "Edited by a late clock", edit_date: at });
  const before = kit.listed().length;
  expect(await kit.runs.run(sync)).toMatchObject({ kind: "complete", changes: 1 });
  const asked = kit.listed().slice(before);
  expect(asked).toHaveLength(1);
  expect(asked[0]!.url).toContain("edit_date_from=");
});

test("a run that is killed between two pages is gone on with from the stored page, nothing lost and nothing twice", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  const dying = new SyncRuns(
    { ...kit.ports, syncs: dyingAfter(kit.syncs, "commitPage", 3) },
    { pageSize: 10 },
  );
  await expect(dying.run(sync)).rejects.toThrow("killed");
  expect(await kit.all(sync)).toHaveLength(20);
  expect((await kit.syncs.findSync(sync))!.cursor).toMatchObject({
    sequence: 4,
    scan: { stage: "list", page: expect.any(String) },
  });

  const before = kit.listed().length;
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: 4 });
  // The first two pages are not read again: one that was left, and the count.
  expect(kit.listed().length - before).toBe(2);
  const objects = (await kit.all(sync)).map(({ object }) => object);
  expect(objects).toHaveLength(DOCUMENTS);
  expect(new Set(objects).size).toBe(DOCUMENTS);
});

test("whatever is edited and whenever runs are killed, the last change of each document is what it became", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  const { next } = seeded("edits and kills");
  const pick = <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)]!;
  const became = new Map<string, string>();
  let killed = 0;
  for (let step = 0; step < 60 || killed < 6; step++) {
    if (next() < 0.5) {
      const id = `ACTIVE!${1001 + Math.floor(next() * DOCUMENTS)}.1`;
      became.set(id, `step ${step}`);
      kit.simulator.editDocument(LIBRARY, id, { name: `step ${step}` });
    } else {
      const method = pick(["beginRun", "remembered", "commitPage"] as const);
      const dying = dyingAfter(kit.syncs, method, 1 + Math.floor(next() * 2));
      await kit.stories.runNow(kit.caller, sync);
      await new SyncRuns({ ...kit.ports, syncs: dying }, { pageSize: 3 }).run(sync).catch(() => killed++);
    }
    kit.advance(Math.floor(next() * 2 * MINUTE));
  }
  kit.advance(5 * MINUTE);
  while ((await kit.runs.run(sync)).kind !== "complete") kit.advance(MINUTE);
  kit.advance(5 * MINUTE);
  await kit.runs.run(sync);

  const changes = await kit.all(sync);
  expect(new Set(changes.map(({ object }) => object)).size).toBe(DOCUMENTS);
  for (const [id, name] of became) {
    const told = changes.filter(({ object }) => object === id).map(({ document }) => document);
    expect(told.at(-1)?.name).toBe(name);
    // No version is told twice.
    expect(new Set(told.map((document) => JSON.stringify(document))).size).toBe(told.length);
  }
});

test("of two runs of one sync at the same moment one gives way, and every document is told once", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  const outcomes = await Promise.all([kit.runs.run(sync), kit.runs.run(sync), kit.runs.run(sync)]);
  expect(outcomes.map(({ kind }) => kind).sort()).toEqual(["complete", "overtaken", "overtaken"]);
  expect(await kit.all(sync)).toHaveLength(DOCUMENTS);
});

test("a job that comes again when nothing is due asks iManage nothing", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  await kit.runs.run(sync);
  const before = kit.listed().length;
  expect(await kit.runs.run(sync)).toEqual({ kind: "not_due" });
  expect(kit.listed().length).toBe(before);
});

test("a token that dies in the middle of a pass is reported with its fingerprint, replaced, and the pass goes on", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  kit.simulator.addFault({
    on: onLists(2),
    do: { answer: { status: 401, body: { error: { code: "NRC_TOKEN" } } } },
  });
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: DOCUMENTS });
  const reported = kit.tokens.asked.filter(({ rejected }) => rejected !== undefined);
  expect(reported).toHaveLength(1);
  expect(reported[0]!.rejected).toHaveLength(22);
  expect(await kit.all(sync)).toHaveLength(DOCUMENTS);
});

test("each page asks for its token anew, in the name of the client, for the library", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  await kit.runs.run(sync);
  // The end of the feed, three pages, the count, and what the feed says up to then.
  expect(kit.tokens.asked).toHaveLength(6);
  expect(kit.tokens.asked[2]).toEqual({
    action: "sync",
    client: kit.client,
    server: kit.server,
    subject: { type: "library", id: LIBRARY },
    note: { actor: "worker", requestId: `${sync}/3`, purpose: "sync" },
  });
});

test("a sync whose library nobody has lent is parked with its reason, and goes on by itself within a minute of being lent", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  kit.tokens.refusal = new Problem("authorization_required");
  expect(await kit.runs.run(sync)).toEqual({ kind: "parked", code: "authorization_required" });
  const parked = (await kit.syncs.findSync(sync))!;
  expect(parked).toMatchObject({
    state: "parked",
    parkedBecause: "authorization_required",
    lastError: { code: "authorization_required" },
  });
  expect(parked.dueAt! - parked.lastError!.at).toBeLessThanOrEqual(MINUTE);

  kit.tokens.refusal = undefined;
  expect(await kit.runs.run(sync)).toEqual({ kind: "not_due" });
  kit.advance(MINUTE);
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: DOCUMENTS });
  expect(await kit.syncs.findSync(sync)).toMatchObject({
    state: "active",
    parkedBecause: undefined,
    lastError: undefined,
  });
  expect(kit.log.lines.map(({ outcome }) => outcome)).toEqual(["parked", "recovered"]);
});

test("parked in the middle of a pass, it goes on with the page it stood at", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  const provide = kit.ports.accessToken;
  let pages = 0;
  const runs = new SyncRuns(
    {
      ...kit.ports,
      accessToken: async (request) => {
        if (++pages === 4) throw new Problem("reauthorization_required");
        return provide(request);
      },
    },
    { pageSize: 10 },
  );
  expect(await runs.run(sync)).toEqual({ kind: "parked", code: "reauthorization_required" });
  kit.advance(MINUTE);
  expect(await runs.run(sync)).toEqual({ kind: "complete", changes: 4 });
});

test("a fresh token that iManage refuses as well parks the sync instead of asking for ever", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  kit.simulator.addFault({
    on: { route: "api", library: LIBRARY },
    times: "always",
    do: { answer: { status: 401 } },
  });
  expect(await kit.runs.run(sync)).toEqual({ kind: "parked", code: "token_rejected_again" });
  expect(kit.simulator.requests().filter(({ path }) => path.endsWith("/change-events"))).toHaveLength(2);
});

test("an admin who may no longer enter the library parks the sync", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  kit.simulator.addFault({
    on: { route: "api", library: LIBRARY },
    times: "always",
    do: { answer: { status: 403 } },
  });
  expect(await kit.runs.run(sync)).toEqual({ kind: "parked", code: "not_library_admin" });
});

test("when iManage asks to wait, the sync is due again when the wait is over, says so, and is not parked", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  kit.simulator.addFault({
    on: onLists(2),
    do: { answer: { status: 429, headers: { "Retry-After": "70" } } },
  });
  expect(await kit.runs.run(sync)).toEqual({
    kind: "postponed",
    code: "imanage_rate_limited",
    retryAfterMs: 70_000,
  });
  const { state, dueAt, lastError, counts } = (await kit.syncs.findSync(sync))!;
  expect({ state, wait: dueAt! - lastError!.at, says: lastError!.code, failures: counts.failures }).toEqual({
    state: "active",
    wait: 70_000,
    says: "imanage_rate_limited",
    failures: 0,
  });
  kit.advance(70_000);
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: 14 });
});

test("an iManage that stays away is asked less and less often", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  kit.simulator.addFault({
    on: { route: "api", library: LIBRARY },
    times: "always",
    do: { answer: { status: 503 } },
  });
  const waits: number[] = [];
  for (let i = 0; i < 4; i++) {
    const outcome = await kit.runs.run(sync);
    waits.push(outcome.kind === "postponed" ? outcome.retryAfterMs : Number.NaN);
    kit.advance(waits.at(-1)!);
  }
  expect(waits).toEqual([2_000, 4_000, 8_000, 16_000]);
});

test("a page cursor that iManage takes no more starts the pass again, and what was told is not told twice", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  kit.simulator.addFault({
    on: onLists(3),
    do: { answer: { status: 400, body: { error: { code: "NRC_INVALID_CURSOR" } } } },
  });
  expect(await kit.runs.run(sync)).toMatchObject({ kind: "postponed", code: "imanage_unavailable" });
  kit.advance(MINUTE);
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: 4 });
  expect(await kit.all(sync)).toHaveLength(DOCUMENTS);
});

test("a long pass gives way to others after its slice, and when the process stops, and is due at once", async () => {
  const kit = await syncKit({ sliceMs: 0 });
  const sync = await kit.create();
  expect(await kit.runs.run(sync)).toEqual({ kind: "gave_way", changes: 10 });
  const stopping = new SyncRuns(kit.ports, { pageSize: 10 });
  expect(await stopping.run(sync, AbortSignal.abort())).toEqual({ kind: "gave_way", changes: 10 });
  expect(await stopping.run(sync)).toEqual({ kind: "complete", changes: 4 });
});

test("a sync that is paused in the middle of a pass stores no further page until it is resumed", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  kit.simulator.addFault({
    id: "slow",
    on: onLists(2),
    do: { hold_after: true },
  });
  const running = kit.runs.run(sync);
  await kit.simulator.waitFor(() => kit.simulator.held().length === 1);
  // Asked for ahead: the page before it may still be on its way into the store.
  while ((await kit.all(sync)).length < 10) await new Promise(setImmediate);
  await kit.stories.pause(kit.caller, sync, NOTE);
  kit.simulator.release();
  expect(await running).toEqual({ kind: "paused" });
  expect(await kit.runs.run(sync)).toEqual({ kind: "paused" });
  expect(await kit.all(sync)).toHaveLength(10);

  await kit.stories.resume(kit.caller, sync, NOTE);
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: 14 });
});

test("a sync that is deleted in the middle of a pass leaves nothing behind", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  kit.simulator.addFault({ on: onLists(2), do: { hold_after: true } });
  const running = kit.runs.run(sync);
  await kit.simulator.waitFor(() => kit.simulator.held().length === 1);
  await kit.stories.delete(kit.caller, sync, NOTE);
  kit.simulator.release();
  expect(await running).toEqual({ kind: "gone" });
  const left = await kit.store.call((redis) => keysOf(redis, `b1:{o:${kit.route}}`));
  expect(left).not.toEqual([]);
  expect(left.filter((key) => key.includes(sync))).toEqual([]);
});

test("sync-now during a pass brings another pass right after it", async () => {
  const kit = await syncKit({ feed: "missing" });
  const sync = await kit.create();
  kit.simulator.addFault({ on: onLists(4), do: { hold_after: true } });
  const running = kit.runs.run(sync);
  await kit.simulator.waitFor(() => kit.simulator.held().length === 1);
  // On a page that the pass has left behind.
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1001.1", { name: "Too late for this pass" });
  await kit.stories.runNow(kit.caller, sync);
  kit.simulator.release();
  expect(await running).toMatchObject({ kind: "complete" });
  expect(await kit.runs.run(sync)).toEqual({ kind: "complete", changes: 1 });
});

test("a sync tells the fields it asked for, and only a change of these is a change", async () => {
  const kit = await syncKit();
  const { sync } = await kit.stories.create({
    caller: kit.caller,
    server: kit.server,
    library: LIBRARY,
    wish: { existing: "tell" },
    fields: ["name"],
    note: NOTE,
  });
  await kit.runs.run(sync.id);
  const [first] = await kit.all(sync.id);
  expect(Object.keys(first!.document!).sort()).toEqual(["id", "name", "number", "version"]);
  kit.advance(5 * MINUTE);
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1001.1", { class: "EMAIL" });
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1002.1", { name: "Renamed" });
  expect(await kit.runs.run(sync.id)).toEqual({ kind: "complete", changes: 1 });
});

test("A9 neither names nor clients nor matters can be read in Redis", async () => {
  const kit = await syncKit();
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1001.1", {
    name: "Canary agreement",
    custom1: "Canary client",
  });
  const sync = await kit.create();
  await kit.runs.run(sync);
  expect((await kit.all(sync))[0]!.document).toMatchObject({
    name: "Canary agreement",
    custom1: "Canary client",
  });
  const keys = await kit.store.call((redis) => keysOf(redis, `b1:{o:${kit.route}}`));
  expect(keys).not.toEqual([]);
  for (const key of keys) {
    const dump = await kit.store.call((redis) => redis.dumpBuffer(key));
    expect(dump?.includes("Canary")).toBe(false);
  }
});

test("A9 a change that was moved to another place in the stream does not open", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  await kit.runs.run(sync);
  const key = `b1:{o:${kit.route}}:sync-changes:${sync}`;
  const [[, fields]] = (await kit.store.call((redis) => redis.xrange(key, "2-1", "2-1"))) as [
    [string, string[]],
  ];
  await kit.store.call((redis) => redis.xadd(key, "9-1", ...fields));
  await expect(kit.all(sync)).rejects.toMatchObject({ code: "integrity_failure" });
});

test("a name that is not well-formed text is told, and the pass goes on", async () => {
  const kit = await syncKit();
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1002.1", { name: "half a pair \ud800" });
  const sync = await kit.create();
  expect(await kit.runs.run(sync)).toMatchObject({ kind: "complete", changes: DOCUMENTS });
});

test("a defect of ours is not swallowed, and the sync is due again all the same", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  const broken = new SyncRuns({
    ...kit.ports,
    documents: { ...kit.ports.documents, readEvents: () => Promise.reject(new TypeError("ours")) },
  });
  await expect(broken.run(sync)).rejects.toThrow("ours");
  expect(await kit.syncs.findSync(sync)).toMatchObject({ state: "parked", parkedBecause: "internal_error" });
  kit.advance(MINUTE);
  expect(await kit.runs.run(sync)).toMatchObject({ kind: "complete" });
});
