import { Queue, Worker } from "bullmq";
import type { Meters } from "../broker/meter-ports.ts";
import type { JobStarts, Log, Timers } from "../broker/ports.ts";
import type { Tracer } from "../broker/tracer.ts";
import type { GrantId, OrganisationId, ServerId, SubscriptionId, SyncId } from "../domain/id.ts";
import { type Milliseconds, minutes, seconds } from "../domain/instant.ts";
import type { SyncTurn } from "../domain/sync-turns.ts";
import { auditExportJob } from "./audit-export.job.ts";
import { CrashGuard, type Progressed } from "./crash-guard.ts";
import { deliverEventsJob, deliveryPokes, deliverySweepJob } from "./deliver-events.job.ts";
import { jobFailure } from "./job-failure.ts";
import { keyRotationJob } from "./key-rotation.job.ts";
import { libraryStandingJob } from "./library-standing.job.ts";
import { lookAgainJob } from "./look-again.job.ts";
import {
  aboutOf,
  addOncePerId,
  type JobData,
  type JobId,
  jobOptions,
  QUEUES,
  type QueueConnection,
  type QueueName,
  queueOptions,
  workerOptions,
} from "./queues.ts";
import { reapJob } from "./reap.job.ts";
import { refreshGrantJob } from "./refresh-grant.job.ts";
import { refreshSweepJob } from "./refresh-sweep.job.ts";
import { revocationJob } from "./revocation.job.ts";
import { syncJob } from "./sync.job.ts";
import { SyncPlaces } from "./sync-places.ts";
import { syncSweepJob } from "./sync-sweep.job.ts";

/** What the jobs do: told by the stories, so that nothing here knows how. */
export interface WorkerStories {
  /** Grants whose time has come. */
  sweepRefreshes(): Promise<readonly GrantId[]>;
  /**
   * Answers whether iManage gave a new token: then it is worth to go on with others. `busy`: its server had no place for it, and it
   * is due again in a moment.
   * @param server where it was given, where that is known
   */
  refreshGrant(id: GrantId, server?: ServerId): Promise<boolean | "busy">;
  /** Syncs whose time has come, in the order of their turns. */
  sweepSyncs(): Promise<readonly SyncTurn[]>;
  /**
   * @param stopping ends the run at the next page: this process is going, or others wait for the place.
   * @param progressed is told after each page that was stored.
   */
  runSync(id: SyncId, stopping: AbortSignal, progressed?: Progressed): Promise<unknown>;
  /** Subscriptions that have something to be told. */
  sweepDeliveries(): Promise<readonly SubscriptionId[]>;
  /** Those of one organisation, as soon as something has happened there. */
  subscriptionsBehind(organisation: OrganisationId): Promise<readonly SubscriptionId[]>;
  /** @param stopping ends it after what is under way: this process is going. */
  deliver(id: SubscriptionId, stopping: AbortSignal): Promise<unknown>;
  exportAudit(): Promise<unknown>;
  revokePending(): Promise<unknown>;
  reapUnbound(): Promise<unknown>;
  /** One server that waits for somebody's change: has it happened? */
  lookAgain(): Promise<unknown>;
  /** Do those who lent libraries still administer them? Where it is time to look. */
  checkStandings(): Promise<unknown>;
  /** What data keys are being rotated, a part of the way. */
  rotateKeys(): Promise<unknown>;
}

export interface WorkerParts {
  /** Opens a connection of its own that waits for Redis as long as it takes (`maxRetriesPerRequest: null`). */
  readonly connect: () => QueueConnection;
  readonly stories: WorkerStories;
  /** Counts what takes its process down. */
  readonly jobStarts: JobStarts;
  readonly timers: Pick<Timers, "every" | "after">;
  readonly log: Log;
  readonly meters?: Pick<Meters, "job">;
  readonly tracer?: Tracer | undefined;
  /** Gives what is logged on the way the id of its job, as requests have one. */
  readonly inRequest?: <T>(id: string, work: () => T) => T;
  /** Calls back for each event that happens somewhere, until the answer is called. Undefined: the sweep finds them. */
  readonly onEvent?: (hear: (organisation: OrganisationId) => void) => () => void;
  readonly timing?: Partial<WorkerTiming>;
  readonly concurrency?: {
    readonly refreshes?: number;
    readonly syncs?: number;
    readonly deliveries?: number;
  };
}

export interface WorkerTiming {
  /** Between two looks at what is due. */
  readonly sweepMs: Milliseconds;
  readonly syncSweepMs: Milliseconds;
  readonly auditExportMs: Milliseconds;
  readonly revocationMs: Milliseconds;
  readonly reapMs: Milliseconds;
  readonly keyRotationMs: Milliseconds;
  /** How often the schedules are written again, so that queues that were deleted heal (F34). */
  readonly restateMs: Milliseconds;
  /** How long closing waits for jobs under way; what is left then runs again elsewhere. */
  readonly graceMs: Milliseconds;
  /** A job whose worker has not been heard of for so long is taken from it, */
  readonly lockMs: Milliseconds;
  /** and looked for so often. */
  readonly stalledMs: Milliseconds;
}

export interface Workers {
  /** Takes no further job and waits for those under way, which are told to stop where they can. */
  close(): Promise<void>;
}

const TIMING: WorkerTiming = {
  sweepMs: seconds(2),
  // A client waits for what it brings, and nobody for a refresh ahead of its time.
  syncSweepMs: seconds(0.5),
  auditExportMs: seconds(2),
  revocationMs: seconds(5),
  reapMs: minutes(1),
  keyRotationMs: seconds(5),
  restateMs: minutes(1),
  graceMs: seconds(8),
  // Together at most 15 s; BullMQ's own are 30 s each.
  lockMs: seconds(10),
  stalledMs: seconds(5),
};

/** Starts every worker of this process and sees that the schedules exist. Resolves when they do. */
export async function startWorkers(parts: WorkerParts): Promise<Workers> {
  const { stories, log, tracer, inRequest = (_id, work) => work() } = parts;
  const timing = { ...TIMING, ...parts.timing };
  // A delivery waits for its receiver nearly all the time: one that hangs takes one place of these.
  const { refreshes = 32, syncs = 4, deliveries = 100 } = parts.concurrency ?? {};
  const stopping = new AbortController();
  // A third of a job's lock, so that whoever gets a dead worker's job finds its run dead too.
  const guard = new CrashGuard(parts.jobStarts, log, parts.timers, timing.lockMs / 3);
  // Shared by all queues and by what workers write; each worker opens one more of the same kind to wait on.
  const connection = parts.connect();
  connection.setMaxListeners(0);

  const onError = (name: QueueName) => (error: Error & { code?: string }) =>
    log.warn({ outcome: "queue_error", code: error.code ?? error.name }, name);

  const queueOf = <Id extends JobId = never>(name: QueueName): Queue<JobData<Id>> => {
    const queue = new Queue<JobData<Id>>(name, queueOptions(name, connection));
    queue.on("error", onError(name));
    return queue;
  };
  // biome-ignore lint/suspicious/noExplicitAny: a list of queues of several kinds of jobs
  const worker = (name: QueueName, concurrency: number, run: (job: any) => Promise<void>): Worker => {
    const started = new Worker(
      name,
      (job) =>
        inRequest(`job_${name}_${job.id}`, async () => {
          const startedAt = performance.now();
          const count = (end: "completed" | "failed") =>
            parts.meters?.job(name, end, performance.now() - startedAt);
          try {
            await traced(name, job.data, tracer, () => run(job));
            count("completed");
          } catch (error) {
            count("failed");
            throw jobFailure(error, name, job.data?.id, log);
          }
        }),
      workerOptions(name, connection, concurrency, timing),
    );
    started.on("error", onError(name));
    return started;
  };

  const grants = queueOf<GrantId>(QUEUES.refreshGrant);
  const libraries = queueOf<SyncId>(QUEUES.sync);
  const subscriptions = queueOf<SubscriptionId>(QUEUES.deliverEvents);
  const scheduled = [
    { name: QUEUES.refreshSweep, everyMs: timing.sweepMs, run: refreshSweepJob(stories, grants, tracer) },
    { name: QUEUES.syncSweep, everyMs: timing.syncSweepMs, run: syncSweepJob(stories, libraries, tracer) },
    {
      name: QUEUES.deliverySweep,
      everyMs: timing.sweepMs,
      run: deliverySweepJob(stories, subscriptions, tracer),
    },
    { name: QUEUES.auditExport, everyMs: timing.auditExportMs, run: auditExportJob(stories) },
    { name: QUEUES.revocation, everyMs: timing.revocationMs, run: revocationJob(stories) },
    { name: QUEUES.reap, everyMs: timing.reapMs, run: reapJob(stories) },
    { name: QUEUES.lookAgain, everyMs: timing.reapMs, run: lookAgainJob(stories) },
    { name: QUEUES.libraryStanding, everyMs: timing.reapMs, run: libraryStandingJob(stories) },
    { name: QUEUES.keyRotation, everyMs: timing.keyRotationMs, run: keyRotationJob(stories) },
  ].map((task) => ({ ...task, queue: queueOf(task.name) }));

  const places = new SyncPlaces(libraries, syncs, parts);
  const workers = [
    worker(
      QUEUES.refreshGrant,
      refreshes,
      refreshGrantJob(stories, guard, stopping.signal, parts.timers, (id) =>
        addOncePerId(grants, [id], tracer, true),
      ),
    ),
    worker(QUEUES.sync, syncs, syncJob(stories, guard, places, stopping.signal)),
    worker(
      QUEUES.deliverEvents,
      deliveries,
      deliverEventsJob(stories, subscriptions, stopping.signal, tracer),
    ),
    ...scheduled.map(({ name, run }) => worker(name, 1, run)),
  ];

  const restate = async (): Promise<void> => {
    for (const { name, queue, everyMs } of scheduled) {
      const next = (await queue.getJobScheduler(name))?.next;
      // BullMQ plans the next by the clock of whoever works, and keeps what is planned: one that was an hour ahead would mean an hour
      // without (F23).
      if (next !== undefined && next > Date.now() + everyMs + timing.restateMs)
        await queue.removeJobScheduler(name);
      await queue.upsertJobScheduler(name, { every: everyMs }, { name, opts: jobOptions });
    }
  };
  let restating = false;
  const again = setInterval(() => {
    // One at a time: while Redis is away it waits for it.
    if (restating) return;
    restating = true;
    restate()
      .catch((error: unknown) => jobFailure(error, QUEUES.syncSweep, undefined, log))
      .finally(() => {
        restating = false;
      });
  }, timing.restateMs);

  await restate();
  const deafen = parts.onEvent?.(
    deliveryPokes(stories, subscriptions, tracer, (error) =>
      jobFailure(error, QUEUES.deliverEvents, undefined, log),
    ),
  );
  return {
    async close() {
      deafen?.();
      clearInterval(again);
      stopping.abort();
      await withinGrace(places.close(), timing.graceMs);
      const closed = Promise.all(workers.map((one) => one.close()));
      closed.catch(() => {});
      await withinGrace(closed, timing.graceMs);
      await withinGrace(
        Promise.all(
          [grants, libraries, subscriptions, ...scheduled.map(({ queue }) => queue)].map((it) => it.close()),
        ),
        timing.graceMs,
      );
      connection.disconnect();
    },
  };
}

/** A job about something goes on from whoever added it; those that only look around are in no trace. */
function traced(
  name: QueueName,
  { id, trace: parent }: Partial<JobData<JobId>> = {},
  tracer: Tracer | undefined,
  run: () => Promise<void>,
): Promise<void> {
  const about = aboutOf(name, id);
  if (tracer === undefined || Object.keys(about).length === 0) return run();
  return tracer.span(`job ${name}`, about, run, { kind: "consumer", parent });
}

async function withinGrace(work: Promise<unknown>, graceMs: Milliseconds): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, graceMs);
  try {
    await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}
