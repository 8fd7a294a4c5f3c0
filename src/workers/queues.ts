import type { JobsOptions, Queue, QueueOptions, WorkerOptions } from "bullmq";
import type { Cluster, Redis } from "ioredis";
import type { Tracer } from "../broker/tracer.ts";
import type { GrantId, SubscriptionId, SyncId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { SyncTurn } from "../domain/sync-turns.ts";

export type QueueConnection = Redis | Cluster;

/** Every queue of the product. Jobs hold ids, never tokens; a lost queue loses nothing (design §3.9). */
export const QUEUES = {
  refreshSweep: "refresh-sweep",
  refreshGrant: "refresh-grant",
  syncSweep: "sync-sweep",
  sync: "sync",
  auditExport: "audit-export",
  revocation: "revocation",
  reap: "reap",
  lookAgain: "look-again",
  libraryStanding: "library-standing",
  keyRotation: "key-rotation",
  deliverySweep: "delivery-sweep",
  deliverEvents: "deliver-events",
} as const;

export type QueueName = (typeof QUEUES)[keyof typeof QUEUES];

/** What jobs are about. */
export type JobId = GrantId | SyncId | SubscriptionId;

/** All that a job knows. */
export interface JobData<Id extends JobId> {
  readonly id: Id;
  /** W3C `traceparent` of what added it: ids alone. */
  readonly trace?: string;
}

/** What a job is about, by the name that log and traces have for it; of those that only look around: nothing. */
export function aboutOf(
  queue: QueueName,
  id: string | undefined,
): Partial<Record<"grant" | "sync" | "subscription", string>> {
  if (id === undefined) return {};
  switch (queue) {
    case QUEUES.refreshGrant:
      return { grant: id };
    case QUEUES.sync:
      return { sync: id };
    case QUEUES.deliverEvents:
      return { subscription: id };
    default:
      return {};
  }
}

/** In front of all keys of a queue: a hash tag of its own, so that a cluster spreads queues over its nodes. */
export const queuePrefix = (name: QueueName): string => `b1:{q:${name}}`;

/** With these anyone opens a queue: workers, and the operators' dashboard. */
export const queueOptions = (name: QueueName, connection: QueueConnection): QueueOptions => ({
  connection,
  prefix: queuePrefix(name),
});

/**
 * A worker that was killed is noticed, and its job runs again however often that happens: it does no harm, and the crash
 * guard knows when it does. BullMQ by default fails a job after the second kill.
 */
export const workerOptions = (
  name: QueueName,
  connection: QueueConnection,
  concurrency: number,
  { lockMs, stalledMs }: { readonly lockMs: Milliseconds; readonly stalledMs: Milliseconds },
): WorkerOptions => ({
  connection,
  prefix: queuePrefix(name),
  concurrency,
  lockDuration: lockMs,
  stalledInterval: stalledMs,
  maxStalledCount: 1_000_000,
});

/** Tried once: when to try again is written in our own schedule. The last few stay, for whoever looks at the dashboard. */
export const jobOptions: JobsOptions = {
  attempts: 1,
  removeOnComplete: { count: 20 },
  removeOnFail: { count: 200 },
};

/**
 * One job per id: while one waits or runs, another of the same id is not added.
 * @param onceMore where one runs, another follows it: it may have looked before there was something to do
 */
export async function addOncePerId<Id extends JobId>(
  queue: Queue<JobData<Id>>,
  ids: readonly Id[],
  tracer: Tracer | undefined,
  onceMore = false,
): Promise<void> {
  if (ids.length === 0) return;
  await adding(queue.name, ids.length, tracer, async () => {
    // BullMQ derives the types of names and data from the queue's in a way that no generic id satisfies.
    const jobs = ids.map((id) => ({
      name: queue.name,
      data: { id, ...traced(tracer) },
      opts: { ...jobOptions, deduplication: { id, ...(onceMore && { keepLastIfActive: true }) } },
    }));
    await (queue as Queue).addBulk(jobs);
  });
}

const adding = (
  queue: string,
  count: number,
  tracer: Tracer | undefined,
  add: () => Promise<void>,
): Promise<void> =>
  tracer === undefined ? add() : tracer.span(`add ${queue}`, { count }, add, { kind: "producer" });

const traced = (tracer: Tracer | undefined): Pick<JobData<JobId>, "trace"> =>
  tracer?.parent === undefined ? {} : { trace: tracer.parent };

/** One job per id, and the lower turn first. Who waited so long that his turn has come much nearer is moved forward. */
export async function addInTurn(
  queue: Queue<JobData<SyncId>>,
  turns: readonly SyncTurn[],
  tracer: Tracer | undefined,
): Promise<void> {
  if (turns.length === 0) return;
  await adding(queue.name, turns.length, tracer, async () => {
    const jobs = turns.map(({ id, turn }) => ({
      name: queue.name,
      data: { id, ...traced(tracer) },
      opts: { ...jobOptions, deduplication: { id }, priority: turn },
    }));
    // Of those that were there already it answers the job that is.
    const added = await (queue as Queue).addBulk(jobs);
    for (const [i, { late, turn }] of turns.entries()) {
      // It may be gone by now: then it has had its turn.
      if (late) await added[i]?.changePriority({ priority: turn }).catch(() => {});
    }
  });
}
