import type { GrantId, OrganisationId } from "../../src/domain/id.ts";
import { minutes, seconds } from "../../src/domain/instant.ts";
import { dueKey, unboundKey } from "../../src/store/keys.ts";
import type { World } from "./world.ts";

export interface Step {
  /** By the world's clock. */
  readonly at: number;
  /** Since the schedule began. */
  readonly elapsedMs: number;
  /** Grants whose time had come. */
  readonly due: readonly GrantId[];
}

export interface ScheduleOptions {
  /** After each step, before time moves on. */
  readonly onStep?: (step: Step) => void | Promise<void>;
  /** More are taken for a loop. */
  readonly stepsMax?: number;
}

/** As `start-workers.ts` has it: nothing is looked at more often. */
const SWEEP_MS = seconds(2);
/** While nothing is due, the other jobs of a worker still run this often. */
const LONGEST_STEP_MS = minutes(60 * 24);

/**
 * Lets a long time pass: jumps from one due time to the next with the broker, Redis' scripts and iManage together, and
 * does at each what the workers would. A year of keep-alives runs in seconds.
 *
 * The world needs a Redis of its own: the sweep goes over all organisations, and a year ahead those of other tests would
 * be due too.
 * @param lengthMs how long, from now. Answers every step.
 */
export async function runSchedule(
  world: Pick<World, "broker" | "organisation" | "advance">,
  lengthMs: number,
  { onStep = () => {}, stepsMax = 100_000 }: ScheduleOptions = {},
): Promise<readonly Step[]> {
  const { broker } = world;
  const organisation = world.organisation as OrganisationId;
  const organisations = await broker.configuration.listOrganisations();
  if (organisations.some(({ id }) => id !== organisation)) {
    throw new Error(
      "runSchedule needs a Redis of its own: other organisations would live through the same time",
    );
  }

  const store = broker.stores.fast;
  const startedAt = await store.now();
  const until = startedAt + lengthMs;
  const nextDue = async (): Promise<number> => {
    const firsts = await Promise.all(
      [dueKey(organisation), unboundKey(organisation)].map((key) =>
        store.call((redis) => redis.zrange(key, "0", "0", "WITHSCORES")),
      ),
    );
    return Math.min(
      ...firsts.map(([, score]) => (score === undefined ? Number.POSITIVE_INFINITY : Number(score))),
    );
  };

  const steps: Step[] = [];
  for (let now = startedAt; ; now = await store.now()) {
    if (steps.length >= stepsMax) throw new Error(`${stepsMax} steps, and no end: something is always due`);
    await broker.reconcile();
    const due = await broker.workerStories.sweepRefreshes();
    for (const grant of due) await broker.workerStories.refreshGrant(grant);
    await broker.workerStories.reapUnbound();
    await broker.workerStories.revokePending();
    await broker.workerStories.exportAudit();
    const step = { at: now, elapsedMs: now - startedAt, due };
    steps.push(step);
    await onStep(step);

    if (now >= until) return steps;
    const next = Math.min(Math.max(await nextDue(), now + SWEEP_MS), now + LONGEST_STEP_MS, until);
    world.advance(Math.ceil(next - (await store.now())));
  }
}
