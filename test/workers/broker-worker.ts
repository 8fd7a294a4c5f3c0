/**
 * The product's workers in a process of their own, for killing: `node broker-worker.ts '<WorkerOrders>'`, a broker's
 * environment, and a parent that hears what its syncs do.
 */
import { readSettings } from "../../src/config/settings.ts";
import type { SubscriptionId, SyncId } from "../../src/domain/id.ts";
import { ImanageDocuments } from "../../src/imanage/imanage-documents.ts";
import { ImanageObjects } from "../../src/imanage/imanage-objects.ts";
import { compose } from "../../src/main/compose.ts";
import { rootKeysetOf } from "../../src/main/root-keys.ts";
import { systemClock, systemTimers } from "../../src/ops/clock.ts";
import { makeLog } from "../../src/ops/log.ts";
import { connectRedis } from "../../src/store/connect-redis.ts";
import { RedisDeliveryStore } from "../../src/store/redis-delivery-store.ts";
import { RedisSyncStore } from "../../src/store/redis-sync-store.ts";
import { SyncRuns } from "../../src/sync/run-sync.ts";
import { startWorkers, type WorkerTiming } from "../../src/workers/start-workers.ts";

export interface WorkerOrders {
  readonly timing?: Partial<WorkerTiming>;
  readonly pageSize?: number;
  /** Ahead of the clock, for the broker and its scripts. */
  readonly offsetMs?: number;
  /** This sync's job ends the process as soon as it runs. */
  readonly abort?: SyncId;
  /**
   * Each job stands still as soon as it runs, or has stored a page, or has a receiver's answer and has stored nothing of it, until the
   * parent says `go`.
   */
  readonly hang?: "run" | "page" | "settle";
}

export type FromWorker =
  | { readonly says: "ready" }
  | { readonly says: "run" | "page"; readonly id: SyncId }
  | { readonly says: "settle"; readonly id: SubscriptionId }
  | { readonly says: "end"; readonly id: SyncId; readonly how: string };

const { timing = {}, pageSize = 500, offsetMs = 0, abort, hang }: WorkerOrders = JSON.parse(process.argv[2]!);
const tell = (what: FromWorker) => new Promise<void>((resolve) => process.send!(what, () => resolve()));
const go = new Promise<void>((resolve) => process.once("message", () => resolve()));

const settings = readSettings();
const log = makeLog({ level: "info" });
const broker = await compose({
  settings,
  rootKeyset: await rootKeysetOf(settings),
  log,
  clock: systemClock(() => offsetMs),
  storeOffsetMs: () => offsetMs,
});
await broker.ready();
const runs = new SyncRuns(
  {
    clock: broker.clock,
    timers: systemTimers(),
    log,
    sealer: broker.sealer,
    syncs: new RedisSyncStore(broker.stores.fast),
    clients: broker.configuration,
    documents: new ImanageDocuments(broker.backgroundApi),
    objects: new ImanageObjects(broker.backgroundApi),
    servers: broker.configuration,
    accessToken: broker.accessTokens.provide.bind(broker.accessTokens),
  },
  { pageSize },
);
const { settle } = RedisDeliveryStore.prototype;
RedisDeliveryStore.prototype.settle = async function (id, ...of) {
  await tell({ says: "settle", id });
  if (hang === "settle") await go;
  return settle.call(this, id, ...of);
};
await startWorkers({
  connect: () => connectRedis(broker.redisAddress, "blocking"),
  timers: systemTimers(),
  jobStarts: broker.jobStarts,
  log,
  timing,
  stories: {
    ...broker.workerStories,
    async runSync(id, stopping, progressed) {
      await tell({ says: "run", id });
      if (id === abort) process.abort();
      if (hang === "run") await go;
      const { kind } = await runs.run(id, stopping, async () => {
        await progressed?.();
        await tell({ says: "page", id });
        if (hang === "page") await go;
      });
      await tell({ says: "end", id, how: kind });
    },
  },
});
await tell({ says: "ready" });
