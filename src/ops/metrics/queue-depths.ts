import type { Queue } from "bullmq";
import type { Milliseconds } from "../../domain/instant.ts";

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
      const [next] =
        waiting === 0
          ? []
          : await queue.getJobs([of("prioritized") > 0 ? "prioritized" : "wait"], 0, 0, true);
      return {
        queue: queue.name,
        jobs: { waiting, active: of("active"), delayed: of("delayed"), failed: of("failed") },
        // A scheduled job was made when the one before it began.
        oldestMs: next ? Math.max(0, now() - next.timestamp - (next.delay ?? 0)) : 0,
      };
    }),
  );
