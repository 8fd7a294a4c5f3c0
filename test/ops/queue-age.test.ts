import { expect, it } from "vitest";
import { judgeQueueAges, type QueueAge, readQueueAges } from "../../src/ops/queue-age.ts";
import { queueForThisTest } from "../kit/ops.ts";

const well: QueueAge = { queue: "refresh-grant", waitingMs: 0, lateMs: 0, paused: false, schedules: 1 };

it.each<[string, readonly Partial<QueueAge>[], RegExp | undefined]>([
  ["all is taken", [{}, { queue: "sync" }], undefined],
  ["a sync waits for its turn", [{ queue: "sync", waitingMs: 14 * 60_000 }], undefined],
  ["a job waits for a minute", [{ waitingMs: 61_000 }], /in refresh-grant for 61 s\.$/],
  [
    "a sweep is late in two queues",
    [{ lateMs: 90_000 }, { queue: "reap", lateMs: 70_000 }],
    /90 s, and in reap\.$/,
  ],
  ["a sync waits for longer", [{ queue: "sync", waitingMs: 16 * 60_000 }], /in sync for 960 s/],
  ["a queue is paused", [{ paused: true, waitingMs: 61_000 }], /refresh-grant: paused/],
  ["no worker ever ran", [{ schedules: 0 }], /No worker/],
])("where %s it says so, with what to do, and keeps no process from its work", (_, changes, sentence) => {
  const finding = judgeQueueAges(changes.map((change) => ({ ...well, ...change })));
  expect(finding).toMatchObject({ check: "queue-age", ok: sentence === undefined, severity: "warn" });
  if (sentence !== undefined) {
    expect(finding.sentence).toMatch(sentence);
    expect(finding.remedy).toMatch(/\w/);
  }
});

it("reads of a queue how long its next job waits, since when a scheduled one is due, and whether it is paused", async () => {
  const queue = queueForThisTest();
  const read = async (aheadMs: number) => (await readQueueAges([queue], () => Date.now() + aheadMs))[0]!;
  expect(await read(0)).toEqual({ queue: queue.name, waitingMs: 0, lateMs: 0, paused: false, schedules: 0 });
  await queue.add("x", {}, { delay: 10_000 });
  await queue.upsertJobScheduler("sweep", { every: 3_600_000 }, { name: "sweep" });
  expect(await read(0)).toMatchObject({ lateMs: 0, schedules: 1 });
  const late = await read(70_000);
  expect(late.lateMs).toBeGreaterThanOrEqual(59_000);
  await queue.add("x", {});
  await queue.add("x", {}, { priority: 7 });
  await queue.pause();
  const read70 = await read(70_000);
  expect(read70.paused).toBe(true);
  expect(read70.waitingMs).toBeGreaterThanOrEqual(69_000);
});
