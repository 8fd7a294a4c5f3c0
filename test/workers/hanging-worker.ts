/** A worker process that takes a sync's job and never ends it: for killing. `node hanging-worker.ts REDIS_URL`. */
import { connectRedis } from "../../src/store/connect-redis.ts";
import { RedisJobStarts } from "../../src/store/redis-job-starts.ts";
import { RedisStore } from "../../src/store/redis-store.ts";
import { startWorkers } from "../../src/workers/start-workers.ts";
import { FAST, SYNC } from "./names.ts";

const url = process.argv[2]!;
const say = () => {};
await startWorkers({
  connect: () => connectRedis({ url }, "durable"),
  jobStarts: new RedisJobStarts(new RedisStore(connectRedis({ url }, "durable"))),
  log: { info: say, warn: say, error: say },
  timing: FAST,
  stories: {
    sweepRefreshes: async () => [],
    refreshGrant: async () => {},
    sweepSyncs: async () => [SYNC],
    runSync: (id) => {
      process.stdout.write(`running ${id}\n`);
      return new Promise(() => {});
    },
    exportAudit: async () => {},
    revokePending: async () => {},
    reapUnbound: async () => {},
  },
});
