import type { SyncId } from "../domain/id.ts";
import type { CrashGuard } from "./crash-guard.ts";
import { type JobData, QUEUES } from "./queues.ts";
import type { WorkerStories } from "./start-workers.ts";
import type { SyncPlaces } from "./sync-places.ts";

/** Reads one library on from where its cursor stands. Run twice, the later one finds its page stored and ends. */
export const syncJob =
  (
    { runSync }: Pick<WorkerStories, "runSync">,
    guard: CrashGuard,
    places: SyncPlaces,
    stopping: AbortSignal,
  ) =>
  async ({ data: { id } }: { readonly data: JobData<SyncId> }): Promise<void> => {
    const leave = places.take();
    try {
      await guard.run(QUEUES.sync, id, (progressed) =>
        places.run(id, stopping, (signal) => runSync(id, signal, progressed)),
      );
    } finally {
      leave();
    }
  };
