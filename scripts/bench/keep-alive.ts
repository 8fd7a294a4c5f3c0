import { setTimeout as pause } from "node:timers/promises";
import { dueHintKey } from "../../src/store/keys.ts";
import { freePort } from "../redis/index.ts";
import { type RunningChild, startChild } from "./child.ts";
import { fromInfo } from "./grant-bytes.ts";
import { processorMs } from "./processor-time.ts";
import type { ScaleFirm } from "./scale-firm.ts";

/** What the schedule says and what a worker then did. */
export interface KeepAlive {
  /** Due within the next hour, by the schedule, without those that are late already. */
  readonly perHour: number;
  readonly late: number;
  /** What was late is done: in the time that follows so many became due, and so many calls iManage got. */
  readonly seconds: number;
  readonly due: number;
  readonly calls: number;
}

/** As long as exporting the audit of a million sign-ins may take. */
const PATIENCE_MS = 300_000;

/** A worker of its own process keeps the firm's grants alive: first those that are late, then for a while as they come. */
export async function keepAlive(firm: ScaleFirm, seconds: number): Promise<KeepAlive> {
  const { admin } = firm;
  const startsAt = await now(firm);
  const late = await dueBetween(firm, "-inf", startsAt);
  const perHour = await dueBetween(firm, `(${startsAt}`, startsAt + 3_600_000);
  const worker = await startWorker(firm);
  try {
    // The audit of a million sign-ins is exported meanwhile.
    const exported = async () => {
      const [audit, acked] = await admin.hmget(`${firm.prefix}gate`, "audit", "acked");
      return Number(audit) - Number(acked ?? 0) < 1_000;
    };
    await until(async () => (await dueBetween(firm, "-inf", await now(firm))) < 5 && (await exported()));
    const from = await now(firm);
    const before = refreshes(firm);
    const due = await dueBetween(firm, "-inf", from + seconds * 1_000);
    await pause(seconds * 1_000);
    return { perHour, late, seconds, due, calls: refreshes(firm) - before };
  } finally {
    await worker.stop();
  }
}

export interface RefreshCost {
  readonly refreshes: number;
  readonly perSecond: number;
  readonly aofBytesEach: number;
  readonly workerMsEach: number;
  readonly redisMsEach: number;
}

/** What one refresh takes, from the schedule to iManage and back: so many are due at once, and what an idle worker takes is left out. */
export async function refreshCost(firm: ScaleFirm, count: number): Promise<RefreshCost> {
  const { admin, prefix, redis } = firm;
  const worker = await startWorker(firm);
  try {
    const cost = async () => ({
      at: performance.now(),
      worker: (await processorMs(worker.pid)) ?? Number.NaN,
      redis: (await processorMs(redis.pid)) ?? Number.NaN,
      aof: await fromInfo(admin, "persistence", "aof_current_size"),
    });
    await pause(5_000);
    const idleFrom = await cost();
    await pause(5_000);
    const idleTo = await cost();
    const idleMs = idleTo.at - idleFrom.at;
    const before = refreshes(firm);
    const grants = await admin.zrange(`${prefix}grants`, "0", String(count - 1));
    const at = (await now(firm)) - 1;
    for (const id of grants) {
      await admin.hset(`${prefix}grant:${id}`, "due_at", at);
      await admin.zadd(`${prefix}due:refresh`, at, id);
    }
    // As whoever writes the schedule says it across organisations.
    await admin.zadd(dueHintKey(), at, prefix.slice("b1:{o:".length, -"}:".length));
    const from = await cost();
    await until(async () => refreshes(firm) - before >= count && (await dueBetween(firm, "-inf", at)) === 0);
    const to = await cost();
    const made = refreshes(firm) - before;
    const each = (what: "worker" | "redis" | "aof") =>
      (to[what] - from[what] - ((idleTo[what] - idleFrom[what]) * (to.at - from.at)) / idleMs) / made;
    return {
      refreshes: made,
      perSecond: (made * 1_000) / (to.at - from.at),
      aofBytesEach: each("aof"),
      workerMsEach: each("worker"),
      redisMsEach: each("redis"),
    };
  } finally {
    await worker.stop();
  }
}

const startWorker = async ({ broker }: ScaleFirm): Promise<RunningChild> =>
  startChild("../../src/main/worker.ts", { ...broker.env, OPS_PORT: String(await freePort()) });
const refreshes = ({ broker }: ScaleFirm): number => broker.simulator.counts().grant_types.refresh_token ?? 0;
const now = async ({ admin }: ScaleFirm): Promise<number> => Number((await admin.time())[0]) * 1_000;
const dueBetween = ({ admin, prefix }: ScaleFirm, from: string, to: number): Promise<number> =>
  admin.zcount(`${prefix}due:refresh`, from, to);

async function until(done: () => Promise<boolean>): Promise<void> {
  for (const startedAt = performance.now(); !(await done()); await pause(100))
    if (performance.now() - startedAt > PATIENCE_MS) throw new Error("the worker did not get there in time");
}
