import type { DueTaken, JobRun, JobStarts, JobSubject } from "../broker/ports.ts";
import {
  type GrantId,
  type OrganisationId,
  organisationOf,
  type ServerId,
  type SyncId,
} from "../domain/id.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { type JobHistory, jobStarts } from "../domain/job-starts.ts";
import type { ProblemCode } from "../domain/problem-catalogue.ts";
import { dueKey, grantKey, startsKey, syncDueKey, syncKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

const CODE: ProblemCode = "worker_crashed";

/** Longer than a grant that found its server full stands back (`gate.lua`: 250 ms). */
const SOON_MS: Milliseconds = seconds(0.5);

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

  async takeDue(
    organisation: OrganisationId,
    run: JobRun,
    lifeMs: Milliseconds,
    limit: number,
    not: ReadonlySet<GrantId>,
  ): Promise<DueTaken> {
    const args = [run, Math.round(lifeMs), jobStarts.forgetMs, limit, SOON_MS, ...not];
    const answer = await this.#store.run("job-take-due", [dueKey(organisation)], args);
    const [suspect, soon, ...taken] = answer as [string, number, ...string[]];
    return {
      suspect: suspect === "" ? undefined : (suspect as GrantId),
      soon: soon === 1,
      taken: Array.from({ length: taken.length / 2 }, (_, i) => ({
        grant: taken[2 * i] as GrantId,
        server: taken[2 * i + 1] as ServerId,
      })),
    };
  }

  async renewed(id: JobSubject | readonly GrantId[], run: JobRun, lifeMs: Milliseconds): Promise<void> {
    await this.#tell(id, "renewed", run, lifeMs);
  }

  async progressed(id: JobSubject, run: JobRun, lifeMs: Milliseconds): Promise<void> {
    await this.#tell(id, "progressed", run, lifeMs);
  }

  async ended(id: JobSubject | readonly GrantId[], run: JobRun): Promise<void> {
    await this.#tell(id, "ended", run);
  }

  async #tell(
    of: JobSubject | readonly GrantId[],
    what: "begun" | "renewed" | "progressed" | "ended",
    run: JobRun,
    lifeMs: Milliseconds = 0,
  ): Promise<boolean> {
    const args = [what, run, Math.round(lifeMs), jobStarts.forgetMs];
    const ids = typeof of === "string" ? [of] : of;
    return (await this.#store.run("job-start", ids.map(startsKey), args)) === ids.length;
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
