import { EventEmitter, once } from "node:events";
import { Queue } from "bullmq";
import { onTestFinished } from "vitest";
import { systemTimers } from "../../src/ops/clock.ts";
import { connectRedis } from "../../src/store/connect-redis.ts";
import { RedisJobStarts } from "../../src/store/redis-job-starts.ts";
import { RedisStore } from "../../src/store/redis-store.ts";
import { QUEUES, type QueueConnection, type QueueName, queueOptions } from "../../src/workers/queues.ts";
import { startWorkers, type WorkerParts, type WorkerStories } from "../../src/workers/start-workers.ts";
import { addressOf } from "../kit/redis.ts";
import { KeptLog } from "../sync/kit.ts";
import { FAST } from "./names.ts";

/** Workers on `url` for the running test. Queues have fixed names, so each test has a Redis of its own. */
export async function workersOn(
  url: string | (() => QueueConnection),
  stories: Partial<WorkerStories>,
  parts: Partial<WorkerParts> = {},
) {
  const connect = typeof url === "string" ? () => connectRedis(addressOf(url), "blocking") : url;
  const log = new KeptLog();
  const connection = connect();
  const workers = await startWorkers({
    connect,
    stories: {
      sweepRefreshes: async () => [],
      refreshGrant: async () => false,
      sweepSyncs: async () => [],
      runSync: async () => {},
      sweepDeliveries: async () => [],
      subscriptionsBehind: async () => [],
      deliver: async () => {},
      exportAudit: async () => {},
      revokePending: async () => {},
      reapUnbound: async () => {},
      lookAgain: async () => {},
      checkStandings: async () => {},
      rotateKeys: async () => {},
      ...stories,
    },
    jobStarts: new RedisJobStarts(new RedisStore(connection)),
    timers: systemTimers(),
    log,
    timing: FAST,
    ...parts,
  });
  onTestFinished(async () => {
    await workers.close();
    connection.disconnect();
  });
  return { workers, log };
}

/** What happened, in order, and the next of a kind to wait for. */
export class Happened extends EventEmitter {
  readonly all: string[] = [];

  tell(what: string): void {
    this.all.push(what);
    this.emit(what);
  }

  /** Tells that something was looked for, and what was found. */
  found<T>(what: string, found: readonly T[]): readonly T[] {
    this.tell(what);
    return found;
  }

  count(what: string): number {
    return this.all.filter((it) => it === what).length;
  }

  async until(what: string, times = 1): Promise<void> {
    while (this.count(what) < times) await once(this, what);
  }
}

export function queueOn(url: string, name: QueueName): Queue {
  const connection = connectRedis(addressOf(url), "durable");
  const queue = new Queue(name, queueOptions(name, connection));
  onTestFinished(async () => {
    await queue.close();
    connection.disconnect();
  });
  return queue;
}

export const ALL_QUEUES = Object.values(QUEUES);
