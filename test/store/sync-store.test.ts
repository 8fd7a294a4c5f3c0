import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { RunningCluster } from "../../scripts/redis/index.ts";
import type { SyncId } from "../../src/domain/id.ts";
import type { Sealed } from "../../src/domain/sealed.ts";
import { WHOLE_LIBRARY } from "../../src/domain/sync-wish.ts";
import { connectRedis, disconnect, whenReady } from "../../src/store/connect-redis.ts";
import { organisationNamesKey, syncDueHintKey, syncDueKey } from "../../src/store/keys.ts";
import { RedisStore } from "../../src/store/redis-store.ts";
import { RedisSyncStore } from "../../src/store/redis-sync-store.ts";
import { firstCursor, type SyncCursor } from "../../src/sync/cursor.ts";
import { newScan } from "../../src/sync/plan.ts";
import type { SyncPage } from "../../src/sync/ports.ts";
import { addressOf, ownRedisCluster, ownRedisForThisTest } from "../kit/redis.ts";
import { identities, NOTE, redisFor } from "../sync/kit.ts";

const QUIET = 30_000;
let cluster: RunningCluster;

beforeAll(async () => {
  cluster = await ownRedisCluster();
});
afterAll(() => cluster.stop());

async function storeOn(where: "one Redis" | "a cluster") {
  const offset = { ms: 0 };
  const address =
    where === "one Redis"
      ? addressOf()
      : { url: "redis://cluster", clusterNodes: cluster.nodes.map(({ host, port }) => `${host}:${port}`) };
  const connection = connectRedis(address, "durable");
  onTestFinished(() => disconnect(connection));
  await whenReady(connection);
  const store = new RedisStore(connection, () => offset.ms);
  const ids = identities();
  const syncs = new RedisSyncStore(store);
  return { offset, store, syncs, ...ids, insert: () => insert(syncs, ids) };
}

async function insert(syncs: RedisSyncStore, ids: ReturnType<typeof identities>, library = "ACTIVE") {
  const { id } = await syncs.insertSync(
    {
      id: ids.newSync(),
      client: ids.client,
      server: ids.server,
      library,
      wish: WHOLE_LIBRARY,
      intervalMs: 60_000,
      fields: undefined,
    },
    NOTE,
  );
  return id;
}

const change = (object: string) => `sealed ${object}` as Sealed;
const mark = (object: string, version = "v1", scan = 1) => [object, { version, scan }] as const;
const FOLLOWING: SyncCursor = {
  ...firstCursor(),
  feed: { kind: "taken", cursor: "feed-2" },
  lastScan: { startedAt: 1, completedAt: 2, documents: 2, proven: true },
};

const page = (sequence: number, of: Partial<SyncPage> = {}): SyncPage => ({
  sequence,
  changes: [change("A!1.1"), change("A!2.1")],
  marks: [mark("A!1.1"), mark("A!2.1")],
  forgotten: [],
  documents: 2,
  unreadable: 0,
  cursor: FOLLOWING,
  pass: "more",
  ...of,
});

const read = async (syncs: RedisSyncStore, id: SyncId) => {
  const answer = await syncs.readChanges(id, undefined, 100);
  return answer.kind === "read" ? answer.changes.map(({ id: at, sealed }) => `${at} ${sealed}`) : answer.kind;
};

describe.each(["one Redis", "a cluster"] as const)("on %s", (where) => {
  test("a page that is committed twice is stored once, and so is its cursor", async () => {
    const { syncs, ...kit } = await storeOn(where);
    const id = await kit.insert();
    await syncs.beginRun(id, QUIET);
    expect(await syncs.commitPage(id, page(1), QUIET)).toBe("committed");
    const after = await syncs.findSync(id);
    expect(await syncs.commitPage(id, page(1, { cursor: firstCursor() }), QUIET)).toBe("overtaken");
    expect(await syncs.findSync(id)).toEqual(after);
    expect(await read(syncs, id)).toEqual(["1-1 sealed A!1.1", "1-2 sealed A!2.1"]);
  });

  test("a sync that has stored a page, and nothing on it, is deleted like any other", async () => {
    const { syncs, ...kit } = await storeOn(where);
    const id = await kit.insert();
    await syncs.beginRun(id, QUIET);
    await syncs.commitPage(id, page(1, { changes: [], marks: [] }), QUIET);
    expect(await syncs.deleteSync(id, NOTE)).toBe("deleted");
    expect(await syncs.findSync(id)).toBeUndefined();
  });

  test("of many who commit the same page at the same moment one does", async () => {
    const { syncs, ...kit } = await storeOn(where);
    const id = await kit.insert();
    await syncs.beginRun(id, QUIET);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        syncs.commitPage(id, page(1, { changes: [change("A!1.1")], marks: [mark("A!1.1", `v${n}`)] }), QUIET),
      ),
    );
    expect(answers.filter((answer) => answer === "committed")).toHaveLength(1);
    expect(await read(syncs, id)).toHaveLength(1);
    expect(await syncs.remembered(id, ["A!1.1"])).toEqual([
      { version: `v${answers.indexOf("committed")}`, scan: 1 },
    ]);
  });

  test("a pass remembers its cursor and its start, and forgets its start when it is complete", async () => {
    const { syncs, ...kit } = await storeOn(where);
    const id = await kit.insert();
    const begun = await syncs.beginRun(id, QUIET);
    if (begun.kind !== "begun") throw new Error(begun.kind);
    const { passStartedAt } = begun.sync;
    expect(begun.sync.cursor).toEqual(firstCursor());
    const under = { ...firstCursor(), scan: { ...newScan({ scans: 0 }, 5), page: "cursor-2" }, scans: 1 };
    await syncs.commitPage(id, page(1, { cursor: under }), QUIET);
    expect(await syncs.findSync(id)).toMatchObject({
      cursor: { ...under, sequence: 2 },
      passStartedAt,
      baselineAt: undefined,
    });
    await syncs.commitPage(
      id,
      page(2, { pass: "complete", marks: [mark("A!1.1", "v2", 40)], forgotten: ["A!2.1"] }),
      QUIET,
    );
    const complete = (await syncs.findSync(id))!;
    expect(complete.cursor).toEqual({ ...FOLLOWING, sequence: 3, scans: 0 });
    expect(complete.passStartedAt).toBeUndefined();
    expect(complete.baselineAt).toBe(complete.lastCompleteAt);
    expect(complete.dueAt).toBe(passStartedAt + 60_000);
    expect(await syncs.remembered(id, ["A!1.1", "A!2.1"])).toEqual([{ version: "v2", scan: 40 }, undefined]);
    expect(complete.counts).toEqual({
      passes: 1,
      documents: 4,
      changes: 4,
      unreadable: 0,
      objects: 1,
      failures: 0,
    });
  });

  test("a page of thousands is stored whole, and what a scan has not met is found", async () => {
    const { syncs, ...kit } = await storeOn(where);
    const id = await kit.insert();
    await syncs.beginRun(id, QUIET);
    const names = Array.from({ length: 9_999 }, (_, i) => `A!${i}.1`);
    const marks = names.map((name, i) => mark(name, `version ${i}`, i % 5_000 === 0 ? 1 : 2));
    await syncs.commitPage(id, page(1, { changes: [], marks }), QUIET);
    expect((await syncs.findSync(id))!.counts.objects).toBe(9_999);
    const last = await syncs.remembered(id, ["A!9998.1"]);
    expect(last).toEqual([{ version: "version 9998", scan: 2 }]);
    const unmarked: string[] = [];
    let from: string | undefined;
    do {
      const found = await syncs.unmarked(id, 2, from, 1);
      unmarked.push(...found.objects);
      from = found.next;
    } while (from !== undefined);
    expect([...new Set(unmarked)].sort()).toEqual(["A!0.1", "A!5000.1"]);
  });

  test("a run that says nothing for its quiet time is due again, one that ends is due when it said", async () => {
    const { syncs, offset, ...kit } = await storeOn(where);
    const id = await kit.insert();
    await syncs.beginRun(id, QUIET);
    expect(await syncs.dueSyncs(kit.organisation, 10)).toEqual([]);
    // Its job comes again before that: the run was killed.
    expect((await syncs.beginRun(id, QUIET)).kind).toBe("begun");
    offset.ms += QUIET;
    expect(await syncs.dueSyncs(kit.organisation, 10)).toEqual([id]);

    await syncs.beginRun(id, QUIET);
    await syncs.endRun(id, 1, {
      retryAfterMs: 5_000,
      code: "imanage_unavailable",
      park: false,
    });
    expect((await syncs.beginRun(id, QUIET)).kind).toBe("not_due");
    offset.ms += 5_000;
    expect(await syncs.dueSyncs(kit.organisation, 10)).toEqual([id]);
  });

  test("the end of a run that was overtaken changes nothing", async () => {
    const { syncs, ...kit } = await storeOn(where);
    const id = await kit.insert();
    await syncs.beginRun(id, QUIET);
    await syncs.commitPage(id, page(1), QUIET);
    const after = await syncs.findSync(id);
    await syncs.endRun(id, 1, {
      retryAfterMs: 0,
      code: "authorization_required",
      park: true,
    });
    expect(await syncs.findSync(id)).toEqual(after);
  });

  test("an organisation is found by its hint as soon as one of its syncs is due, and no longer than that", async () => {
    const { syncs, offset, ...kit } = await storeOn(where);
    const found = async () => (await syncs.dueOrganisations(100_000)).includes(kit.organisation);
    const id = await kit.insert();
    expect(await found()).toBe(true);
    await syncs.beginRun(id, QUIET);
    await syncs.restateHint(kit.organisation);
    expect(await found()).toBe(false);
    // Wanted while it runs, then heard of again, then complete long before its quiet time: due at once.
    await syncs.wantSync(id);
    expect(await found()).toBe(true);
    await syncs.beginRun(id, QUIET);
    await syncs.restateHint(kit.organisation);
    expect(await found()).toBe(false);
    await syncs.commitPage(id, page(1, { pass: "complete" }), QUIET);
    expect(await found()).toBe(true);
    await syncs.beginRun(id, QUIET);
    await syncs.restateHint(kit.organisation);
    await syncs.commitPage(id, page(2, { pass: "complete" }), QUIET);
    expect(await found()).toBe(false);
    offset.ms += 60_000;
    expect(await found()).toBe(true);
    await syncs.deleteSync(id, NOTE);
    await syncs.restateHint(kit.organisation);
    expect(await found()).toBe(false);
  });

  test("everything of an organisation's syncs lies in its own slot, and an ended one leaves no key", async () => {
    const { syncs, store, ...kit } = await storeOn(where);
    const id = await kit.insert();
    await syncs.beginRun(id, QUIET);
    await syncs.commitPage(id, page(1), QUIET);
    await syncs.deleteSync(id, NOTE);
    expect(await syncs.findSync(id)).toBeUndefined();
    expect(await syncs.listSyncs(kit.organisation, kit.client)).toEqual([]);
    expect(await store.call((redis) => redis.exists(syncDueKey(kit.organisation)))).toBe(0);
  });
});

test("a hint that was lost is made anew from the organisations' own schedules (F34)", async () => {
  const redis = await ownRedisForThisTest();
  const { store } = await redisFor({ ms: 0 }, redis.url);
  const syncs = new RedisSyncStore(store);
  const ids = identities();
  await store.call((connection) => connection.hset(organisationNamesKey(), "firm", ids.organisation));
  const id = await insert(syncs, ids);
  await store.call((connection) => connection.del(syncDueHintKey()));
  expect(await syncs.dueOrganisations(10)).toEqual([]);
  await syncs.restateAllHints();
  expect(await syncs.dueOrganisations(10)).toEqual([ids.organisation]);
  expect(await syncs.dueSyncs(ids.organisation, 10)).toEqual([id]);
});

test("with Redis full a run still ends, and pausing and deleting still work (F29)", async () => {
  const redis = await ownRedisForThisTest();
  const { store } = await redisFor({ ms: 0 }, redis.url);
  const syncs = new RedisSyncStore(store);
  const ids = identities();
  const id = await insert(syncs, ids);
  await syncs.beginRun(id, QUIET);
  await store.call((connection) => connection.config("SET", "maxmemory", "1"));

  await expect(syncs.commitPage(id, page(1), QUIET)).rejects.toMatchObject({ code: "store_unavailable" });
  await syncs.endRun(id, 1, { retryAfterMs: 0, code: "store_unavailable", park: false });
  expect(await syncs.pauseSync(id, NOTE)).toBe("paused");
  expect(await syncs.deleteSync(id, NOTE)).toBe("deleted");
});

test("a sync written by a newer broker is refused, never guessed at", async () => {
  const { syncs, store, ...kit } = await storeOn("one Redis");
  const id = await kit.insert();
  await store.call((redis) => redis.hset(`b1:{o:${kit.route}}:sync:${id}`, "v", "2"));
  await expect(syncs.findSync(id)).rejects.toMatchObject({ code: "integrity_failure" });
});

test("clients see their own syncs of an organisation, oldest first", async () => {
  const { syncs, ...kit } = await storeOn("one Redis");
  const first = await kit.insert();
  const second = await insert(syncs, kit, "LITIGATION");
  await insert(syncs, { ...kit, client: identities().client }, "ACTIVE");
  const listed = await syncs.listSyncs(kit.organisation, kit.client);
  expect(listed.map(({ id }) => id)).toEqual([first, second].sort());
});
