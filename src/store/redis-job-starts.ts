import type { JobStarts, JobSubject } from "../broker/ports.ts";
import { organisationOf, type SyncId } from "../domain/id.ts";
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
    const [[starts, until], now] = await Promise.all([
      this.#store.call((redis) => redis.hmget(startsKey(id), "starts", "until")),
      this.#store.now(),
    ]);
    return {
      starts: Number(starts ?? 0),
      asideMs: until == null ? undefined : Math.max(0, Number(until) - now),
    };
  }

  async begun(id: JobSubject): Promise<void> {
    await this.#store.run("job-start", [startsKey(id)], ["begun", jobStarts.forgetMs]);
  }

  async progressed(id: JobSubject): Promise<void> {
    await this.#store.run("job-start", [startsKey(id)], ["progressed", jobStarts.forgetMs]);
  }

  async ended(id: JobSubject): Promise<void> {
    await this.#store.call((redis) => redis.del(startsKey(id)));
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
