import type { Redis } from "ioredis";
import { expect, it } from "vitest";
import type { OrganisationId } from "../../src/domain/id.ts";
import { dueKey } from "../../src/store/keys.ts";
import { brokerProcess } from "../kit/broker-process.ts";
import { allDue, manyGrants } from "../kit/many-grants.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { world } from "../kit/world.ts";

/** A minute each: a sample with shorter times is in `start-workers.test.ts`. */
const ROUNDS = Number(process.env.TEST_QUEUES_LOST ?? 0);
const GRANTS = 20;
const BACK_WITHIN_MS = 90_000;

it.runIf(ROUNDS > 0)(
  `F34 with every queue deleted under a worker as it is shipped, what is due is done within ${BACK_WITHIN_MS / 1_000} s`,
  {
    timeout: 60_000 + ROUNDS * 2 * BACK_WITHIN_MS,
  },
  async () => {
    const redis = await ownRedisForThisTest();
    const here = await world({ redisUrl: redis.url });
    const grants = await manyGrants(here, GRANTS);
    await brokerProcess(here, "worker");
    const connection = here.broker.stores.fast.connection as Redis;
    const queues = async () => connection.keys("b1:{q:*");
    const refreshes = () => here.simulator.counts().grant_types.refresh_token ?? 0;
    const figures: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const before = refreshes();
      await allDue(here, grants);
      // The first job has begun: the others are deleted under the worker's hands.
      await expect.poll(refreshes, { timeout: BACK_WITHIN_MS, interval: 5 }).toBeGreaterThan(before);
      await Promise.all((await queues()).map((key) => connection.del(key)));
      const lostAt = performance.now();
      await allDue(here, grants);
      const waiting = async () =>
        connection.zcount(dueKey(here.organisation as OrganisationId), 0, Date.now());
      await expect.poll(waiting, { timeout: BACK_WITHIN_MS, interval: 50 }).toBe(0);
      figures.push(Math.round(performance.now() - lostAt));
    }
    console.log(
      `figure: F34 ${GRANTS} due grants, queues deleted ${ROUNDS} times: all refreshed after ${figures.join(", ")} ms`,
    );
  },
);
