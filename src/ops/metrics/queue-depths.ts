import type { Queue } from "bullmq";
import type { Milliseconds } from "../../domain/instant.ts";
import { nextJobDueMs } from "../next-job.ts";

export interface QueueDepth {
  readonly queue: string;
  readonly jobs: Readonly<Record<"waiting" | "active" | "delayed" | "failed", number>>;
  readonly oldestMs: Milliseconds;
}

/** Counts that BullMQ keeps, and the time of one job: no list is walked through. */
export const readQueueDepths = (
  queues: readonly Queue[],
  now: () => Milliseconds,
): Promise<readonly QueueDepth[]> =>
  Promise.all(
    queues.map(async (queue) => {
      const counts = await queue.getJobCounts("wait", "prioritized", "active", "delayed", "failed");
      const of = (name: string): number => counts[name] ?? 0;
      const waiting = of("wait") + of("waiting") + of("prioritized");
      return {
        queue: queue.name,
        jobs: { waiting, active: of("active"), delayed: of("delayed"), failed: of("failed") },
        oldestMs:
          waiting === 0 ? 0 : await nextJobDueMs(queue, of("prioritized") > 0 ? "prioritized" : "wait", now),
      };
    }),
  );
