import { expect, onTestFinished, test } from "vitest";
import { makeId, type SyncId } from "../../src/domain/id.ts";
import type { ProblemCode } from "../../src/domain/problem-catalogue.ts";
import { WHOLE_LIBRARY } from "../../src/domain/sync-wish.ts";
import { systemRandom } from "../../src/security/random.ts";
import { SyncsDueListener } from "../../src/store/change-listener.ts";
import { connectRedis, disconnect, whenReady } from "../../src/store/connect-redis.ts";
import { organisationPrefix, serverGateKey } from "../../src/store/keys.ts";
import { RedisSyncStore } from "../../src/store/redis-sync-store.ts";
import { SyncSweep } from "../../src/sync/sweep-syncs.ts";
import { addressOf, ownRedisForThisTest } from "../kit/redis.ts";
import { identities, NOTE, redisFor } from "../sync/kit.ts";

/** A sync that waits for somebody, and what the scripts do that say that he has acted. */
async function parked(code: ProblemCode = "authorization_required") {
  const { store } = await redisFor({ ms: 0 });
  const ids = identities();
  const syncs = new RedisSyncStore(store);
  const { id } = await syncs.insertSync(
    {
      ...{ id: ids.newSync(), client: ids.client, server: ids.server, library: "ACTIVE" },
      ...{ wish: WHOLE_LIBRARY, intervalMs: 60_000, fields: undefined },
    },
    NOTE,
  );
  await syncs.beginRun(id, 30_000);
  await syncs.endRun(id, 1, { code, park: true, retryAfterMs: 3_600_000 });
  const prefix = organisationPrefix(ids.organisation);
  const grant = `grt_${ids.route}_1`;
  const libraries = `${prefix}libraries:${ids.server}`;
  const due = async () => (await syncs.dueSyncs(ids.organisation, 10)).includes(id);
  expect(await due()).toBe(false);
  return {
    ...{ ...ids, store, syncs, sync: id, prefix, due },
    lift: async (server: string = ids.server) => {
      const at = `${prefix}libraries:${server}`;
      await store.call((redis) => redis.hset(at, "ACTIVE", JSON.stringify({ grant })));
      await store.call((redis) => redis.hset(`${prefix}parked`, "digest", "not_library_admin"));
      const args = [server, "ACTIVE", "digest", grant, "{}", "", ""];
      const keys = [at, `${prefix}standing:${server}`, `${prefix}parked`];
      expect(await store.run("put-standing", keys, args)).toBe("lifted");
    },
    async lend() {
      await store.call((redis) =>
        redis.hset(`${prefix}grant:${grant}`, "owner", JSON.stringify({ customerId: "1", userId: "amelia" })),
      );
      const args = [grant, ids.server, JSON.stringify([["ACTIVE", "digest", ""]]), "pages", "req-1"];
      expect(await store.run("bind-libraries", [`${prefix}grant:${grant}`, libraries], args)).toEqual([
        "lent",
      ]);
    },
    async unstop() {
      const key = `${prefix}containment:con_1`;
      const told = JSON.stringify(["containment", "con_1"]);
      await store.call((redis) => redis.hset(key, "record", "{}", "told", told));
      const audited = ["action", "containment.lifted"];
      expect(await store.run("containment-lift", [`${prefix}gate`], ["con_1", "{}", ...audited])).toBe(
        "lifted",
      );
    },
    /** A refresh that brings new tokens: of a grant that was given up, or at a server that refused everybody. */
    async refresh(before: "reauthorization_required" | "misconfigured") {
      const key = `${prefix}grant:${grant}`;
      const state = before === "misconfigured" ? "active" : before;
      await store.call((redis) => redis.hset(key, { gen: "1", state, rt_fp: "parent" }));
      const bound = JSON.stringify({ type: "library", library: "ACTIVE" });
      await store.call((redis) => redis.hset(`${prefix}grant-bindings:${grant}`, "digest", bound));
      if (before === "misconfigured")
        await store.call((redis) => redis.hset(serverGateKey(ids.server), "told", "1"));
      const keys = [key, `${prefix}due:refresh`, `${prefix}revocations`];
      const args = [grant, "attempt", 1, 1, "parent", "sealed", "fp", 1_000, 0, "", "", 0, 0, 1_000, 0];
      expect(await store.run("refresh-commit", keys, [...args, ids.server, "reg"])).toBe("committed");
    },
    async allow(client: string = ids.client) {
      const keys = [`${prefix}policy:${client}`, `${prefix}gate`];
      // What is stored carries its MAC in front: the script reads nothing from it.
      const args = ["", "a-mac.a-record", "action", "policy.put"];
      expect(await store.run("put-policy", keys, args)).toBe("stored");
    },
  };
}

type Parked = Awaited<ReturnType<typeof parked>>;

test.each<[string, (kit: Parked) => Promise<void>]>([
  ["its library is put aside no more", (kit) => kit.lift()],
  ["its library is lent again", (kit) => kit.lend()],
  ["a containment is lifted", (kit) => kit.unstop()],
  ["its client is given a policy", (kit) => kit.allow()],
  ["an authorization that was given up works again", (kit) => kit.refresh("reauthorization_required")],
  ["its server answers as it should again", (kit) => kit.refresh("misconfigured")],
])("a parked sync is due at once when %s, and the next sweep finds it", async (_title, act) => {
  const kit = await parked();
  const connection = connectRedis(addressOf(), "durable");
  onTestFinished(() => disconnect(connection));
  await whenReady(connection);
  const listener = new SyncsDueListener(connection);
  await listener.listen();
  const clock = { now: Date.now, monotonicMs: () => performance.now() };
  const sweep = new SyncSweep({ clock, schedule: kit.syncs }, listener);
  // From now on the hints are not restated for a minute.
  expect((await sweep.sweep()).map(({ id }) => id)).not.toContain(kit.sync);
  const { arrived } = listener.next(kit.organisation, 60_000);
  await act(kit);
  expect(await kit.due()).toBe(true);
  await arrived;
  expect((await sweep.sweep()).map(({ id }) => id)).toContain(kit.sync);
});

test("what a person or a defect of ours holds up waits on, and so does what waits for another server or client", async () => {
  for (const code of ["worker_crashed", "deletions_held", "sync_quota_exceeded"] as const) {
    const kit = await parked(code);
    await kit.lift();
    expect(await kit.due(), code).toBe(false);
  }
  const kit = await parked();
  await kit.lift(identities().server);
  await kit.allow(identities().client);
  expect(await kit.due()).toBe(false);
  await kit.syncs.pauseSync(kit.sync, NOTE);
  await kit.lift();
  expect(await kit.due()).toBe(false);
});

test("whoever may have acted reads those that wait and not all that go on: 1 of 200, and none once it has gone on", async () => {
  const { store } = await redisFor({ ms: 0 }, (await ownRedisForThisTest()).url);
  const { newSync: _, ...ids } = identities();
  const syncs = new RedisSyncStore(store);
  const made: SyncId[] = [];
  for (let n = 0; n < 200; n++) {
    const id = makeId("syn", ids.route, Date.now(), systemRandom.bytes(16));
    const of = { id, client: ids.client, server: ids.server, library: `L${n}`, wish: WHOLE_LIBRARY };
    await syncs.insertSync({ ...of, intervalMs: 60_000, fields: undefined }, NOTE);
    made.push(id);
  }
  const [waits, deleted] = made as [SyncId, SyncId];
  for (const id of [waits, deleted]) {
    await syncs.beginRun(id, 30_000);
    await syncs.endRun(id, 1, { code: "authorization_required", park: true, retryAfterMs: 3_600_000 });
  }
  await syncs.deleteSync(deleted, NOTE);
  const prefix = organisationPrefix(ids.organisation);
  const parkedNow = () => store.call((redis) => redis.smembers(`${prefix}syncs-parked`));
  expect(await parkedNow()).toEqual([waits]);
  const policy = [`${prefix}policy:${ids.client}`, `${prefix}gate`];
  let stored = 0;
  const reads = async () => {
    await store.call((redis) => redis.config("RESETSTAT"));
    const args = ["", `mac.${++stored}`, "action", "policy.put"];
    await store.call((redis) => redis.del(policy[0]!));
    expect(await store.run("put-policy", policy, args)).toBe("stored");
    const told = String(await store.call((redis) => redis.info("commandstats")));
    return Number(/cmdstat_hmget:calls=(\d+)/.exec(told)?.[1] ?? 0);
  };
  expect(await reads()).toBe(1);
  expect(await syncs.dueSyncs(ids.organisation, 300)).toContain(waits);
  await store.call((redis) => redis.hset(`${prefix}sync:${waits}`, "state", "active"));
  expect(await reads()).toBe(1);
  expect(await parkedNow()).toEqual([]);
  expect(await reads()).toBe(0);
});
