import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import type {
  AppControllerRoute,
  AppJobScheduler,
  JobState,
  JobStatus,
  QueueJob,
  QueueJobJson,
} from "@bull-board/api/typings/app";
import { ExpressAdapter } from "@bull-board/express";
import type { Job, Queue } from "bullmq";
import type { Express } from "express";
import { type IdType, parseId } from "../domain/id.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { PROBLEMS } from "../domain/problem-catalogue.ts";
import { isPrintable } from "./printable.ts";

/**
 * Bull Board over these queues: to look at, not to touch, and of every job only ids, numbers and problem codes (T37).
 * @param basePath where the answer is mounted.
 */
export function queueBoard(
  queues: readonly Queue[],
  basePath: string,
  answerMaxMs: Milliseconds = ANSWER_MAX_MS,
): Express {
  const serverAdapter = new LookingAdapter(answerMaxMs).setBasePath(basePath);
  createBullBoard({
    queues: queues.map((queue) => new IdsOnlyAdapter(queue, { readOnlyMode: true, allowRetries: false })),
    serverAdapter,
    options: {
      uiConfig: {
        boardTitle: "Queues",
        hideRedisDetails: true,
        hideDocsLink: true,
        // Would run CLIENT LIST for every queue at every poll, and show addresses.
        showWorkers: false,
      },
    },
  });
  // The board would answer with the text of whatever error it met.
  serverAdapter.setErrorHandler(() => ({ status: 500, body: { error: { key: UNREADABLE } } }));
  const app: Express = serverAdapter.getRouter();
  return app.disable("x-powered-by");
}

const UNREADABLE = "ERRORS.INTERNAL_SERVER_ERROR";
/** Less than the board's polling interval, so that looks at a Redis that is away do not pile up. */
const ANSWER_MAX_MS = seconds(4);

/** Only what looks is served, and for a bounded time: a queue's connection may wait for Redis for ever. */
class LookingAdapter extends ExpressAdapter {
  readonly #answerMaxMs: Milliseconds;

  constructor(answerMaxMs: Milliseconds) {
    super();
    this.#answerMaxMs = answerMaxMs;
  }

  override setApiRoutes(routes: AppControllerRoute[]): ExpressAdapter {
    const looking = routes.filter(({ method }) => method === "get");
    return super.setApiRoutes(
      looking.map((route) => ({ ...route, handler: bounded(route.handler, this.#answerMaxMs) })),
    );
  }
}

function bounded(handler: AppControllerRoute["handler"], ms: Milliseconds): AppControllerRoute["handler"] {
  return async (request) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error("the queue did not answer")), ms);
    });
    try {
      return await Promise.race([handler(request), late]);
    } finally {
      clearTimeout(timer);
    }
  };
}

/**
 * The board's own formatters reach data, return value, name and progress, but neither `failedReason` nor stack, options,
 * logs, flows and the templates of schedulers, all of which can hold what a job was told. So nothing is taken away here;
 * a job is made anew from what is known to be harmless.
 */
class IdsOnlyAdapter extends BullMQAdapter {
  // The board asks its jobs for nothing but what `QueueJob` names; the base class promises BullMQ's whole class.
  override async getJob(id: string): Promise<Job | undefined> {
    const job = await super.getJob(id);
    return job === undefined ? undefined : (new IdsOnlyJob(job, this.getName()) as unknown as Job);
  }

  override async getJobs(statuses: JobStatus[], start?: number, end?: number): Promise<Job[]> {
    const jobs = await super.getJobs(statuses, start, end);
    return jobs.map((job) => new IdsOnlyJob(job, this.getName()) as unknown as Job);
  }

  override async getJobLogs(): Promise<string[]> {
    return [];
  }

  override async getFlowProducer(): Promise<null> {
    return null;
  }

  override async getJobSchedulers(): Promise<Omit<AppJobScheduler, "queueName">[]> {
    const schedulers = await super.getJobSchedulers();
    return schedulers.map(({ id, name, every, pattern, next, iterationCount, lastRun }) => ({
      id: word(id),
      name: word(name, NAME),
      ...(every !== undefined && { every }),
      ...(pattern !== undefined && { pattern: word(pattern, CRON) }),
      ...(next !== undefined && { next }),
      ...(iterationCount !== undefined && { iterationCount }),
      ...(lastRun !== undefined && { lastRun }),
    }));
  }
}

class IdsOnlyJob implements QueueJob {
  readonly opts: { delay?: number };
  /** Read by the board's flow view, which then finds no parent and no children. */
  readonly id: string;
  readonly queueName: string;
  readonly #job: Job;

  constructor(job: Job, queueName: string) {
    this.#job = job;
    this.id = word(job.id);
    this.queueName = queueName;
    this.opts = numbers(job.opts, ["delay"]);
  }

  getState(): Promise<JobState> {
    return this.#job.getState();
  }

  toJSON(): QueueJobJson {
    const job = this.#job.asJSON();
    const { id, attemptsMade, attemptsStarted, stalledCounter, timestamp, processedOn, finishedOn, delay } =
      this.#job;
    return {
      id: word(id),
      name: word(job.name, NAME),
      timestamp,
      attemptsMade,
      ...(attemptsStarted !== undefined && { attemptsStarted }),
      ...(stalledCounter !== undefined && { stalledCounter }),
      ...(processedOn !== undefined && { processedOn }),
      ...(finishedOn !== undefined && { finishedOn }),
      ...(delay !== undefined && { delay }),
      progress: typeof this.#job.progress === "number" ? this.#job.progress : 0,
      data: { ids: idsIn(this.#job.data) },
      returnvalue: { ids: idsIn(this.#job.returnvalue) },
      failedReason: reasonOf(this.#job.failedReason),
      stacktrace: [],
      opts: numbers(this.#job.opts, ["attempts", "delay", "priority"]),
    };
  }

  promote(): Promise<void> {
    return refuseToTouch();
  }

  remove(): Promise<void> {
    return refuseToTouch();
  }

  retry(): Promise<void> {
    return refuseToTouch();
  }
}

async function refuseToTouch(): Promise<never> {
  throw new Error("the board is read-only");
}

const HIDDEN = "(hidden)";
const NAME = /^[A-Za-z][A-Za-z:.-]{0,59}$/;
const WORD = /^[A-Za-z0-9][A-Za-z0-9_:.-]{0,119}$/;
const CRON = /^[A-Z0-9*/,?#LW -]{1,60}$/;

/** What we gave: names of jobs and schedulers, in letters, and ids of jobs. */
function word(text: unknown, shape: RegExp = WORD): string {
  return typeof text === "string" && shape.test(text) && isPrintable(text) ? text : HIDDEN;
}

function numbers<K extends string>(options: unknown, names: readonly K[]): { [name in K]?: number } {
  const given = (options ?? {}) as Record<string, unknown>;
  const kept: { [name in K]?: number } = {};
  for (const name of names) {
    const value = given[name];
    if (typeof value === "number") kept[name] = value;
  }
  return kept;
}

/** A problem code as the catalogue has it, with its title: the same sentence for every occurrence. Nothing else that an error said. */
function reasonOf(reason: string | undefined): string {
  if (reason === undefined || reason === "") return "";
  const code = /^[a-z][a-z0-9_]{2,60}(?![A-Za-z0-9_-])/.exec(reason)?.[0];
  if (code !== undefined && Object.hasOwn(PROBLEMS, code)) {
    return `${code}: ${PROBLEMS[code as keyof typeof PROBLEMS].title}`;
  }
  if (reason.startsWith("job stalled more than allowable limit"))
    return "job stalled more than allowable limit";
  return "(hidden: the log has the reason)";
}

const ID_TYPES: readonly IdType[] = ["org", "srv", "reg", "grt", "cli", "cns", "syn"];
const IDS_MAX = 100;
const DEPTH_MAX = 4;

/** The ids anywhere in `value`. Their fields' names are not shown: an id says by itself what it names. */
function idsIn(value: unknown): string[] {
  const ids = new Set<string>();
  const collect = (part: unknown, depth: number): void => {
    if (ids.size >= IDS_MAX) return;
    if (typeof part === "string") {
      if (ID_TYPES.some((type) => parseId(type, part) !== undefined)) ids.add(part);
    } else if (typeof part === "object" && part !== null && depth < DEPTH_MAX) {
      for (const inner of Object.values(part)) collect(inner, depth + 1);
    }
  };
  collect(value, 0);
  return [...ids];
}
