import { expect, it } from "vitest";
import { minutes, seconds } from "../../src/domain/instant.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, MOREAU, world } from "../kit/world.ts";

it("a grant that is in use is refreshed ahead of expiry, an idle one is left alone (design §3.8)", async () => {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  await here.connect(AMELIA);
  await here.connect(MOREAU);
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const used = (await here.client.accessToken(ask)).body;
  const sweep = async () => {
    await here.broker.reconcile();
    const due = await here.broker.workerStories.sweepRefreshes();
    for (const id of due) await here.broker.workerStories.refreshGrant(id);
    return due;
  };

  expect(await sweep()).not.toContain(used.grant);
  here.advance(minutes(25) + seconds(1));
  expect(await sweep()).toContain(used.grant);
  expect(here.simulator.counts().refreshes_by_user).toEqual({ "amelia.hart": 1 });

  // Nobody waits at the moment of expiry: the token that is served now is already the next one.
  here.advance(minutes(5));
  const next = await here.client.accessToken(ask);
  expect(next.status).toBe(200);
  expect(next.body.fingerprint).not.toBe(used.fingerprint);
  expect(here.simulator.counts().grant_types.refresh_token).toBe(1);
});

it("once nobody asks any more, a grant is only kept alive, weekly (F36)", async () => {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  await here.client.accessToken(ask);
  const sweep = async () => {
    await here.broker.reconcile();
    for (const id of await here.broker.workerStories.sweepRefreshes())
      await here.broker.workerStories.refreshGrant(id);
  };
  const refreshes = () => here.simulator.counts().grant_types.refresh_token ?? 0;
  for (let hour = 0; hour < 24; hour++) {
    here.advance(minutes(60));
    await sweep();
  }
  expect(refreshes()).toBeLessThanOrEqual(3);
  const settled = refreshes();
  for (let day = 0; day < 8; day++) {
    here.advance(minutes(24 * 60));
    await sweep();
  }
  expect(refreshes() - settled).toBe(1);
  expect((await here.client.accessToken(ask)).status).toBe(200);
});
