import type { Queue } from "bullmq";
import type { Tracer } from "../broker/tracer.ts";
import type { GrantId } from "../domain/id.ts";
import { addOncePerId, type JobData } from "./queues.ts";
import type { WorkerStories } from "./start-workers.ts";

/** Every grant whose time has come becomes a job. */
export const refreshSweepJob =
  (
    { sweepRefreshes }: Pick<WorkerStories, "sweepRefreshes">,
    grants: Queue<JobData<GrantId>>,
    tracer: Tracer | undefined,
  ) =>
  async (): Promise<void> =>
    addOncePerId(grants, await sweepRefreshes(), tracer);
