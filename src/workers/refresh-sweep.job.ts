import type { Queue } from "bullmq";
import type { Tracer } from "../broker/tracer.ts";
import { type GrantId, organisationOf } from "../domain/id.ts";
import { addOncePerId, type JobData } from "./queues.ts";
import type { WorkerStories } from "./start-workers.ts";

/**
 * So many jobs of an organisation at a look: each goes on with whatever else is due there, and those of one that is through find
 * nothing. Several, and others at each look, so that a server that hangs stands in nobody's way.
 */
const JOBS_EACH = 2;

/** Of each organisation that has grants whose time has come some become jobs. */
export const refreshSweepJob = (
  { sweepRefreshes }: Pick<WorkerStories, "sweepRefreshes">,
  grants: Queue<JobData<GrantId>>,
  tracer: Tracer | undefined,
) => {
  let looks = 0;
  return async (): Promise<void> => addOncePerId(grants, someOfEach(await sweepRefreshes(), looks++), tracer);
};

function someOfEach(due: readonly GrantId[], look: number): readonly GrantId[] {
  const of = new Map<string, GrantId[]>();
  for (const id of due) {
    const organisation = organisationOf(id);
    const known = of.get(organisation);
    if (known === undefined) of.set(organisation, [id]);
    else known.push(id);
  }
  return [...of.values()].flatMap((ids) =>
    Array.from(
      { length: Math.min(JOBS_EACH, ids.length) },
      (_, i) => ids[(look * JOBS_EACH + i) % ids.length]!,
    ),
  );
}
