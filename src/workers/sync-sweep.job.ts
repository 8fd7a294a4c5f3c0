import type { Queue } from "bullmq";
import type { SyncId } from "../domain/id.ts";
import { addOncePerId, type JobData } from "./queues.ts";
import type { WorkerStories } from "./start-workers.ts";

/** Every sync whose time has come becomes a job. */
export const syncSweepJob =
  ({ sweepSyncs }: Pick<WorkerStories, "sweepSyncs">, syncs: Queue<JobData<SyncId>>) =>
  async (): Promise<void> =>
    addOncePerId(syncs, await sweepSyncs());
