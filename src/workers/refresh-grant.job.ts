import type { GrantId } from "../domain/id.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import type { CrashGuard } from "./crash-guard.ts";
import { type JobData, QUEUES } from "./queues.ts";
import type { WorkerStories } from "./start-workers.ts";

/** A job leaves its place to other organisations after this long, however much is due in its own. */
const CHAIN_MS: Milliseconds = seconds(5);

/**
 * Refreshes one grant, and then others of its organisation that are due: a job that got one of the server's places keeps
 * it, while those that found it full go back into the schedule. So a firm whose every grant is due is through as fast as
 * its server's gate allows, and not as fast as sweeps come. Run twice, the second finds a fresh token, or the lease held.
 */
export const refreshGrantJob =
  (
    { refreshGrant, nextDueGrant }: Pick<WorkerStories, "refreshGrant" | "nextDueGrant">,
    guard: CrashGuard,
    stopping: AbortSignal,
    monotonicMs: () => Milliseconds = () => performance.now(),
  ) =>
  async ({ data }: { readonly data: JobData<GrantId> }): Promise<void> => {
    const until = monotonicMs() + CHAIN_MS;
    const done = new Set<GrantId>();
    for (let id: GrantId | undefined = data.id; id !== undefined; ) {
      const grant: GrantId = id;
      done.add(grant);
      let refreshed = false;
      await guard.run(QUEUES.refreshGrant, grant, async () => {
        refreshed = await refreshGrant(grant);
      });
      id =
        refreshed && !stopping.aborted && monotonicMs() < until ? await nextDueGrant(grant, done) : undefined;
    }
  };
