import type { Queue } from "bullmq";
import type { Tracer } from "../broker/tracer.ts";
import type { OrganisationId, SubscriptionId } from "../domain/id.ts";
import { addOncePerId, type JobData } from "./queues.ts";
import type { WorkerStories } from "./start-workers.ts";

/**
 * Tells one subscription what it has not been told. Run twice, the later one finds the lease held and ends. One that has had its turn
 * goes on behind those that wait for a place.
 */
export const deliverEventsJob =
  (
    { deliver }: Pick<WorkerStories, "deliver">,
    subscriptions: Queue<JobData<SubscriptionId>>,
    stopping: AbortSignal,
    tracer: Tracer | undefined,
  ) =>
  async ({ data: { id } }: { readonly data: JobData<SubscriptionId> }): Promise<void> => {
    if ((await deliver(id, stopping)) === "goes_on") await addOncePerId(subscriptions, [id], tracer, true);
  };

/** Every subscription that has something to be told, and was not told at once. */
export const deliverySweepJob =
  (
    { sweepDeliveries }: Pick<WorkerStories, "sweepDeliveries">,
    subscriptions: Queue<JobData<SubscriptionId>>,
    tracer: Tracer | undefined,
  ) =>
  async (): Promise<void> =>
    addOncePerId(subscriptions, await sweepDeliveries(), tracer);

/**
 * What to do when an event is announced: each subscription that is behind becomes a job. While that is being asked for an organisation,
 * further announcements of it are one.
 * @param failed hears of what went wrong; the sweep finds what was missed
 */
export function deliveryPokes(
  { subscriptionsBehind }: Pick<WorkerStories, "subscriptionsBehind">,
  subscriptions: Queue<JobData<SubscriptionId>>,
  tracer: Tracer | undefined,
  failed: (error: unknown) => void,
): (organisation: OrganisationId) => void {
  const asking = new Map<OrganisationId, { again: boolean }>();
  const ask = async (organisation: OrganisationId, state: { again: boolean }): Promise<void> => {
    try {
      do {
        state.again = false;
        await addOncePerId(subscriptions, await subscriptionsBehind(organisation), tracer, true);
      } while (state.again);
    } finally {
      asking.delete(organisation);
    }
  };
  return (organisation) => {
    const known = asking.get(organisation);
    if (known !== undefined) {
      known.again = true;
      return;
    }
    const state = { again: false };
    asking.set(organisation, state);
    ask(organisation, state).catch(failed);
  };
}
