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
import type { QueueAct } from "../broker/operators/ports.ts";
import { type IdType, parseId } from "../domain/id.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { PROBLEMS } from "../domain/problem-catalogue.ts";
import { isPrintable } from "./printable.ts";

/**
 * Bull Board over these queues: to look at, and of every job only ids, numbers and problem codes (T37).
 * @param basePath where the answer is mounted.
 * @param noteAct makes it a board to act on: told before each act, which is not done where this throws.
 */
export function queueBoard(
  queues: readonly Queue[],
  basePath: string,
  answerMaxMs: Milliseconds = ANSWER_MAX_MS,
  noteAct?: (act: QueueAct) => Promise<void>,
): Express {
  const serverAdapter = new FewRoutesAdapter(answerMaxMs, noteAct).setBasePath(basePath);
  const may =
    noteAct === undefined
      ? { readOnlyMode: true, allowRetries: false }
      : { readOnlyMode: false, allowRetries: true, allowCompletedRetries: false };
  createBullBoard({
    queues: queues.map((queue) => new IdsOnlyAdapter(queue, may)),
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

type Handler = AppControllerRoute["handler"];

/**
 * What may be done, by the board's own routes; what is not here does not exist. Nobody pauses a queue: renewals would come
 * to a stop unseen, and what has to stop at once is contained instead. Nobody adds a job, or changes what one holds.
 */
const ACTS: Readonly<
  Record<string, { readonly kind: QueueAct["kind"]; readonly states: readonly string[] }>
> = {
  "/api/queues/:queueName/retry/:queueStatus": { kind: "retry", states: ["failed"] },
  "/api/queues/:queueName/promote": { kind: "promote", states: ["delayed"] },
  "/api/queues/:queueName/clean/:queueStatus": { kind: "remove", states: ["completed", "failed"] },
  "/api/queues/:queueName/:jobId/retry": { kind: "retry", states: [] },
  "/api/queues/:queueName/:jobId/promote": { kind: "promote", states: [] },
  "/api/queues/:queueName/:jobId/clean": { kind: "remove", states: [] },
};

/**
 * Only what looks is served, and of what acts only what is named, where somebody may. For a bounded time: a queue's
 * connection may wait for Redis for ever.
 */
class FewRoutesAdapter extends ExpressAdapter {
  readonly #answerMaxMs: Milliseconds;
  readonly #noteAct: ((act: QueueAct) => Promise<void>) | undefined;

  constructor(answerMaxMs: Milliseconds, noteAct: ((act: QueueAct) => Promise<void>) | undefined) {
    super();
    this.#answerMaxMs = answerMaxMs;
    this.#noteAct = noteAct;
  }

  override setApiRoutes(routes: AppControllerRoute[]): ExpressAdapter {
    const looking = routes.filter(({ method }) => method === "get");
    const noteAct = this.#noteAct;
    const acting =
      noteAct === undefined
        ? []
        : routes
            .filter(({ method, route }) => method === "put" && Object.hasOwn(ACTS, String(route)))
            .map((one) => ({ ...one, handler: noted(one.handler, ACTS[String(one.route)]!, noteAct) }));
    return super.setApiRoutes(
      [...looking, ...acting].map((route) => ({
        ...route,
        handler: bounded(route.handler, this.#answerMaxMs),
      })),
    );
  }
}

/** Written first, then done. What names no queue and no job of ours is neither. */
function noted(
  handler: Handler,
  { kind, states }: (typeof ACTS)[string],
  noteAct: (act: QueueAct) => Promise<void>,
): Handler {
  return async (request) => {
    const { queueName, jobId, queueStatus } = (request?.params ?? {}) as Record<string, string | undefined>;
    const job = jobId ?? queueStatus ?? states[0];
    const known = jobId === undefined ? states.includes(job ?? "") : word(job) === job;
    if (queueName === undefined || job === undefined || !known || !request?.queues.has(queueName))
      return { status: 403, body: { error: { key: "ERRORS.FORBIDDEN" } } };
    await noteAct({ kind, queue: queueName, job });
    return handler(request);
  };
}

function bounded(handler: Handler, ms: Milliseconds): Handler {
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
    return job === undefined ? undefined : this.#idsOnly(job);
  }

  override async getJobs(statuses: JobStatus[], start?: number, end?: number): Promise<Job[]> {
    const jobs = await super.getJobs(statuses, start, end);
    return jobs.map((job) => this.#idsOnly(job));
  }

  #idsOnly(job: Job): Job {
    return new IdsOnlyJob(job, this.getName(), !this.readOnlyMode) as unknown as Job;
  }

  /** Whether it is the run for which a schedule waits: removed alone, it would take the schedule along. */
  override async getArmedJobSchedulerId(job: QueueJob): Promise<string | null> {
    return job instanceof IdsOnlyJob ? super.getArmedJobSchedulerId(job.behind as never) : null;
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
  readonly #acts: boolean;

  constructor(job: Job, queueName: string, acts: boolean) {
    this.#job = job;
    this.#acts = acts;
    this.id = word(job.id);
    this.queueName = queueName;
    this.opts = numbers(job.opts, ["delay"]);
  }

  get behind(): Job {
    return this.#job;
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
    return this.#acts ? this.#job.promote() : refuseToTouch();
  }

  async remove(): Promise<void> {
    return this.#acts ? void (await this.#job.remove()) : refuseToTouch();
  }

  retry(): Promise<void> {
    return this.#acts ? this.#job.retry("failed") : refuseToTouch();
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
function reasonOf(reason: string | null | undefined): string {
  // BullMQ forgets it by null, against its type, where a job is run again.
  if (reason === undefined || reason === null || reason === "") return "";
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
