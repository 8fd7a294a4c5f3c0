import { expect, test } from "vitest";
import { type Milliseconds, minutes, seconds } from "../../src/domain/instant.ts";
import { allDue, manyGrants, statesOf } from "../kit/many-grants.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { world } from "../kit/world.ts";
import { Happened, workersOn } from "./kit.ts";

/** A firm's grants after an outage; 10,000 for the figure. */
const AFTER_OUTAGE = Number(process.env.TEST_CHAIN_GRANTS ?? 400);

test("one look at the schedule is enough for a firm whose 200 grants are due at once: places that become free are taken at once", {
  timeout: 60_000,
}, async () => {
  const { sweeps } = await refreshAll(200, minutes(10));
  expect(sweeps).toBe(1);
});

test(`a firm's ${AFTER_OUTAGE} due grants are all refreshed by one process, and none is left waiting`, {
  timeout: 60_000 + 60 * AFTER_OUTAGE,
}, async () => {
  const { ms } = await refreshAll(AFTER_OUTAGE, seconds(2));
  const perSecond = (1_000 * AFTER_OUTAGE) / ms;
  console.log(
    `figure: ${AFTER_OUTAGE} due grants refreshed in ${(ms / 1_000).toFixed(1)} s, ${perSecond.toFixed(0)} a second`,
  );
});

async function refreshAll(count: number, sweepMs: Milliseconds) {
  const redis = await ownRedisForThisTest();
  const here = await world({ redisUrl: redis.url });
  const grants = await manyGrants(here, count);
  await allDue(here, grants);
  await here.broker.reconcile();
  here.simulator.resetCounts();
  const happened = new Happened();
  // A grant that is refreshed twice would make up for one that is not: families are counted, not calls.
  const families = new Set<string>();
  const everyFamily = here.simulator.waitFor(
    (event) => event?.type === "refreshed" && families.add(event.family!).size === count,
    50_000 + 50 * count,
  );
  const startedAt = performance.now();
  await workersOn(
    redis.url,
    {
      ...here.broker.workerStories,
      async sweepRefreshes() {
        happened.tell("sweep");
        return here.broker.workerStories.sweepRefreshes();
      },
    },
    { timing: { sweepMs } },
  );
  await everyFamily.catch(async (error: unknown) => {
    const states = JSON.stringify(await statesOf(here, grants));
    throw new Error(`${families.size} of ${count} were refreshed; their states: ${states}`, { cause: error });
  });
  return { ms: performance.now() - startedAt, sweeps: happened.count("sweep") };
}
