import { expect, it } from "vitest";
import type { GrantId } from "../../src/domain/id.ts";
import { hours } from "../../src/domain/instant.ts";
import { grantKey } from "../../src/store/keys.ts";
import { brokerProcess, brokerProcesses } from "../kit/broker-process.ts";
import { DISTURBABLE, disturb } from "../kit/disturbances.ts";
import { expireSoon } from "../kit/expire.ts";
import { checkInvariants } from "../kit/invariants.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

const tokenCall = { route: "token", grant_type: "refresh_token" } as const;

it("F22: a holder whose event loop stands still for 5 s keeps its lease and renews it; nobody else calls iManage", {
  timeout: 60_000,
}, async () => {
  const here = await world({ serverSettings: { rotation: "leeway" } });
  here.simulator.setSwitches({ refresh_mode: "leeway", leeway_seconds: 60 });
  const [holder, other] = await brokerProcesses(here, 2, "http", DISTURBABLE);
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;
  await expireSoon(here, grant, -1);

  here.simulator.addFault({ on: tokenCall, do: { hold_before: true } });
  const held = here.clientOf(holder!.base).accessToken(ask);
  await here.simulator.waitFor(() => here.simulator.held().length === 1);
  const taken = await leaseOf(here, grant);
  const blocked = disturb(holder!, { disturb: "block", ms: 5_000 });
  // Somebody else wants the token all the while, and is patient for as long as callers are.
  const waiting = here.clientOf(other!.base).accessToken(ask);
  await blocked;
  const after = await leaseOf(here, grant);
  expect(after.owner, "the lease is still the holder's").toBe(taken.owner);
  expect(after.until, "and had not lapsed").toBeGreaterThan(after.now);
  // Its renewal was due during the block, and is made up for at once.
  await expect
    .poll(() => leaseOf(here, grant).then(({ until }) => until), { timeout: 6_000 })
    .toBeGreaterThan(taken.until);

  here.simulator.release();
  const answers = await Promise.all([held, waiting]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect(here.simulator.counts().grant_types.refresh_token).toBe(1);
  expect((await checkInvariants(here)).grants).toMatchObject([{ grant, verdict: "healthy" }]);
});

it("F23: a clock that is an hour ahead or behind in one process takes no lease away, and tokens are served alike", {
  timeout: 60_000,
}, async () => {
  const here = await world({ serverSettings: { rotation: "strict" } });
  here.simulator.setSwitches({ refresh_mode: "strict" });
  const [ahead, behind] = await brokerProcesses(here, 2, "http", DISTURBABLE);
  const right = await brokerProcess(here);
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;
  const everybody = [ahead!, behind!, right].map(({ base }) => here.clientOf(base));

  let expiries = 0;
  for (const shiftMs of [0, hours(1), -hours(1)]) {
    // They jump while they run, one forward and one back, and jump the other way next.
    await disturb(ahead!, { disturb: "clock", shiftMs });
    await disturb(behind!, { disturb: "clock", shiftMs: -shiftMs });
    for (const holder of everybody) {
      expiries += 1;
      await expireSoon(here, grant);
      here.simulator.addFault({ on: tokenCall, do: { hold_before: true } });
      const first = holder.accessToken(ask);
      await here.simulator.waitFor(() => here.simulator.held().length === 1);
      // Whatever o'clock it is there, the lease is held.
      const others = everybody.map((client) => client.accessToken(ask));
      const content = await Promise.all(
        everybody.map((client) => client.accessToken({ ...ask, min_ttl: 5 })),
      );
      expect(content.map(({ status }) => status)).toEqual([200, 200, 200]);
      here.simulator.release();
      const answers = await Promise.all([first, ...others]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(new Set(answers.map(({ body }) => body.fingerprint)).size).toBe(1);
      const lives = answers.map(({ body }) => body.expires_in);
      expect(Math.max(...lives) - Math.min(...lives)).toBeLessThanOrEqual(5);
    }
  }
  expect(here.simulator.counts().grant_types.refresh_token).toBe(expiries);
  const { grants, broken } = await checkInvariants(here);
  expect(broken).toEqual([]);
  expect(grants).toMatchObject([{ grant, state: "active", verdict: "healthy" }]);
});

it("F23: three refusals within a minute send nobody to sign in, though a clock jumps an hour between them", async () => {
  const here = await world({ serverSettings: { rotation: "static" } });
  here.simulator.setSwitches({ refresh_mode: "same" });
  const broker = await brokerProcess(here, "http", DISTURBABLE);
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;
  const store = here.broker.stores.fast;
  await disturb(broker, { disturb: "clock", shiftMs: hours(1) });

  for (let refusal = 1; refusal <= 3; refusal++) {
    here.simulator.addFault({
      on: tokenCall,
      do: { answer: { status: 400, body: { error: "invalid_grant" } } },
    });
    await expireSoon(here, grant, -1);
    expect((await here.clientOf(broker.base).accessToken(ask)).status).toBe(503);
    await store.call((redis) => redis.hdel(grantKey(grant as GrantId), "retry_at"));
  }
  expect((await here.broker.grantStore.findGrant(grant as GrantId))?.state).toBe("suspect");
  await expireSoon(here, grant, -1);
  expect((await here.clientOf(broker.base).accessToken(ask)).status).toBe(200);
  expect(here.simulator.counts().grant_types.refresh_token).toBe(4);
});

async function leaseOf(here: World, grant: string) {
  const store = here.broker.stores.fast;
  const [owner, until] = await store.call((redis) =>
    redis.hmget(grantKey(grant as GrantId), "lease", "lease_until"),
  );
  return { owner, until: Number(until), now: await store.now() };
}
