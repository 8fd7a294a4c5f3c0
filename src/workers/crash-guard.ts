import { randomUUID } from "node:crypto";
import type { DueGrant, DueTaken, JobStarts, JobSubject, Log, Timers } from "../broker/ports.ts";
import type { GrantId, OrganisationId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import { judgeStart } from "../domain/job-starts.ts";
import { aboutOf, type QueueName } from "./queues.ts";

/** Says that a run got somewhere that is kept: what comes after is another matter. */
export type Progressed = () => Promise<void>;

/**
 * Between a job and the work: counts starts, and puts aside what takes its process down (F37). One guard for all queues
 * of a process, because a death takes all of them.
 */
export class CrashGuard {
  readonly #starts: JobStarts;
  readonly #log: Log;
  readonly #timers: Pick<Timers, "every">;
  readonly #lifeMs: Milliseconds;
  /** Settled once the last of those who queued to run alone has left. */
  #lastAlone: Promise<void> = Promise.resolve();

  /** @param lifeMs for how long a run is believed alive that nothing has been heard of. */
  constructor(starts: JobStarts, log: Log, timers: Pick<Timers, "every">, lifeMs: Milliseconds) {
    this.#starts = starts;
    this.#log = log;
    this.#timers = timers;
    this.#lifeMs = lifeMs;
  }

  /**
   * Runs the work, puts its subject aside, or leaves it to the run that is at it: in any case the job is done, and no other
   * waits behind it.
   */
  async run(
    queue: QueueName,
    id: JobSubject,
    work: (progressed: Progressed) => Promise<unknown>,
  ): Promise<void> {
    const starts = this.#starts;
    const verdict = judgeStart(await starts.history(id));
    if (verdict === "leave") return;
    if (verdict === "put_aside") return this.#putAside(queue, id);

    const leave = verdict === "run_alone" ? await this.#alone() : undefined;
    const run = randomUUID();
    try {
      if (!(await starts.begun(id, run, this.#lifeMs))) return;
      const stopRenewing = this.#timers.every(this.#lifeMs / 3, () => {
        starts.renewed(id, run, this.#lifeMs).catch(() => {});
      });
      try {
        await work(async () => {
          if (leave === undefined) return;
          await starts.progressed(id, run, this.#lifeMs);
          leave();
        });
      } finally {
        stopRenewing();
        // Good or bad: the process is alive.
        await starts.ended(id, run);
      }
    } finally {
      leave?.();
    }
  }

  /**
   * The same for a handful of an organisation's due grants, which run beside each other. Of what was running when a process died
   * nothing is among them: that is answered as `suspect`, to be run by itself.
   */
  async runDue(
    organisation: OrganisationId,
    limit: number,
    not: ReadonlySet<GrantId>,
    work: (due: DueGrant) => Promise<unknown>,
  ): Promise<DueTaken> {
    const starts = this.#starts;
    const run = randomUUID();
    const due = await starts.takeDue(organisation, run, this.#lifeMs, limit, not);
    if (due.taken.length === 0) return due;
    const grants = due.taken.map(({ grant }) => grant);
    const stopRenewing = this.#timers.every(this.#lifeMs / 3, () => {
      starts.renewed(grants, run, this.#lifeMs).catch(() => {});
    });
    try {
      const ends = await Promise.allSettled(due.taken.map(work));
      const failed = ends.find((end) => end.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      return due;
    } finally {
      stopRenewing();
      await starts.ended(grants, run);
    }
  }

  async #putAside(queue: QueueName, id: JobSubject): Promise<void> {
    if ((await this.#starts.putAside(id)) !== "put_aside") return;
    this.#log.error(
      {
        code: "worker_crashed",
        outcome: "put_aside",
        ...aboutOf(queue, id),
        detail: "started three times, and each time its process ended; tried again in an hour",
      },
      queue,
    );
  }

  /** Waits for its turn; the answer ends it, and may be called again. */
  async #alone(): Promise<() => void> {
    const before = this.#lastAlone;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastAlone = promise;
    await before;
    return resolve;
  }
}
