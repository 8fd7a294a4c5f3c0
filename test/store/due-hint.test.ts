import { describe, expect, onTestFinished, test } from "vitest";
import { routeOf } from "../../src/domain/id.ts";
import { connectRedis, disconnect, type RedisConnection, whenReady } from "../../src/store/connect-redis.ts";
import { DueHint } from "../../src/store/due-hint.ts";
import { RedisStore } from "../../src/store/redis-store.ts";
import { addressOf, ownRedisForThisTest } from "../kit/redis.ts";
import { identities } from "../sync/kit.ts";

const HINT = "b1:{s:due}:test";
const DUE = "b1:{o:test}:due:test";
const { organisation } = identities();

describe.for([1, 2, 3])(
  "what changes right after its command %i leaves a hint that is not too late",
  (moment) => {
    test("where a worker puts off what was due first, and another is still due", async () => {
      const hint = await restatedWhile(moment, { first: 10, second: 20 }, (redis) =>
        redis.zadd(DUE, 1_000_000, "first"),
      );
      expect(hint).toBeLessThanOrEqual(20);
    });

    test("where somebody brings forward what was due much later, and says so", async () => {
      const hint = await restatedWhile(moment, { first: 500_000 }, async (redis) => {
        await redis.zadd(DUE, 20, "first");
        await new DueHint(new RedisStore(redis), HINT, () => DUE).atMost(organisation, 20);
      });
      expect(hint).toBe(20);
    });
  },
);

async function restatedWhile(
  moment: number,
  due: Readonly<Record<string, number>>,
  change: (redis: RedisConnection) => Promise<unknown>,
): Promise<number> {
  const { url } = await ownRedisForThisTest();
  const connection = connectRedis(addressOf(url), "durable");
  onTestFinished(() => disconnect(connection));
  await whenReady(connection);
  for (const [id, at] of Object.entries(due)) await connection.zadd(DUE, at, id);

  let commands = 0;
  class Interrupted extends RedisStore {
    override async call<T>(command: (redis: RedisConnection) => Promise<T>): Promise<T> {
      const answer = await super.call(command);
      commands += 1;
      if (commands === moment) await change(connection);
      return answer;
    }
  }
  await new DueHint(new Interrupted(connection), HINT, () => DUE).restate(organisation);
  expect(commands).toBeGreaterThanOrEqual(moment);
  return Number(await connection.zscore(HINT, routeOf(organisation)));
}
