import { expect, test } from "vitest";
import type { SyncId } from "../../src/domain/id.ts";
import type { SyncTurn } from "../../src/domain/sync-turns.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { Happened, workersOn } from "./kit.ts";

const id = (name: string) => `syn_${name.repeat(10)}${"0".repeat(28)}` as SyncId;
const turn = (name: string, at: number, late = false): SyncTurn => ({ id: id(name), turn: at, late });

test("jobs run in the order of their turns, and who has become late meanwhile is moved forward", async () => {
  const redis = await ownRedisForThisTest();
  const happened = new Happened();
  const released = Promise.withResolvers<void>();
  let due: readonly SyncTurn[] = [turn("x", 2)];
  await workersOn(
    redis.url,
    {
      sweepSyncs: async () => [...happened.found("sweep", due)],
      async runSync(sync) {
        const name = sync[4]!;
        due = due.filter((one) => one.id !== sync);
        happened.tell(`run ${name}`);
        if (name === "x") await released.promise;
      },
    },
    { concurrency: { syncs: 1 } },
  );
  const sweeps = (count: number) => happened.until("sweep", happened.count("sweep") + count);
  await happened.until("run x");
  due = [turn("c", 98), turn("b", 4), turn("a", 2), turn("d", 99)];
  await sweeps(2);
  due = [...due.slice(0, 3), turn("d", 1, true)];
  await sweeps(2);
  released.resolve();
  await happened.until("run c");
  expect(happened.all.filter((what) => what.startsWith("run"))).toEqual(
    ["x", "d", "a", "b", "c"].map((name) => `run ${name}`),
  );
});

test("a run gives its place to one that begins, at its next page, and has it again afterwards", async () => {
  const redis = await ownRedisForThisTest();
  const happened = new Happened();
  let due: readonly SyncTurn[] = [turn("x", 11)];
  await workersOn(
    redis.url,
    {
      sweepSyncs: async () => [...happened.found("sweep", due)],
      async runSync(sync, stopping) {
        const name = sync[4]!;
        happened.tell(`run ${name}`);
        if (name !== "x") due = due.filter((one) => one.id !== sync);
        else if (!stopping.aborted)
          await new Promise<void>((resolve) => stopping.addEventListener("abort", () => resolve()));
      },
    },
    { concurrency: { syncs: 1 } },
  );
  await happened.until("run x");
  due = [...due, turn("a", 2)];
  await happened.until("run x", 2);
  expect(happened.all.filter((what) => what.startsWith("run"))).toEqual(["run x", "run a", "run x"]);
});
