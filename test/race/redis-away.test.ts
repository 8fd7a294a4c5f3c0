import { expect, it } from "vitest";
import { seconds } from "../../src/domain/instant.ts";
import { expireSoon } from "../kit/expire.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, world } from "../kit/world.ts";

it("Redis killed after iManage has rotated: the answer is stored when Redis is back, and nothing is lost (F27)", async () => {
  const redis = await ownRedisForThisTest();
  const here = await world({ redisUrl: redis.url });
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant, fingerprint } = (await here.client.accessToken(ask)).body;
  await expireSoon(here, grant, -1);

  here.simulator.addFault({ on: { route: "token", grant_type: "refresh_token" }, do: { hold_after: true } });
  const waiting = here.client.accessToken(ask);
  await here.simulator.waitFor(() => here.simulator.held().length === 1);
  await redis.kill();
  here.simulator.release();
  const during = await here.client.accessToken(ask);
  expect(during).toMatchObject({
    status: 503,
    body: { code: "store_unavailable", remedy: "time", retryable: true },
  });

  await redis.restart();
  await here.broker.refresher.settled();
  await waiting;
  const after = await until(
    () => here.client.accessToken(ask),
    ({ status }) => status === 200,
  );
  expect(after.body.grant).toBe(grant);
  expect(after.body.fingerprint).not.toBe(fingerprint);
  expect(here.simulator.counts().grant_types.refresh_token).toBe(1);
  expect(here.simulator.truth().families).toMatchObject([{ can_refresh: true }]);
});

it("while Redis is away a token request is refused within a second, and never served from memory (F28)", async () => {
  const redis = await ownRedisForThisTest();
  const here = await world({ redisUrl: redis.url });
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  expect((await here.client.accessToken(ask)).status).toBe(200);

  for (const away of ["paused", "killed"] as const) {
    if (away === "paused") redis.pause();
    else await redis.kill();
    const startedAt = performance.now();
    const answers = await Promise.all(Array.from({ length: 20 }, () => here.client.accessToken(ask)));
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 503, body: { code: "store_unavailable" } });
      expect(answer.headers.get("retry-after")).toBe("1");
    }
    if (away === "paused") redis.resume();
  }
  await redis.restart();
  await until(
    () => here.client.accessToken(ask),
    ({ status }) => status === 200,
  );
});

it("an intent that cannot be written is a call that is not made (F31)", async () => {
  const redis = await ownRedisForThisTest();
  const here = await world({ redisUrl: redis.url });
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;
  await expireSoon(here, grant, -1);
  // Nothing may be written any more: what Redis does after it failed to save, or when it is full.
  await here.broker.stores.fast.call(
    (redisNow) => redisNow.call("CONFIG", "SET", "maxmemory", "1") as Promise<unknown>,
  );
  expect(await here.client.accessToken(ask)).toMatchObject({
    status: 503,
    body: { code: "store_unavailable" },
  });
  expect(here.simulator.counts().grant_types.refresh_token).toBeUndefined();
});

/** Asks until the answer fits: for a connection that is just being made again. Bounded. */
async function until<T>(ask: () => Promise<T>, fits: (answer: T) => boolean): Promise<T> {
  const deadline = performance.now() + seconds(8);
  for (;;) {
    const answer = await ask();
    if (fits(answer) || performance.now() > deadline) return answer;
  }
}
