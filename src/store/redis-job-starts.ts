import type { JobRun, JobStarts, JobSubject } from "../broker/ports.ts";
import { organisationOf, type SyncId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import { type JobHistory, jobStarts } from "../domain/job-starts.ts";
import type { ProblemCode } from "../domain/problem-catalogue.ts";
import { dueKey, grantKey, startsKey, syncDueKey, syncKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

const CODE: ProblemCode = "worker_crashed";

/** Starts without an orderly end, of grants and syncs alike. */
export class RedisJobStarts implements JobStarts {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async history(id: JobSubject): Promise<JobHistory> {
    const [[starts, until, runUntil], now] = await Promise.all([
      this.#store.call((redis) => redis.hmget(startsKey(id), "starts", "until", "run_until")),
      this.#store.now(),
    ]);
    return {
      starts: Number(starts ?? 0),
      asideMs: until == null ? undefined : Math.max(0, Number(until) - now),
      running: Number(runUntil ?? 0) > now,
    };
  }

  async begun(id: JobSubject, run: JobRun, lifeMs: Milliseconds): Promise<boolean> {
    return this.#tell(id, "begun", run, lifeMs);
  }

  async renewed(id: JobSubject, run: JobRun, lifeMs: Milliseconds): Promise<void> {
    await this.#tell(id, "renewed", run, lifeMs);
  }

  async progressed(id: JobSubject, run: JobRun, lifeMs: Milliseconds): Promise<void> {
    await this.#tell(id, "progressed", run, lifeMs);
  }

  async ended(id: JobSubject, run: JobRun): Promise<void> {
    await this.#tell(id, "ended", run);
  }

  async #tell(
    id: JobSubject,
    what: "begun" | "renewed" | "progressed" | "ended",
    run: JobRun,
    lifeMs: Milliseconds = 0,
  ): Promise<boolean> {
    const args = [what, run, Math.round(lifeMs), jobStarts.forgetMs];
    return (await this.#store.run("job-start", [startsKey(id)], args)) === 1;
  }

  async putAside(id: JobSubject): Promise<"put_aside" | "already" | "gone"> {
    const organisation = organisationOf(id);
    const [kind, subject, due] = isSync(id)
      ? (["sync", syncKey(id), syncDueKey(organisation)] as const)
      : (["grant", grantKey(id), dueKey(organisation)] as const);
    return (await this.#store.run(
      "job-put-aside",
      [startsKey(id), subject, due],
      [id, kind, jobStarts.coolDownMs, CODE, jobStarts.forgetMs],
    )) as "put_aside" | "already" | "gone";
  }
}

const isSync = (id: JobSubject): id is SyncId => id.startsWith("syn_");
