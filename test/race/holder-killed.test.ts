import { expect, it } from "vitest";
import { minutes, seconds } from "../../src/domain/instant.ts";
import { brokerProcess } from "../kit/broker-process.ts";
import { expireSoon } from "../kit/expire.ts";
import { checkInvariants } from "../kit/invariants.ts";
import { AMELIA, world } from "../kit/world.ts";

it("kill -9 of the process holding a refresh: on a server with leeway the next request refreshes once its lease has ended (F16, F24)", async () => {
  const here = await world({
    serverSettings: { rotation: "leeway" },
    prepare: (simulator) => simulator.setSwitches({ refresh_mode: "leeway", leeway_seconds: 30 }),
  });
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;
  const holder = await brokerProcess(here);
  await expireSoon(here, grant);

  // iManage has rotated, and its answer is on its way, when the holder dies.
  here.simulator.addFault({ on: { route: "token", grant_type: "refresh_token" }, do: { hold_after: true } });
  const lost = here
    .clientOf(holder.base)
    .accessToken(ask)
    .catch(() => "cut");
  await here.simulator.waitFor(() => here.simulator.held().length === 1);
  await holder.kill();
  expect(await lost).toBe("cut");
  here.simulator.release();

  // A token that still lives is served meanwhile to whoever is content with it.
  expect(await here.client.accessToken({ ...ask, min_ttl: 5 })).toMatchObject({ status: 200 });
  here.advance(seconds(15));
  const after = await here.client.accessToken(ask);
  expect({ status: after.status, warning: after.body.warning }).toEqual({ status: 200, warning: undefined });
  expect(here.simulator.counts().grant_types.refresh_token).toBe(2);
  expect((await checkInvariants(here)).grants).toMatchObject([{ grant, verdict: "healthy" }]);
});

it("kill -9 of the holder before its request reached iManage's books: a strict server is asked again only after the provider deadline, and nothing is lost (F16)", async () => {
  const here = await world();
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;
  const holder = await brokerProcess(here);
  await expireSoon(here, grant, -1);

  here.simulator.addFault({ on: { route: "token", grant_type: "refresh_token" }, do: { hold_before: true } });
  const lost = here
    .clientOf(holder.base)
    .accessToken(ask)
    .catch(() => "cut");
  await here.simulator.waitFor(() => here.simulator.held().length === 1);
  await holder.kill();
  await lost;
  here.simulator.release();

  here.advance(seconds(16));
  const early = await here.client.accessToken(ask);
  expect(early).toMatchObject({ status: 503, body: { code: "refresh_pending", remedy: "time" } });
  expect(Number(early.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(here.simulator.counts().grant_types.refresh_token).toBe(1);

  here.advance(minutes(1));
  expect(await here.client.accessToken(ask)).toMatchObject({ status: 200 });
  expect(here.simulator.truth().families).toMatchObject([{ can_refresh: true }]);
});

it("callers are answered by 10 s while the refresh goes on, and its answer lands (F09)", {
  timeout: 40_000,
}, async () => {
  const here = await world();
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;
  await expireSoon(here, grant, -1);

  here.simulator.addFault({ on: { route: "token", grant_type: "refresh_token" }, do: { hold_before: true } });
  const startedAt = performance.now();
  const late = await here.client.accessToken(ask);
  expect(late).toMatchObject({ status: 503, body: { code: "refresh_pending" } });
  expect(performance.now() - startedAt).toBeLessThan(11_000);

  here.simulator.release();
  await here.broker.refresher.settled();
  expect(await here.client.accessToken(ask)).toMatchObject({ status: 200 });
  expect(here.simulator.counts().grant_types.refresh_token).toBe(1);
  expect(here.broker.refresher.flights).toBe(0);
});
