import { expect, it } from "vitest";
import { brokerProcess } from "../kit/broker-process.ts";
import { faultProxyForThisTest } from "../kit/fault-proxy.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { world } from "../kit/world.ts";

/** After so many of Redis' answers. Where connections have been made a process begins to look whether the store is well. */
const LOST_AFTER = (process.env.TEST_START_LOSSES ?? "34,40").split(",").map(Number);

it(`F18: a process whose connections to Redis are lost while it starts, after ${LOST_AFTER.join(" and ")} answers, goes on starting when Redis is back`, {
  timeout: 60_000,
}, async () => {
  const redis = await ownRedisForThisTest();
  const here = await world({ redisUrl: redis.url });
  const starts = LOST_AFTER.map(async (after) => {
    const wire = await faultProxyForThisTest({ host: redis.host, port: redis.port });
    const starting = brokerProcess(here, "http", { REDIS_URL: `redis://${wire.host}:${wire.port}` });
    let answers = 0;
    const lost = wire
      .waitFor("bytes", ({ direction }) => direction === "to-client" && ++answers === after)
      .then(() => wire.reset());
    const [{ ops }] = await Promise.all([starting, lost]);
    return (await fetch(`${ops}/readyz`)).status;
  });
  expect(await Promise.all(starts)).toEqual(LOST_AFTER.map(() => 200));
});
