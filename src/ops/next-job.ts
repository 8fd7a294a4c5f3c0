import type { Queue } from "bullmq";
import type { Milliseconds } from "../domain/instant.ts";

/**
 * How long the first job of that state has been due, or 0. A scheduled job was made when the one before it began, so its
 * delay does not count. Jobs carry the wall clock of whoever added them.
 */
export async function nextJobDueMs(
  queue: Queue,
  state: "wait" | "prioritized" | "delayed",
  now: () => Milliseconds,
): Promise<Milliseconds> {
  const [job] = await queue.getJobs([state], 0, 0, true);
  return job ? Math.max(0, now() - job.timestamp - (job.delay ?? 0)) : 0;
}
