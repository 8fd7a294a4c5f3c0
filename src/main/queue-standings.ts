import { Queue } from "bullmq";
import { nextJobDueMs } from "../ops/next-job.ts";
import { connectRedis, disconnect } from "../store/connect-redis.ts";
import { QUEUES, queueOptions } from "../workers/queues.ts";
import type { Broker } from "./compose.ts";

/** How each queue stands at this moment. */
export async function queueStandings({ redisAddress, clock }: Pick<Broker, "redisAddress" | "clock">) {
  const connection = connectRedis(redisAddress, "durable");
  const queues = Object.values(QUEUES).map((name) => {
    const queue = new Queue(name, { ...queueOptions(name, connection), skipWaitingForReady: true });
    // Told by the command's own connection.
    queue.on("error", () => {});
    return queue;
  });
  try {
    return await Promise.all(
      queues.map(async (queue) => {
        const counts = await queue.getJobCounts("waiting", "prioritized", "active", "delayed", "failed");
        const waiting = (counts.waiting ?? 0) + (counts.prioritized ?? 0);
        const now = () => clock.now();
        const due = [await nextJobDueMs(queue, "wait", now), await nextJobDueMs(queue, "prioritized", now)];
        return {
          name: queue.name,
          waiting,
          active: counts.active ?? 0,
          delayed: counts.delayed ?? 0,
          failed: counts.failed ?? 0,
          oldest_waits_s: waiting === 0 ? null : Math.round(Math.max(...due) / 1_000),
        };
      }),
    );
  } finally {
    await Promise.allSettled(queues.map((queue) => queue.close()));
    disconnect(connection);
  }
}
