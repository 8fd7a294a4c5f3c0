import type { Queue } from "bullmq";
import type { Log, Timers } from "../broker/ports.ts";
import type { SyncId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import { whoGivesWay } from "../domain/sync-turns.ts";
import { jobFailure } from "./job-failure.ts";
import { type JobData, QUEUES } from "./queues.ts";

interface Run {
  readonly id: SyncId;
  readonly sinceMs: Milliseconds;
  readonly giveWay: AbortController;
}

const LOOK_MS: Milliseconds = 250;

/** The places that this process has for syncs: while all are taken and others wait, runs are told to give way. */
export class SyncPlaces {
  readonly #queue: Queue<JobData<SyncId>>;
  readonly #places: number;
  readonly #log: Log;
  readonly #running = new Set<Run>();
  readonly #stopLooking: () => void;
  #taken = 0;
  #looking: Promise<void> | undefined;

  constructor(
    queue: Queue<JobData<SyncId>>,
    places: number,
    { timers, log }: { readonly timers: Pick<Timers, "every">; readonly log: Log },
  ) {
    this.#queue = queue;
    this.#places = places;
    this.#log = log;
    this.#stopLooking = timers.every(LOOK_MS, () => {
      if (this.#taken < this.#places || this.#looking !== undefined) return;
      this.#looking = this.#look().finally(() => {
        this.#looking = undefined;
      });
    });
  }

  /** A job has begun, and takes a place until the answer is called: also while it only waits for its run. */
  take(): () => void {
    this.#taken += 1;
    return () => {
      this.#taken -= 1;
    };
  }

  /** @param work is to end at its next page once the signal is aborted. */
  async run<T>(id: SyncId, stopping: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const run: Run = { id, sinceMs: performance.now(), giveWay: new AbortController() };
    this.#running.add(run);
    try {
      return await work(AbortSignal.any([stopping, run.giveWay.signal]));
    } finally {
      this.#running.delete(run);
    }
  }

  async close(): Promise<void> {
    this.#stopLooking();
    await this.#looking;
  }

  async #look(): Promise<void> {
    try {
      const jobs = await this.#queue.getPrioritized(0, this.#places - 1);
      const waiting = jobs.flatMap((job) =>
        job === undefined ? [] : [{ id: job.data.id as SyncId, turn: job.priority }],
      );
      const now = performance.now();
      const running = [...this.#running];
      const told = new Set(
        whoGivesWay(
          running.map(({ id, sinceMs, giveWay }) => ({
            id,
            forMs: now - sinceMs,
            leaving: giveWay.signal.aborted,
          })),
          waiting,
        ),
      );
      for (const run of running) if (told.has(run.id)) run.giveWay.abort();
    } catch (error) {
      jobFailure(error, QUEUES.sync, undefined, this.#log);
    }
  }
}
