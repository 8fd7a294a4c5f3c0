import { setTimeout as pause } from "node:timers/promises";
import { startChild } from "./child.ts";
import { fromInfo } from "./grant-bytes.ts";
import { processorMs } from "./processor-time.ts";
import type { ScaleFirm } from "./scale-firm.ts";

/** What the schedule says and what a worker then did. */
export interface KeepAlive {
  /** Due within the next hour, by the schedule, without those that are late already. */
  readonly perHour: number;
  readonly late: number;
  /** The worker ran for so long: so many became due by its end, and so many calls iManage got. */
  readonly seconds: number;
  readonly due: number;
  readonly calls: number;
  /** Of what was due at its end, still waiting then. */
  readonly waiting: number;
  readonly aofBytesEach: number;
  readonly workerMsEach: number;
  readonly redisMsEach: number;
}

/** A worker of its own process keeps the firm's grants alive for a while. */
export async function keepAlive(firm: ScaleFirm, seconds: number): Promise<KeepAlive> {
  const { admin, prefix, broker } = firm;
  const due = `${prefix}due:refresh`;
  const now = async () => Number((await admin.time())[0]) * 1_000;
  const startsAt = await now();
  const late = await admin.zcount(due, "-inf", startsAt);
  const perHour = await admin.zcount(due, `(${startsAt}`, startsAt + 3_600_000);
  const calls = () => broker.simulator.counts().grant_types.refresh_token ?? 0;
  const before = { calls: calls(), aof: await fromInfo(admin, "persistence", "aof_current_size") };
  const redisMs = (await processorMs(firm.redis.pid)) ?? Number.NaN;
  const worker = await startChild("../../src/main/worker.ts", broker.env);
  const idle = (await processorMs(worker.pid)) ?? Number.NaN;
  const endsAt = startsAt + seconds * 1_000;
  const expected = await admin.zcount(due, "-inf", endsAt);
  await pause(endsAt - (await now()));
  const waiting = await admin.zcount(due, "-inf", endsAt);
  const made = calls() - before.calls;
  const workerMs = ((await processorMs(worker.pid)) ?? Number.NaN) - idle;
  const aof = (await fromInfo(admin, "persistence", "aof_current_size")) - before.aof;
  const redisSpent = ((await processorMs(firm.redis.pid)) ?? Number.NaN) - redisMs;
  await worker.stop();
  return {
    ...{ perHour, late, seconds, due: expected, calls: made, waiting },
    aofBytesEach: aof / made,
    workerMsEach: workerMs / made,
    redisMsEach: redisSpent / made,
  };
}
