import type { Queue } from "bullmq";
import type { Tracer } from "../broker/tracer.ts";
import type { SyncId } from "../domain/id.ts";
import { addInTurn, type JobData } from "./queues.ts";
import type { WorkerStories } from "./start-workers.ts";

/** Every sync whose time has come becomes a job, in its turn. */
export const syncSweepJob =
  (
    { sweepSyncs }: Pick<WorkerStories, "sweepSyncs">,
    syncs: Queue<JobData<SyncId>>,
    tracer: Tracer | undefined,
  ) =>
  async (): Promise<void> =>
    addInTurn(syncs, await sweepSyncs(), tracer);
