import { once } from "node:events";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { hours } from "../../src/domain/instant.ts";
import { Problem } from "../../src/domain/problem.ts";
import { slotOf } from "../../src/store/cluster-slot.ts";
import { connectRedis } from "../../src/store/connect-redis.ts";
import { QUEUES, queuePrefix } from "../../src/workers/queues.ts";
import { addressOf, ownRedisCluster, ownRedisForThisTest } from "../kit/redis.ts";
import { ALL_QUEUES, Happened, queueOn, workersOn } from "./kit.ts";
import { FAST, GRANT, SYNC, TURN } from "./names.ts";

test("everything that is scheduled happens again and again", async () => {
  const redis = await ownRedisForThisTest();
  const happened = new Happened();
  await workersOn(redis.url, {
    sweepRefreshes: async () => happened.found("sweepRefreshes", []),
    sweepSyncs: async () => happened.found("sweepSyncs", []),
    exportAudit: async () => happened.tell("exportAudit"),
    revokePending: async () => happened.tell("revokePending"),
    reapUnbound: async () => happened.tell("reapUnbound"),
  });
  await Promise.all(
    ["sweepRefreshes", "sweepSyncs", "exportAudit", "revokePending", "reapUnbound"].map((what) =>
      happened.until(what, 5),
    ),
  );
});

test("each grant and each sync that is due becomes one job, however many sweeps find it while it runs", async () => {
  const redis = await ownRedisForThisTest();
  const happened = new Happened();
  const released = Promise.withResolvers<void>();
  await workersOn(redis.url, {
    sweepRefreshes: async () => happened.found("sweep", [GRANT]),
    sweepSyncs: async () => [TURN],
    async refreshGrant(id) {
      happened.tell(id);
      await released.promise;
      return false;
    },
    async runSync(id) {
      happened.tell(id);
      await released.promise;
    },
  });
  await Promise.all([happened.until(GRANT), happened.until(SYNC)]);
  await happened.until("sweep", happened.count("sweep") + 5);
  expect([happened.count(GRANT), happened.count(SYNC)]).toEqual([1, 1]);
  // Done and due again: the next sweep brings it back.
  released.resolve();
  await Promise.all([happened.until(GRANT, 2), happened.until(SYNC, 2)]);
});

test("F34 with every queue deleted, running jobs included, schedules and due work are back by themselves", async () => {
  const redis = await ownRedisForThisTest();
  const happened = new Happened();
  await workersOn(redis.url, {
    sweepRefreshes: async () => happened.found("sweepRefreshes", [GRANT]),
    refreshGrant: async () => told(happened, "refreshGrant"),
    sweepSyncs: async () => happened.found("sweepSyncs", [TURN]),
    runSync: async () => happened.tell("runSync"),
    exportAudit: async () => happened.tell("exportAudit"),
  });
  await happened.until("runSync", 2);
  for (const name of ALL_QUEUES) await queueOn(redis.url, name).obliterate({ force: true });
  const all = ["sweepRefreshes", "refreshGrant", "sweepSyncs", "runSync", "exportAudit"];
  await Promise.all(all.map((what) => happened.until(what, happened.count(what) + 5)));

  // And with their keys deleted under the workers' hands.
  const connection = connectRedis(addressOf(redis.url), "durable");
  onTestFinished(() => connection.disconnect());
  const keys = await connection.keys("b1:{q:*");
  expect(keys.length).toBeGreaterThan(10);
  await Promise.all(keys.map((key) => connection.del(key)));
  await Promise.all(all.map((what) => happened.until(what, happened.count(what) + 5)));
});

test("F23: after a clock that jumped an hour ahead and was set right, all that is scheduled goes on within a minute, and not in an hour", async () => {
  const redis = await ownRedisForThisTest();
  const happened = new Happened();
  await workersOn(redis.url, {
    sweepRefreshes: async () => happened.found("sweepRefreshes", []),
    sweepSyncs: async () => happened.found("sweepSyncs", []),
    exportAudit: async () => happened.tell("exportAudit"),
  });
  const all = ["sweepRefreshes", "sweepSyncs", "exportAudit"];
  await Promise.all(all.map((what) => happened.until(what, 2)));

  const right = Date.now;
  onTestFinished(() => {
    Date.now = right;
  });
  Date.now = () => right() + hours(1);
  // Whatever begins now plans the next by the wrong clock.
  await Promise.all(all.map((what) => happened.until(what, happened.count(what) + 2)));
  Date.now = right;
  await Promise.all(all.map((what) => happened.until(what, happened.count(what) + 5)));
});

test("T36 a job that fails leaves its problem code and nothing else of the error, and is not tried again", async () => {
  const redis = await ownRedisForThisTest();
  const happened = new Happened();
  const { log } = await workersOn(redis.url, {
    sweepRefreshes: async () => (happened.count("refreshed") === 0 ? [GRANT] : []),
    async refreshGrant() {
      happened.tell("refreshed");
      throw new TypeError("canary-token in a foreign error");
    },
    sweepSyncs: async () => (happened.count("ran") === 0 ? [TURN] : []),
    async runSync() {
      happened.tell("ran");
      throw new Problem("store_unavailable", { detail: "Redis: LOADING" });
    },
  });
  const failedOf = async (name: typeof QUEUES.sync | typeof QUEUES.refreshGrant) => {
    const queue = queueOn(redis.url, name);
    for (;;) {
      const [job] = await queue.getFailed();
      if (job !== undefined) return job;
      await new Promise(setImmediate);
    }
  };
  const defect = await failedOf(QUEUES.refreshGrant);
  expect(defect).toMatchObject({
    failedReason: "internal_error",
    stacktrace: ["internal_error"],
    attemptsMade: 1,
    data: { id: GRANT },
  });
  expect(await failedOf(QUEUES.sync)).toMatchObject({
    failedReason: "store_unavailable",
    data: { id: SYNC },
  });
  expect([happened.count("refreshed"), happened.count("ran")]).toEqual([1, 1]);

  expect(log.lines).toContainEqual(
    expect.objectContaining({ code: "internal_error", grant: GRANT, message: "refresh-grant" }),
  );
  expect(log.lines).toContainEqual(
    expect.objectContaining({ code: "store_unavailable", detail: "Redis: LOADING", message: "sync" }),
  );
  expect(JSON.stringify(log.lines)).not.toContain("canary");
  const connection = connectRedis(addressOf(redis.url), "durable");
  onTestFinished(() => connection.disconnect());
  for (const key of await connection.keys("*")) {
    expect((await connection.dumpBuffer(key))?.includes("canary") ?? false).toBe(false);
  }
});

test("closing tells running syncs to stop, waits for them, and takes no further job", async () => {
  const redis = await ownRedisForThisTest();
  const happened = new Happened();
  const { workers } = await workersOn(redis.url, {
    sweepSyncs: async () => [TURN],
    async runSync(_id, stopping) {
      happened.tell("running");
      await once(stopping, "abort");
      happened.tell("stopped");
    },
  });
  await happened.until("running");
  await workers.close();
  expect(happened.all).toEqual(["running", "stopped"]);
  await workers.close();
});

test("closing does not wait for ever for a job that does not stop", async () => {
  const redis = await ownRedisForThisTest();
  const happened = new Happened();
  const released = Promise.withResolvers<void>();
  const { workers } = await workersOn(
    redis.url,
    {
      sweepSyncs: async () => [TURN],
      async runSync() {
        happened.tell("running");
        await released.promise;
      },
    },
    { timing: { ...FAST, graceMs: 50 } },
  );
  await happened.until("running");
  await workers.close();
  released.resolve();
}, 5_000);

test("on a three-node cluster each queue has a slot of its own, and its jobs run", async () => {
  expect(ALL_QUEUES.map(queuePrefix)).toEqual(ALL_QUEUES.map((name) => `b1:{q:${name}}`));
  const cluster = await ownRedisCluster();
  onTestFinished(() => cluster.stop());
  const [node] = cluster.nodes;
  const asked = new Redis(node!.url);
  const slots = await Promise.all(
    ALL_QUEUES.map((name) => asked.cluster("KEYSLOT", `${queuePrefix(name)}:${name}:wait`)),
  );
  asked.disconnect();
  expect(new Set(slots).size).toBe(ALL_QUEUES.length);
  expect(slots).toEqual(ALL_QUEUES.map((name) => slotOf(`${queuePrefix(name)}:${name}:wait`)));
  // Of three masters none is without a queue.
  expect(new Set(slots.map((slot) => Math.floor((slot * 3) / 16_384))).size).toBe(3);
  const happened = new Happened();
  const clusterNodes = cluster.nodes.map(({ host, port }) => `${host}:${port}`);
  await workersOn(() => connectRedis({ url: "redis://cluster", clusterNodes }, "blocking"), {
    sweepSyncs: async () => [TURN],
    runSync: async (id) => happened.tell(id),
    sweepRefreshes: async () => [GRANT],
    refreshGrant: async (id) => told(happened, id),
  });
  await Promise.all([happened.until(SYNC, 3), happened.until(GRANT, 3)]);
});

/** Not a new token: nobody goes on with others. */
const told = (happened: Happened, what: string): boolean => {
  happened.tell(what);
  return false;
};

test("a subscription that has had its turn goes on behind those that wait for a place", async () => {
  const [a, b] = ["sub_a", "sub_b"] as const;
  const told: string[] = [];
  const { promise: third, resolve } = Promise.withResolvers<void>();
  let asked = false;
  await workersOn(
    (await ownRedisForThisTest()).url,
    {
      async sweepDeliveries() {
        if (asked) return [];
        asked = true;
        return [a, b];
      },
      async deliver(id) {
        told.push(id);
        if (told.length === 3) resolve();
        return told.length === 1 ? "goes_on" : "ended";
      },
    },
    { concurrency: { deliveries: 1 } },
  );
  await third;
  expect(told).toEqual([a, b, a]);
});
