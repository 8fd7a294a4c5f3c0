import { expect, test } from "vitest";
import { makeId } from "../../src/domain/id.ts";
import { Problem } from "../../src/domain/problem.ts";
import { type SyncWish, WHOLE_LIBRARY } from "../../src/domain/sync-wish.ts";
import { systemRandom } from "../../src/security/random.ts";
import { RedisSyncStore } from "../../src/store/redis-sync-store.ts";
import { withRules } from "../kit/policies.ts";
import { identities, LIBRARY, NOTE, problemCode, syncKit } from "./kit.ts";

test("the same client asks for the same library twice and has one sync, also when it asks at the same moment", async () => {
  const kit = await syncKit();
  const request = { caller: kit.caller, server: kit.server, library: LIBRARY, note: NOTE };
  const answers = await Promise.all(Array.from({ length: 20 }, () => kit.stories.create(request)));
  expect(new Set(answers.map(({ sync }) => sync.id)).size).toBe(1);
  expect(answers.filter(({ created }) => created)).toHaveLength(1);
  expect(answers[0]!.sync).toMatchObject({ intervalMs: 300_000, state: "active", library: LIBRARY });
  expect(await kit.stories.list(kit.caller, kit.organisation)).toHaveLength(1);
});

test("a new sync is due at once", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  expect(await kit.syncs.dueSyncs(kit.organisation, 10)).toEqual([sync]);
});

test("a client has so many syncs and no more, whatever it names and at whatever moment; those of others do not count", async () => {
  const kit = await syncKit();
  const syncs = new RedisSyncStore(kit.store, { perClientMax: 3 });
  const request = (library: string, client = kit.client) => ({
    ...{ id: kit.newSync(), client, server: kit.server, library },
    ...{ wish: WHOLE_LIBRARY, intervalMs: 60_000, fields: undefined },
  });
  const insert = (library: string, client = kit.client) =>
    problemCode(syncs.insertSync(request(library, client), NOTE));
  const made = await Promise.all(["A", "B", "C", "D", "E"].map((library) => insert(library)));
  expect(made.filter((code) => code === "configuration_refused")).toHaveLength(2);
  expect(await kit.stories.list(kit.caller, kit.organisation)).toHaveLength(3);
  // The one there is, is answered.
  const [one] = await syncs.listSyncs(kit.organisation, kit.client);
  expect(await syncs.insertSync(request(one!.library), NOTE)).toEqual({ id: one!.id, created: false });
  const other = makeId("cli", undefined, Date.now(), systemRandom.bytes(16));
  expect(await insert("A", other)).not.toBe("configuration_refused");
  await syncs.deleteSync(one!.id, NOTE);
  expect(await insert("F")).not.toBe("configuration_refused");
});

test("a client without the action sync may not, and one without a policy finds nothing", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  const all = () =>
    Promise.all([
      problemCode(
        kit.stories.create({ caller: kit.caller, server: kit.server, library: LIBRARY, note: NOTE }),
      ),
      problemCode(kit.stories.find(kit.caller, sync)),
      problemCode(kit.stories.list(kit.caller, kit.organisation)),
      problemCode(kit.stories.runNow(kit.caller, sync)),
      problemCode(kit.stories.pause(kit.caller, sync, NOTE)),
      problemCode(kit.stories.resume(kit.caller, sync, NOTE)),
      problemCode(kit.stories.reset(kit.caller, sync, NOTE)),
      problemCode(kit.stories.changeInterval(kit.caller, sync, 60_000, NOTE)),
      problemCode(kit.stories.delete(kit.caller, sync, NOTE)),
      problemCode(kit.reader.read({ caller: kit.caller, sync })),
    ]);
  kit.policies.set(kit.client, withRules(kit.policy, { actions: ["token"] }));
  expect(new Set(await all())).toEqual(new Set(["not_allowed"]));
  kit.policies.delete(kit.client);
  expect(new Set(await all())).toEqual(new Set(["not_found"]));
  expect(await kit.syncs.findSync(sync)).toMatchObject({ state: "active" });
});

test("another client's sync is not there", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  const other = makeId("cli", undefined, Date.now(), systemRandom.bytes(16));
  kit.policies.set(other, { ...kit.policy, client: other });
  expect(await problemCode(kit.stories.find({ client: other, address: "" }, sync))).toBe("not_found");
  expect(await problemCode(kit.reader.read({ caller: { client: other, address: "" }, sync }))).toBe(
    "not_found",
  );
  expect(await kit.stories.list({ client: other, address: "" }, kit.organisation)).toEqual([]);
});

test("a server that is not there, or that the policy does not name, cannot be synced", async () => {
  const kit = await syncKit();
  const create = (server = kit.server) =>
    problemCode(kit.stories.create({ caller: kit.caller, server, library: LIBRARY, note: NOTE }));
  expect(await create(makeId("srv", kit.route, 1, systemRandom.bytes(16)))).toBe("not_found");
  expect(await create(identities().server)).toBe("not_found");
  kit.policies.set(kit.client, withRules(kit.policy, { servers: [] }));
  expect(await create()).toBe("not_found");
});

test("a sync is about what was asked for, and the same workspaces in another order are the same sync", async () => {
  const kit = await syncKit();
  const create = async (wish: Partial<SyncWish>) =>
    (await kit.stories.create({ caller: kit.caller, server: kit.server, library: LIBRARY, wish, note: NOTE }))
      .sync;
  const whole = await create({});
  expect(whole.wish).toEqual({ wants: ["documents"], workspaces: undefined, existing: "skip" });
  const some = await create({
    wants: ["security", "documents", "documents"],
    workspaces: ["ACTIVE!302", "ACTIVE!301", "ACTIVE!302"],
    existing: "tell",
  });
  expect(some.wish).toEqual({
    wants: ["documents", "security"],
    workspaces: ["ACTIVE!301", "ACTIVE!302"],
    existing: "tell",
  });
  expect((await create({ workspaces: ["ACTIVE!301", "ACTIVE!302"] })).id).toBe(some.id);
  expect((await create({ workspaces: ["ACTIVE!301"] })).id).not.toBe(some.id);
  expect((await create({ wants: ["people"] })).id).toBe(whole.id);
  expect(await kit.stories.list(kit.caller, kit.organisation)).toHaveLength(3);
});

test.each<[string, Partial<SyncWish>, string]>([
  ["nothing at all", { wants: [] }, "wants names nothing"],
  ["what nobody knows", { wants: ["folders" as never] }, "wants does not know folders"],
  ["no workspaces", { workspaces: [] }, "workspaces names none: leave it out for all of the library"],
  [
    "a workspace of another library",
    { workspaces: ["ACTIVE!301", "CLOSED!7"] },
    "workspaces holds a workspace of another library",
  ],
  [
    "what is not a workspace",
    { workspaces: ["ACTIVE!301", "ACTIVE!301.1"] },
    "workspaces holds what is not a workspace's id (LIBRARY!number)",
  ],
  [
    "too many workspaces",
    { workspaces: Array.from({ length: 101 }, (_, n) => `ACTIVE!${n}`) },
    "workspaces names more than 100: leave it out for all of the library",
  ],
])("a wish for %s is refused in words", async (_, wish, fault) => {
  const kit = await syncKit();
  const attempt = kit.stories.create({
    caller: kit.caller,
    server: kit.server,
    library: LIBRARY,
    wish,
    note: NOTE,
  });
  const faults = await attempt.then(
    () => [],
    (problem) => problem.details.faults,
  );
  expect(
    faults.map(({ field, message }: { field: string; message: string }) => `${field} ${message}`),
  ).toEqual([fault]);
});

test("all faults of a request are named together", async () => {
  const kit = await syncKit();
  const attempt = kit.stories.create({
    caller: kit.caller,
    server: kit.server,
    library: "../ACTIVE",
    intervalMs: 29_999,
    fields: ["name", "secret"],
    note: NOTE,
  });
  await expect(attempt).rejects.toMatchObject({
    code: "invalid_request",
    details: {
      faults: [
        { field: "library", message: "is not a library id" },
        { field: "interval", message: "is less than 30 seconds" },
        { field: "fields", message: "does not know secret" },
      ],
    },
  });
});

test("a paused sync is not due, and sync-now says that it is paused", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  expect(await kit.stories.pause(kit.caller, sync, NOTE)).toMatchObject({
    state: "paused",
    dueAt: undefined,
  });
  expect(await kit.syncs.dueSyncs(kit.organisation, 10)).toEqual([]);
  expect(await problemCode(kit.stories.runNow(kit.caller, sync))).toBe("invalid_request");
  expect(await kit.stories.resume(kit.caller, sync, NOTE)).toMatchObject({ state: "active" });
  expect(await kit.syncs.dueSyncs(kit.organisation, 10)).toEqual([sync]);
});

test("a sync that was deleted can be made again, and starts from the beginning", async () => {
  const kit = await syncKit();
  const first = await kit.create();
  await kit.runs.run(first);
  await kit.stories.delete(kit.caller, first, NOTE);
  expect(await problemCode(kit.stories.find(kit.caller, first))).toBe("not_found");
  const second = await kit.create();
  expect(second).not.toBe(first);
  expect(await kit.runs.run(second)).toEqual({ kind: "complete", changes: 24 });
});

test("a sync that is reset looks at everything again and tells only what is otherwise; a run under way stores nothing more", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  await kit.runs.run(sync);
  const told = (await kit.all(sync)).length;
  const { cursor } = await kit.reader.read({ caller: kit.caller, sync, limit: 500 });
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1003.1", { name: "Amended" });
  const before = kit.listed().length;
  expect(await kit.stories.reset(kit.caller, sync, NOTE)).toMatchObject({ state: "active" });
  expect(await kit.syncs.dueSyncs(kit.organisation, 10)).toEqual([sync]);
  await kit.runs.run(sync);
  expect(kit.listed().length - before).toBeGreaterThan(2);
  const { changes } = await kit.reader.read({ caller: kit.caller, sync, cursor, limit: 500 });
  expect(changes.map(({ document }) => document?.name)).toEqual(["Amended"]);
  expect((await kit.all(sync)).length).toBe(told + 1);

  // While it runs.
  let resets = 0;
  await kit.stories.runNow(kit.caller, sync);
  await kit.stories.reset(kit.caller, sync, NOTE);
  const outcome = await kit.runs.run(sync, undefined, async () => {
    if (resets++ === 0) await kit.stories.reset(kit.caller, sync, NOTE);
  });
  expect(outcome).toEqual({ kind: "overtaken" });
  expect(await kit.runs.run(sync)).toMatchObject({ kind: "complete" });
});

test("a paused sync that is reset stays paused", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  await kit.stories.pause(kit.caller, sync, NOTE);
  expect(await kit.stories.reset(kit.caller, sync, NOTE)).toMatchObject({
    state: "paused",
    dueAt: undefined,
  });
});

test("another interval is no shorter than any may be, and counts at once", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  await kit.runs.run(sync);
  const { dueAt } = await kit.stories.find(kit.caller, sync);
  expect(await problemCode(kit.stories.changeInterval(kit.caller, sync, 29_999, NOTE))).toBe(
    "invalid_request",
  );
  const changed = await kit.stories.changeInterval(kit.caller, sync, 30_000, NOTE);
  expect(changed.intervalMs).toBe(30_000);
  expect(changed.dueAt).toBeLessThan(dueAt! - 4 * 60_000);
  kit.advance(30_000);
  expect(await kit.runs.run(sync)).toMatchObject({ kind: "complete" });
  expect((await kit.stories.changeInterval(kit.caller, sync, 3_600_000, NOTE)).intervalMs).toBe(3_600_000);
});

test("how a sync stands is told: what it does, how far it is behind, what it takes, and why it does not go on", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  const view = async () => kit.stories.view(await kit.stories.find(kit.caller, sync));
  expect(await view()).toMatchObject({
    phase: "baseline",
    waitsFor: undefined,
    cursorAgeMs: undefined,
    lagMs: undefined,
    heldDeletions: 0,
    space: { own: 0, organisation: 0 },
  });
  await kit.runs.run(sync);
  const known = await view();
  expect(["following", "window"]).toContain(known.phase);
  expect(known.space.own).toBeGreaterThan(5_000);
  expect(known.space.organisation).toBe(known.space.own);
  kit.advance(10 * 60_000);
  const later = await view();
  expect(later.cursorAgeMs! - known.cursorAgeMs!).toBeGreaterThanOrEqual(10 * 60_000);
  expect(later.lagMs).toBeLessThanOrEqual(later.cursorAgeMs!);
  kit.tokens.refusal = new Problem("authorization_required");
  await kit.runs.run(sync);
  expect(await view()).toMatchObject({ waitsFor: "authorization_required", sync: { state: "parked" } });
});

test("making, pausing, resuming, resetting, changing and deleting a sync is audited", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  await kit.stories.pause(kit.caller, sync, NOTE);
  await kit.stories.resume(kit.caller, sync, NOTE);
  await kit.stories.reset(kit.caller, sync, NOTE);
  await kit.stories.changeInterval(kit.caller, sync, 60_000, NOTE);
  await kit.stories.changeInterval(kit.caller, sync, 60_000, NOTE);
  await kit.stories.delete(kit.caller, sync, NOTE);
  const entries = await kit.store.call((redis) => redis.xrange(`b1:{o:${kit.route}}:audit`, "-", "+"));
  expect(entries.map(([number, fields]) => [number, fields[fields.indexOf("action") + 1]])).toEqual([
    ["1-0", "sync.created"],
    ["2-0", "sync.paused"],
    ["3-0", "sync.resumed"],
    ["4-0", "sync.reset"],
    ["5-0", "sync.changed"],
    ["6-0", "sync.deleted"],
  ]);
});
