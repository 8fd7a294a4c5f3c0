import type { SyncId } from "../domain/id.ts";
import type { JobData } from "./queues.ts";
import type { WorkerStories } from "./start-workers.ts";

/** Reads one library on from where its cursor stands. Run twice, the later one finds its page stored and ends. */
export const syncJob =
  ({ runSync }: Pick<WorkerStories, "runSync">, stopping: AbortSignal) =>
  async (job: { readonly data: JobData<SyncId> }): Promise<void> => {
    await runSync(job.data.id, stopping);
  };
