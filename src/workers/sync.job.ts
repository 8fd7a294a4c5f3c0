import type { SyncId } from "../domain/id.ts";
import type { CrashGuard } from "./crash-guard.ts";
import { type JobData, QUEUES } from "./queues.ts";
import type { WorkerStories } from "./start-workers.ts";

/** Reads one library on from where its cursor stands. Run twice, the later one finds its page stored and ends. */
export const syncJob =
  ({ runSync }: Pick<WorkerStories, "runSync">, guard: CrashGuard, stopping: AbortSignal) =>
  ({ data: { id } }: { readonly data: JobData<SyncId> }): Promise<void> =>
    guard.run(QUEUES.sync, id, (progressed) => runSync(id, stopping, progressed));
