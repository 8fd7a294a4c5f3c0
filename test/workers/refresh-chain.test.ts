import { expect, test } from "vitest";
import { minutes } from "../../src/domain/instant.ts";
import { allDue, manyGrants } from "../kit/many-grants.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { world } from "../kit/world.ts";
import { Happened, workersOn } from "./kit.ts";

const GRANTS = Number(process.env.TEST_CHAIN_GRANTS ?? 200);

test(`one look at the schedule is enough for a firm whose ${GRANTS} grants are due at once: places that become free are taken at once`, {
  timeout: 60_000 + 30 * GRANTS,
}, async () => {
  const redis = await ownRedisForThisTest();
  const here = await world({ redisUrl: redis.url });
  const grants = await manyGrants(here, GRANTS);
  await allDue(here, grants);
  await here.broker.reconcile();
  here.simulator.resetCounts();
  const happened = new Happened();
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
    { timing: { sweepMs: minutes(10) } },
  );
  const refreshes = () => here.simulator.counts().grant_types.refresh_token ?? 0;
  await here.simulator.waitFor(() => refreshes() === GRANTS, 50_000 + 30 * GRANTS);
  const perSecond = (1_000 * GRANTS) / (performance.now() - startedAt);
  console.log(`figure: ${GRANTS} due grants refreshed at ${perSecond.toFixed(0)} a second`);
  expect(happened.count("sweep")).toBe(1);
});
