import type { GrantId } from "../domain/id.ts";
import type { JobData } from "./queues.ts";
import type { WorkerStories } from "./start-workers.ts";

/** Refreshes one grant. Run twice, the second finds a fresh token, or the lease held. */
export const refreshGrantJob =
  ({ refreshGrant }: Pick<WorkerStories, "refreshGrant">) =>
  async (job: { readonly data: JobData<GrantId> }): Promise<void> => {
    await refreshGrant(job.data.id);
  };
