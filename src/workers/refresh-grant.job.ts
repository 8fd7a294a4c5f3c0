import type { Timers } from "../broker/ports.ts";
import { type GrantId, organisationOf, type ServerId } from "../domain/id.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { serverLimits } from "../domain/server-gate.ts";
import type { CrashGuard } from "./crash-guard.ts";
import { type JobData, QUEUES } from "./queues.ts";
import type { WorkerStories } from "./start-workers.ts";

/** A job goes on behind other organisations' after this long, however much is due in its own. */
const CHAIN_MS: Milliseconds = seconds(5);
/** As many as find a place at a server of their own at once: more would stand back and come again. */
const HANDFUL = serverLimits.backgroundConcurrency;
const LOOK_AGAIN_MS: Milliseconds = 100;
const LOOKS_MAX = 6;

/**
 * Refreshes one grant, and then others of its organisation that are due, a handful at a time: a job that got places of the
 * server keeps them, while those that found it full go back into the schedule. So a firm whose every grant is due is through as fast
 * as its server's gate allows, and not as fast as sweeps come. Run twice, the second finds a fresh token, or the lease held.
 */
export const refreshGrantJob =
  (
    { refreshGrant }: Pick<WorkerStories, "refreshGrant">,
    guard: CrashGuard,
    stopping: AbortSignal,
    timers: Pick<Timers, "after">,
    goOnLater: (id: GrantId) => Promise<void>,
    monotonicMs: () => Milliseconds = () => performance.now(),
  ) =>
  async ({ data }: { readonly data: JobData<GrantId> }): Promise<void> => {
    const until = monotonicMs() + CHAIN_MS;
    const organisation = organisationOf(data.id);
    /** Not again in this job: what stood in its way will not be gone by then. */
    const tried = new Set<GrantId>();
    let refreshed = 0;
    let stoodBack = 0;
    const one = async (grant: GrantId, server?: ServerId): Promise<void> => {
      const end = await refreshGrant(grant, server);
      if (end === "busy") stoodBack += 1;
      else if (end) refreshed += 1;
      else tried.add(grant);
    };
    const alone = (grant: GrantId) => guard.run(QUEUES.refreshGrant, grant, () => one(grant));

    const others = () =>
      guard.runDue(organisation, HANDFUL, tried, ({ grant, server }) => one(grant, server));

    let looks = 0;
    // Of two that take the same one finds it taken.
    for (let first: GrantId | undefined = data.id; ; first = undefined) {
      const before = { refreshed, stoodBack };
      const [{ taken, suspect, soon }] = await bothEnded(others(), first && alone(first));
      if (suspect !== undefined && suspect !== first) {
        tried.add(suspect);
        await alone(suspect);
      }
      const gotOn = refreshed > before.refreshed;
      if (stopping.aborted) return;
      if (monotonicMs() >= until) return gotOn ? goOnLater(data.id) : undefined;
      if (gotOn) {
        looks = 0;
        continue;
      }
      // Without a place from the first look on it is others' job, and what is due and is not let through is nobody's for now.
      if (refreshed === 0 || (taken.length > 0 && stoodBack === before.stoodBack)) return;
      if (taken.length === 0 && !soon) return;
      if (++looks > LOOKS_MAX) return;
      // One that found its server full comes up in a moment.
      await timers.after(LOOK_AGAIN_MS).elapsed;
    }
  };

/** Whatever fails, nothing of it goes on behind the job's back. */
async function bothEnded<A, B>(a: Promise<A>, b: Promise<B> | undefined): Promise<[A, B | undefined]> {
  await Promise.allSettled([a, b]);
  return [await a, await b];
}
