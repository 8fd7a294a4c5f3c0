import { expect, test } from "vitest";
import type { GrantId, SyncId } from "../../src/domain/id.ts";
import { hours, minutes, seconds } from "../../src/domain/instant.ts";
import { Problem } from "../../src/domain/problem.ts";
import { dueKey, grantKey, syncDueKey } from "../../src/store/keys.ts";
import { RedisJobStarts } from "../../src/store/redis-job-starts.ts";
import { CrashGuard } from "../../src/workers/crash-guard.ts";
import { AMELIA, world } from "../kit/world.ts";
import { NOTE, syncKit } from "../sync/kit.ts";
import { Happened } from "./kit.ts";

const LIFE_MS = seconds(3);
/** Nothing more is heard of any run. */
const silent = { every: () => () => {} };

/** A sync, and a guard for each process that dies: a work that never ends stands for one that died with its process. */
async function guardedSync() {
  const kit = await syncKit();
  const starts = new RedisJobStarts(kit.store);
  const sync = await kit.create();
  const guard = () => new CrashGuard(starts, kit.log, silent, LIFE_MS);
  return {
    ...kit,
    starts,
    sync,
    guard,
    async dies(id: SyncId = sync, times = 1) {
      for (let i = 0; i < times; i++) {
        const { promise: running, resolve } = Promise.withResolvers<void>();
        void guard().run("sync", id, () => {
          resolve();
          return new Promise(() => {});
        });
        await running;
        kit.advance(LIFE_MS);
      }
    },
    async runs(id: SyncId = sync) {
      let ran = false;
      await guard().run("sync", id, async () => {
        ran = true;
      });
      return ran;
    },
  };
}

test("a sync whose process died three times under it is parked with its reason, said once, and back after an hour", async () => {
  const { dies, runs, syncs, sync, log, advance, organisation } = await guardedSync();
  await dies(sync, 3);
  expect(await runs()).toBe(false);
  const parked = (await syncs.findSync(sync))!;
  expect(parked).toMatchObject({ state: "parked", parkedBecause: "worker_crashed" });
  expect(log.lines).toEqual([expect.objectContaining({ code: "worker_crashed", sync, message: "sync" })]);

  // Asked for, it is due and goes back to where it was put.
  await syncs.wantSync(sync);
  expect(await runs()).toBe(false);
  expect((await syncs.findSync(sync))!.dueAt).toBe(parked.dueAt);
  expect(await syncs.dueSyncs(organisation, 10)).toEqual([]);
  expect(log.lines).toHaveLength(1);

  advance(hours(1) + 1_000);
  expect(await syncs.dueSyncs(organisation, 10)).toEqual([sync]);
  // Its one try; dead once more, it is put aside again.
  await dies();
  expect(await runs()).toBe(false);
  expect(log.lines).toHaveLength(2);
  advance(hours(1) + 1_000);
  expect(await runs()).toBe(true);
  await dies(sync, 2);
  expect(await runs(), "an orderly end took the count back").toBe(true);
});

test("resumed by its client, a parked sync is due at once and has all its tries again", async () => {
  const { dies, runs, syncs, stories, sync, caller, organisation } = await guardedSync();
  await dies(sync, 3);
  await runs();
  expect(await stories.resume(caller, sync, NOTE)).toMatchObject({
    state: "active",
    parkedBecause: undefined,
  });
  expect(await syncs.dueSyncs(organisation, 10)).toEqual([sync]);
  await dies(sync, 2);
  expect(await runs()).toBe(true);
});

test("a run that failed ended in order: however often, it is not put aside", async () => {
  const { guard, runs, sync } = await guardedSync();
  for (let i = 0; i < 5; i++) {
    const failing = guard().run("sync", sync, async () => {
      throw new Problem("store_unavailable");
    });
    await expect(failing).rejects.toThrow(Problem);
  }
  expect(await runs()).toBe(true);
});

test("F38 a page that was stored is progress: killed twenty times after one each, a sync is never put aside", async () => {
  const { guard, runs, sync, advance } = await guardedSync();
  for (let i = 0; i < 20; i++) {
    const { promise: progressed, resolve } = Promise.withResolvers<true>();
    const run = guard().run("sync", sync, async (tell) => {
      await tell();
      resolve(true);
      return new Promise(() => {});
    });
    expect(await Promise.race([progressed, run.then(() => false)]), `start ${i + 1}`).toBe(true);
    advance(LIFE_MS);
  }
  expect(await runs()).toBe(true);
});

test("F37 what ran when a process died runs alone the next time, until it has got somewhere; all others run beside it", async () => {
  const { dies, starts, sync, log, newSync } = await guardedSync();
  const [second, innocent] = [newSync(), newSync()];
  await dies(sync);
  await dies(second);
  const happened = new Happened();
  const guard = new CrashGuard(starts, log, silent, LIFE_MS);
  const { promise: page, resolve: storePage } = Promise.withResolvers<void>();
  const { promise: end, resolve: letEnd } = Promise.withResolvers<void>();
  const first = guard.run("sync", sync, async (progressed) => {
    happened.tell("first runs");
    await page;
    await progressed();
    await end;
  });
  await happened.until("first runs");
  const other = guard.run("sync", second, async () => happened.tell("second runs"));
  await guard.run("sync", innocent, async () => happened.tell("innocent runs"));
  expect(happened.all).toEqual(["first runs", "innocent runs"]);
  storePage();
  await other;
  letEnd();
  await first;
});

test("a grant whose refresh takes the worker down is put aside for an hour, with an entry on its timeline; who asks for a token gets one", async () => {
  const here = await world();
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const grant = (await here.client.accessToken(ask)).body.grant as GrantId;
  const { jobStarts, grantStore, stores } = here.broker;
  const guard = new CrashGuard(jobStarts, here.broker.log, silent, LIFE_MS);
  const due = () =>
    stores.fast.call((redis) => redis.zscore(dueKey(here.organisation as never), grant)).then(Number);
  for (let i = 0; i < 3; i++) {
    await jobStarts.begun(grant, `run ${i}`, LIFE_MS);
    here.advance(LIFE_MS);
  }
  await guard.run("refresh-grant", grant, () => expect.unreachable("it is put aside"));

  expect((await due()) - (await stores.fast.now())).toBeGreaterThan(minutes(59));
  expect((await grantStore.timeline(grant)).map(({ kind }) => kind)).toContain("refresh.put_aside");
  expect(here.lines.filter((line) => line.includes("worker_crashed"))).toHaveLength(1);
  here.advance(minutes(31));
  const next = await here.client.accessToken(ask);
  expect(next).toMatchObject({ status: 200, body: { grant } });
});

test("what is gone or paused is not put on the schedule again", async () => {
  const { dies, runs, stories, syncs, sync, caller, organisation, store, newSync } = await guardedSync();
  await dies(sync, 3);
  await stories.pause(caller, sync, NOTE);
  expect(await runs()).toBe(false);
  expect(await syncs.findSync(sync)).toMatchObject({ state: "paused", dueAt: undefined });

  const gone = newSync();
  await dies(gone, 3);
  expect(await runs(gone)).toBe(false);
  expect(await store.call((redis) => redis.zcard(syncDueKey(organisation)))).toBe(0);
  expect(await store.call((redis) => redis.exists(grantKey(gone as never)))).toBe(0);
});

test("work that several do at once is done by one of them, and no start is taken for a death", async () => {
  const { starts, sync, log } = await guardedSync();
  const happened = new Happened();
  const { promise: end, resolve: letEnd } = Promise.withResolvers<void>();
  const guard = () => new CrashGuard(starts, log, silent, LIFE_MS);
  const first = guard().run("sync", sync, async () => {
    happened.tell("runs");
    await end;
  });
  await happened.until("runs");
  for (let i = 0; i < 5; i++) await guard().run("sync", sync, () => expect.unreachable("it is under way"));
  await Promise.all([1, 2, 3].map((i) => starts.begun(sync, `another ${i}`, LIFE_MS)));
  expect(await starts.history(sync)).toEqual({ starts: 1, asideMs: undefined, running: true });
  letEnd();
  await first;
  expect(await starts.history(sync)).toEqual({ starts: 0, asideMs: undefined, running: false });
});

test("a run that takes long stays the only one for as long as its process says so, and its end is no other's", async () => {
  const { starts, sync, log, advance } = await guardedSync();
  const renewals: (() => void)[] = [];
  const timers = {
    every(ms: number, renew: () => void) {
      expect(ms).toBeLessThan(LIFE_MS / 2);
      renewals.push(renew);
      return () => renewals.pop();
    },
  };
  const happened = new Happened();
  const { promise: end, resolve: letEnd } = Promise.withResolvers<void>();
  const first = new CrashGuard(starts, log, timers, LIFE_MS).run("sync", sync, async () => {
    happened.tell("runs");
    await end;
  });
  await happened.until("runs");
  for (let i = 0; i < 4; i++) {
    advance(LIFE_MS * 0.9);
    renewals[0]!();
    await expect.poll(async () => (await starts.history(sync)).running).toBe(true);
  }
  // Held up for so long that another began: that one's start is not taken back by the end of this one.
  advance(LIFE_MS);
  expect(await starts.begun(sync, "another", LIFE_MS)).toBe(true);
  letEnd();
  await first;
  expect(await starts.history(sync)).toEqual({ starts: 2, asideMs: undefined, running: true });
  expect(renewals).toEqual([]);
});
