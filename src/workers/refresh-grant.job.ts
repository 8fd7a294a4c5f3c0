import type { GrantId } from "../domain/id.ts";
import type { CrashGuard } from "./crash-guard.ts";
import { type JobData, QUEUES } from "./queues.ts";
import type { WorkerStories } from "./start-workers.ts";

/** Refreshes one grant. Run twice, the second finds a fresh token, or the lease held. */
export const refreshGrantJob =
  ({ refreshGrant }: Pick<WorkerStories, "refreshGrant">, guard: CrashGuard) =>
  ({ data: { id } }: { readonly data: JobData<GrantId> }): Promise<void> =>
    guard.run(QUEUES.refreshGrant, id, () => refreshGrant(id));
