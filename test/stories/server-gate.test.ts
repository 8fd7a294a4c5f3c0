import { describe, expect, it } from "vitest";
import { days, minutes, seconds } from "../../src/domain/instant.ts";
import { serverGateKey } from "../../src/store/keys.ts";
import { expireSoon } from "../kit/expire.ts";
import { checkInvariants } from "../kit/invariants.ts";
import { allDue, manyGrants, statesOf, sweepFor, sweepOnce } from "../kit/many-grants.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, type World, type WorldOptions, world } from "../kit/world.ts";

// The whole counts are for `npm run verify:faults`; the generators are the same.
const GRANTS = Number(process.env.GATE_GRANTS ?? 60);

const ownWorld = async (options: WorldOptions = {}): Promise<World> =>
  world({ redisUrl: (await ownRedisForThisTest()).url, ...options });

const calls = ({ simulator }: World): number => simulator.counts().grant_types.refresh_token ?? 0;
/** How much shifted time passes until it holds, with sweeps as often as the workers make them. */
async function timeUntil(here: World, holds: () => boolean): Promise<number> {
  const store = here.broker.stores.fast;
  const startedAt = await store.now();
  while (!holds()) {
    if ((await store.now()) - startedAt > minutes(60)) throw new Error("not within an hour");
    await sweepFor(here, seconds(2), seconds(2));
  }
  return (await store.now()) - startedAt;
}

/** Both are asked in turn after each step, so that whatever else the machine does befalls both. */
async function vendsDuring(
  step: () => Promise<unknown>,
  steps: number,
  troubled: () => Promise<{ readonly status: number }>,
  calm: () => Promise<{ readonly status: number }>,
) {
  const took: Record<"troubled" | "calm", number[]> = { troubled: [], calm: [] };
  let refused = 0;
  for (let i = 0; i < steps; i++) {
    await step();
    for (const [which, ask] of [["troubled", troubled] as const, ["calm", calm] as const]) {
      const startedAt = performance.now();
      if ((await ask()).status !== 200) refused += 1;
      took[which].push(performance.now() - startedAt);
    }
  }
  const median = (of: number[]) => of.sort((a, b) => a - b)[Math.floor(of.length / 2)]!;
  return { count: took.troubled.length, refused, ratio: median(took.troubled) / median(took.calm) };
}

const USER = { type: "user", id: "user.0" };

describe("when one server is in trouble", { timeout: 120_000 + 60 * GRANTS }, () => {
  it(`a wrong client secret over ${GRANTS} grants marks none, costs at most 50 calls in ten minutes, and is over within a minute of the fix (F06)`, async () => {
    const here = await ownWorld();
    const grants = await manyGrants(here, GRANTS);
    here.simulator.registrations.patch("token-broker", { client_secrets: [{ value: "another" }] });
    await allDue(here, grants);
    await sweepFor(here, minutes(10));
    expect(calls(here)).toBeLessThanOrEqual(50);
    expect(await statesOf(here, grants)).toEqual({ active: GRANTS });
    expect(await here.client.accessToken({ server: here.server, subject: USER })).toMatchObject({
      status: 502,
      body: { code: "client_secret_refused", remedy: "operator" },
    });

    here.simulator.registrations.patch("token-broker", {
      client_secrets: [{ value: "sim_secret_token-broker" }],
    });
    const during = calls(here);
    const fixedAfter = await timeUntil(here, () => here.simulator.counts().statuses["200"]! > 0);
    console.log(
      `figure: ${GRANTS} grants, ${during} calls in ten minutes with a wrong secret, 0 marked; in use again ` +
        `${Math.round(fixedAfter / 1_000)} s after the fix`,
    );
    expect(fixedAfter).toBeLessThan(seconds(60));
    expect(await here.client.accessToken({ server: here.server, subject: USER })).toMatchObject({
      status: 200,
    });
    await sweepFor(here, seconds(60), seconds(10));
    expect(await statesOf(here, grants)).toEqual({ active: GRANTS });
  });

  it(`half an hour of invalid_grant for everyone, ${GRANTS} grants: none is marked, and it is over within two minutes (F05)`, async () => {
    const here = await ownWorld();
    const grants = await manyGrants(here, GRANTS);
    here.simulator.addFault({
      on: { route: "token", grant_type: "refresh_token" },
      times: "always",
      do: { answer: { status: 400, body: { error: "invalid_grant" } } },
    });
    const store = here.broker.stores.fast;
    const began = await store.now();
    await allDue(here, grants);
    await sweepFor(here, minutes(30), 15_000);
    const states = await statesOf(here, grants);
    expect(states.reauthorization_required).toBeUndefined();
    const during = calls(here);
    expect(during).toBeLessThan(30 * 4 + 20);
    // One incident from its first minute on, of which operators are told once and then each quarter of an hour.
    const [why, since] = await store.call((redis) =>
      redis.hmget(serverGateKey(here.server), "open", "opened_at"),
    );
    expect(why).toBe("incident");
    expect(Number(since) - began).toBeLessThan(minutes(1));

    here.simulator.clearFaults();
    const answered = () => here.simulator.counts().statuses["200"] ?? 0;
    const before = answered();
    const openAfter = await timeUntil(here, () => answered() > before);
    expect(openAfter).toBeLessThan(minutes(2));
    expect(await here.client.accessToken({ server: here.server, subject: USER })).toMatchObject({
      status: 200,
    });
    const allAfter = openAfter + (await timeUntil(here, () => answered() - before >= GRANTS));
    console.log(
      `figure: ${GRANTS} grants, ${during} calls in half an hour of invalid_grant, 0 marked, one incident told; the gate was open ` +
        `${Math.round(openAfter / 1_000)} s after, and all were refreshed ${Math.round(allAfter / 1_000)} s after`,
    );
    expect(await statesOf(here, grants)).toEqual({ active: GRANTS });
    // Nobody waits for these: six at a time, and whoever finds the server busy is put back. Some twenty a second.
    expect(allAfter).toBeLessThan(minutes(2) + GRANTS * 60);
  });

  it("a quarter of an hour in which a part of a server refuses whom it serves while the rest answers well: none is marked (F05)", async () => {
    const here = await ownWorld();
    const grants = await manyGrants(here, 24);
    const [refused, served] = [grants.slice(0, 10), grants.slice(10)];
    for (const [i] of refused.entries()) {
      here.simulator.addFault({
        on: { route: "token", refresh_token_of_user: `user.${i}` },
        times: "always",
        do: { answer: { status: 400, body: { error: "invalid_grant" } } },
      });
    }
    await allDue(here, grants);
    for (let minute = 0; minute < 15; minute++) {
      // As tokens of half an hour's life come up for refresh.
      await allDue(here, [served[minute % served.length]!]);
      await sweepFor(here, minutes(1), seconds(10));
    }
    expect((await statesOf(here, grants)).reauthorization_required).toBeUndefined();
    expect((await checkInvariants(here)).with("healthy")).toHaveLength(24);

    here.simulator.clearFaults();
    await sweepFor(here, minutes(6));
    expect(await statesOf(here, grants)).toEqual({ active: 24 });
  });

  it(`a storm of 503 with ${GRANTS} due: the breaker opens, probes stay few, and tokens that live are handed out as ever (F08)`, async () => {
    const here = await ownWorld();
    const calm = await world({ redisUrl: here.environment.REDIS_URL! });
    await calm.connect();
    await here.connect();
    const grants = await manyGrants(here, GRANTS);
    here.simulator.addFault({
      on: { route: "token" },
      times: "always",
      do: { answer: { status: 503, body: "" } },
    });
    await allDue(here, grants);
    // Those whose tokens live are asked for all the while, of this server and of one that is well, in turn.
    const vends = await vendsDuring(
      () => sweepFor(here, seconds(5)),
      120,
      () => here.client.accessToken({ server: here.server, subject: { type: "user", id: AMELIA.subject } }),
      () => calm.client.accessToken({ server: calm.server, subject: { type: "user", id: AMELIA.subject } }),
    );
    console.log(
      `figure: ${calls(here)} calls in ten minutes of 503 with ${GRANTS} due (${((100 * calls(here)) / GRANTS).toFixed(2)} %); ` +
        `${vends.count} vends of tokens that live, median ${vends.ratio.toFixed(2)} times that at a server that is well`,
    );
    if (GRANTS >= 5_000) expect(calls(here)).toBeLessThanOrEqual(GRANTS / 100);
    expect(vends.refused).toBe(0);
    expect(vends.ratio).toBeLessThan(2);
    // Those already under way when it opened, then a probe each half minute at the most.
    expect(calls(here)).toBeLessThanOrEqual(6 + 5 + 24);
    here.simulator.clearFaults();
    await sweepFor(here, minutes(2));
    expect(await statesOf(here, grants)).toEqual({ active: GRANTS });
  });

  it("a server that stays closed is told to operators after a minute and each quarter of an hour, with who does what", async () => {
    const here = await ownWorld();
    const grants = await manyGrants(here, 5);
    here.simulator.registrations.patch("token-broker", { client_secrets: [{ value: "another" }] });
    await allDue(here, grants);
    const told = () => here.lines.filter((line) => line.includes('"message":"server closed"'));
    for (let minute = 0; minute < 20; minute++) {
      await sweepFor(here, minutes(1));
      await here.broker.workerStories.reapUnbound();
    }
    expect(told()).toHaveLength(2);
    expect(JSON.parse(told()[1]!)).toMatchObject({
      level: "error",
      code: "client_secret_refused",
      server: here.server,
      detail: expect.stringContaining("Control Center"),
    });
  });

  it("a dead server changes nothing for another of the same firm and worker", async () => {
    const here = await ownWorld();
    const dead = await world({ redisUrl: here.environment.REDIS_URL! });
    const grants = await manyGrants(dead, 20);
    dead.simulator.addFault({
      on: { route: "token" },
      times: "always",
      do: { answer: { status: 500, body: "" } },
    });
    await allDue(dead, grants);
    await sweepFor(dead, minutes(1));
    await here.connect();
    const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
    const { grant } = (await here.client.accessToken(ask)).body;
    await expireSoon(here, grant, -1);
    expect(await here.client.accessToken(ask)).toMatchObject({ status: 200 });
  });
});

describe("a grant that iManage really ended", () => {
  it("is believed dead after three refusals spread over two minutes, at three calls, and says so (F04)", async () => {
    const here = await ownWorld();
    await manyGrants(here, 8);
    await here.connect();
    const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
    const { grant } = (await here.client.accessToken(ask)).body;
    here.simulator.endFamilies({ user: "amelia.hart" });
    await expireSoon(here, grant, -1);
    for (let asked = 0; asked < 40; asked++) {
      const answer = await here.client.accessToken(ask);
      if (answer.body.code === "reauthorization_required") break;
      expect(answer).toMatchObject({ status: 503, body: { code: "imanage_unavailable", remedy: "time" } });
      here.advance(seconds(10));
    }
    expect(await here.client.accessToken(ask)).toMatchObject({
      status: 409,
      body: { code: "reauthorization_required" },
    });
    expect(calls(here)).toBe(3);

    // He signs in again, and it is as before.
    expect((await here.connect()).body.state).toBe("connected");
    expect(await here.client.accessToken(ask)).toMatchObject({ status: 200, body: { grant } });
  });

  it("one refusal, then fine: nobody is asked to sign in (F04)", async () => {
    const here = await ownWorld();
    await here.connect();
    const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
    const { grant } = (await here.client.accessToken(ask)).body;
    here.simulator.addFault({
      on: { route: "token", grant_type: "refresh_token" },
      times: 2,
      do: { answer: { status: 400, body: { error: "invalid_grant" } } },
    });
    await expireSoon(here, grant, -1);
    for (let asked = 0; asked < 3; asked++) {
      await here.client.accessToken(ask);
      here.advance(seconds(62));
    }
    expect(await here.client.accessToken(ask)).toMatchObject({ status: 200, body: { grant } });
  });
});

describe("what the schedule does over months", () => {
  it("a grant that nobody uses lapses after a warning, and whoever asks again revives it", async () => {
    const here = await ownWorld();
    const [grant] = await manyGrants(here, 1);
    const kinds = async () => (await here.broker.grantStore.timeline(grant!)).map(({ kind }) => kind);
    for (let day = 0; day < 180; day += 1) {
      here.advance(days(1));
      await sweepOnce(here);
    }
    expect(await kinds()).toContain("grant.lapsing");
    for (let day = 0; day < 10; day += 1) {
      here.advance(days(1));
      await sweepOnce(here);
    }
    expect(await kinds()).toContain("grant.lapsed");
    const before = calls(here);
    here.advance(days(20));
    await sweepOnce(here);
    expect(calls(here)).toBe(before);
    expect(await here.client.accessToken({ server: here.server, subject: USER })).toMatchObject({
      status: 200,
    });
  });

  it("a refresh token that ends is told of at 30, 14, 7, 3 and 1 days", async () => {
    const here = await ownWorld();
    const [grant] = await manyGrants(here, 1);
    for (let day = 0; day < 365; day += 1) {
      here.advance(days(1));
      await here.broker.workerStories.reapUnbound();
    }
    const told = (await here.broker.grantStore.timeline(grant!)).filter(
      ({ kind }) => kind === "grant.expiring",
    );
    expect(told.map(({ detail }) => detail)).toEqual(
      ["30", "14", "7", "3", "1"].map((left) => `${left} days left`),
    );
  });
});

it("a server that keeps its refresh tokens is learned from its answers, and a killed holder is then followed at once", async () => {
  const here = await ownWorld({ prepare: (simulator) => simulator.setSwitches({ refresh_mode: "same" }) });
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;
  for (let refreshed = 0; refreshed < 3; refreshed++) {
    await expireSoon(here, grant, -1);
    expect((await here.client.accessToken(ask)).status).toBe(200);
  }
  await expireSoon(here, grant, -1);
  here.simulator.addFault({ on: { route: "token" }, do: { drop_after: "reset" } });
  await here.client.accessToken(ask);
  here.advance(seconds(1));
  expect(await here.client.accessToken(ask)).toMatchObject({ status: 200 });
});
