import { describe, expect, it } from "vitest";
import type { GrantId } from "../../src/domain/id.ts";
import { hours, minutes, seconds } from "../../src/domain/instant.ts";
import type { RotationProfile } from "../../src/domain/server.ts";
import type { Switches } from "../../src/simulator/start-simulator.ts";
import { expireLease, expireSoon } from "../kit/expire.ts";
import { faultProxyForThisTest } from "../kit/fault-proxy.ts";
import { checkInvariants } from "../kit/invariants.ts";
import { allDue, manyGrants, statesOf, sweepFor } from "../kit/many-grants.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { Seeded } from "../kit/seeded.ts";
import { AMELIA, type World, type WorldOptions, world } from "../kit/world.ts";

// What may become of tokens while and after they are refreshed: F01, F09, F12, F13 and F15.

const ownWorld = async (options: WorldOptions = {}): Promise<World> =>
  world({ redisUrl: (await ownRedisForThisTest()).url, ...options });

const calls = ({ simulator }: World): number => simulator.counts().grant_types.refresh_token ?? 0;
const kindsOf = async (here: World, grant: string) =>
  (await here.broker.grantStore.timeline(grant as GrantId)).map(({ kind, detail }) => `${kind} ${detail}`);
const askFor = (here: World, user: string) => ({ server: here.server, subject: { type: "user", id: user } });

const ROUNDS = Number(process.env.FAULT_ROUNDS ?? 2);
const LOST_EACH_ROUND = 3;

interface Behaviour {
  readonly switches: Partial<Switches>;
  /** What an operator says of it; otherwise it is learned. */
  readonly rotation: RotationProfile;
  readonly loses: boolean;
}

const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  "gives the same refresh token": { switches: { refresh_mode: "same" }, rotation: "static", loses: false },
  "gives no refresh token": { switches: { refresh_mode: "none" }, rotation: "static", loses: false },
  "gives the same, which nobody told us": {
    switches: { refresh_mode: "same" },
    rotation: "unknown",
    loses: false,
  },
  "has a leeway of 30 s": {
    switches: { refresh_mode: "leeway", leeway_seconds: 30 },
    rotation: "leeway",
    loses: false,
  },
  rotates: { switches: { refresh_mode: "rotate" }, rotation: "rotating", loses: true },
  "rotates and ends a family at reuse, which nobody told us": {
    switches: { refresh_mode: "strict" },
    rotation: "unknown",
    loses: true,
  },
};

describe("the connection is reset after iManage has refreshed and before its answer is here", () => {
  it.each(Object.entries(BEHAVIOURS))(
    "by a server that %s: what can be kept is kept, and each that is lost says why (F01)",
    {
      timeout: 30_000 + ROUNDS * 10_000,
    },
    async (name, { switches, rotation, loses }) => {
      const here = await ownWorld({
        wired: true,
        serverSettings: { rotation },
        prepare: (simulator) => simulator.setSwitches(switches),
      });
      const grants = await manyGrants(here, ROUNDS * LOST_EACH_ROUND + 5);
      const refreshOf = (grant: GrantId) =>
        here.broker.refresher.refresh(grant, { why: "expired", minTtlMs: seconds(60) });
      // One good refresh of each, from which the server is learned.
      await Promise.all(grants.slice(0, 5).map((grant) => expireSoon(here, grant, -1)));
      for (const grant of grants.slice(0, 5)) expect((await refreshOf(grant)).kind).toBe("refreshed");

      const injected: GrantId[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        for (const grant of grants.slice(injected.length, injected.length + LOST_EACH_ROUND)) {
          const refreshes = here.simulator
            .truth()
            .families.reduce((sum, family) => sum + family.refreshes, 0);
          await expireSoon(here, grant, -1);
          here.wire!.set({ swallow: 1 }, "to-client");
          expect(await refreshOf(grant)).toMatchObject({ kind: "failed", code: "refresh_pending" });
          here.wire!.set("pass");
          // It did arrive, and was acted upon.
          const after = here.simulator.truth().families.reduce((sum, family) => sum + family.refreshes, 0);
          expect(after).toBe(refreshes + 1);
          injected.push(grant);
        }
        // Callers ask again and again, and so do the workers.
        // At first as often as workers do: whoever finds a server busy is back in two seconds, and a leeway is short.
        await sweepFor(here, seconds(30), seconds(2));
        await sweepFor(here, minutes(8), seconds(15));
        here.advance(minutes(20));
        await allDue(here, loses ? grants.slice(injected.length) : grants);
        await sweepFor(here, seconds(10), seconds(2));
      }

      const findings = await checkInvariants(here);
      const ended = findings.grants.filter(({ state }) => state === "reauthorization_required");
      console.log(
        `figure: a server that ${name}: ${injected.length} answers lost, ${ended.length} grants to authorise again, ` +
          `${findings.with("healthy").length} of ${grants.length} healthy`,
      );
      expect(findings.broken).toEqual([]);
      expect(findings.with("falsely-ended")).toEqual([]);
      expect(ended.map(({ grant }) => grant).sort()).toEqual(loses ? [...injected].sort() : []);
      expect(findings.with("healthy")).toHaveLength(grants.length - ended.length);
      for (const { grant } of ended) {
        const told = await kindsOf(here, grant);
        expect(told).toContain("refresh.answer_lost an earlier request left and its answer never came");
        expect(told).toContain("grant.reauthorization_required invalid_grant");
      }
      if (loses) {
        const lost = `user.${grants.indexOf(injected[0]!)}`;
        expect(await here.client.accessToken(askFor(here, lost))).toMatchObject({
          status: 409,
          body: { code: "reauthorization_required", remedy: "resource-owner" },
        });
      }
    },
  );
});

const SLOW_REFRESHES = Number(process.env.FAULT_SLOW_REFRESHES ?? 300);
const SCALE = 50;

it(`2 % of the answers of a strict server take from 14 s to 50 s, ${SLOW_REFRESHES} refreshes at ${SCALE} times the speed: callers hear 503 and Retry-After, and no grant is lost (F09)`, {
  timeout: 60_000 + SLOW_REFRESHES * 100,
}, async () => {
  const here = await ownWorld({ timeScale: SCALE, serverSettings: { rotation: "strict" } });
  const GRANTS = 12;
  const grants = await manyGrants(here, GRANTS);
  const seeded = new Seeded();
  let refreshed = 0;
  let slow = 0;
  let pending = 0;
  await Promise.all(
    grants.map(async (grant, i) => {
      const user = `user.${i}`;
      const ask = askFor(here, user);
      let before = "";
      while (refreshed < SLOW_REFRESHES) {
        refreshed += 1;
        // Every fiftieth, and by chance one more now and then: a run always has some.
        const slowly = refreshed % 50 === 0;
        const lasts = seconds(14 + seeded.below(37));
        if (slowly) {
          slow += 1;
          here.simulator.addFault({
            id: `slow-${refreshed}`,
            on: { route: "token", refresh_token_of_user: user },
            do: { delay_after_ms: lasts / SCALE },
          });
        }
        await expireSoon(here, grant, -1);
        for (;;) {
          const { status, body, headers } = await here.client.accessToken(ask);
          if (status === 200) {
            expect(body.fingerprint).not.toBe(before);
            before = body.fingerprint;
            break;
          }
          expect({ status, remedy: body.remedy }, `seed ${seeded.seed}: ${body.code}`).toEqual({
            status: 503,
            remedy: "time",
          });
          expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
          if (body.code === "refresh_pending") pending += 1;
        }
      }
    }),
  );
  await here.broker.refresher.settled();

  const findings = await checkInvariants(here);
  console.log(
    `seed ${seeded.seed}: ${slow} of ${refreshed} answers took from 14 s to 50 s, callers were told ${pending} times that it goes on`,
  );
  console.log(
    `figure: ${GRANTS - findings.with("healthy").length} dead of ${GRANTS} grants, ${calls(here)} calls for ${refreshed} refreshes, ` +
      `clock, timers and leases ${SCALE} times as fast`,
  );
  expect(findings.with("healthy")).toHaveLength(GRANTS);
  // Whoever was slow was waited for: nobody's impatience ever sent a second request.
  expect(calls(here)).toBe(refreshed);
  expect(pending).toBeGreaterThan(0);
});

const CALLERS = 1_000;

it(`${CALLERS} callers of two replicas report the same token as refused: it is refreshed once, and all get the next one (F12)`, {
  timeout: 60_000,
}, async () => {
  const here = await ownWorld({
    serverSettings: { rotation: "static" },
    prepare: (simulator) => simulator.setSwitches({ refresh_mode: "same" }),
  });
  await here.connect();
  const { hostname, port } = new URL(here.environment.REDIS_URL!);
  const redis = await faultProxyForThisTest({ host: hostname, port: Number(port) });
  const other = await here.replica({ REDIS_URL: `redis://${redis.host}:${redis.port}` });
  const ask = askFor(here, AMELIA.subject);
  const { grant, fingerprint, access_token } = (await here.client.accessToken(ask)).body;
  // An administrator lowered the idle limit, or the person signed out: it died before its time.
  here.simulator.addFault({
    on: { route: "token", grant_type: "refresh_token" },
    do: { hold_after: true },
  });
  const report = async (client = here.client) => {
    for (;;) {
      const answer = await client.accessToken({ ...ask, rejected: fingerprint });
      // On two cores that others use Redis may take longer than a second: then, as every client does, once more.
      if (answer.body.code !== "store_unavailable") return answer;
    }
  };
  const first = report();
  await here.simulator.waitFor(() => here.simulator.held().length === 1);
  // It stands still until the other replica, too, has been told that somebody is at it.
  const told = redis.waitFor("bytes", ({ piece }) => piece?.includes("held"));
  const others = Array.from({ length: CALLERS - 1 }, (_, i) =>
    report(i % 2 === 0 ? other.client : here.client),
  );
  await Promise.race([told, here.simulator.waitFor(() => calls(here) > 1)]);
  here.simulator.release();
  const answers = await Promise.all([first, ...others]);

  expect(
    answers.map(({ status, body }) => (status === 200 ? 200 : body.code)).filter((it) => it !== 200),
  ).toEqual([]);
  expect(calls(here)).toBe(1);
  const given = new Set(answers.map(({ body }) => body.access_token));
  expect(given.size).toBe(1);
  expect(given.has(access_token)).toBe(false);
  expect(here.simulator.isAccessTokenLive([...given][0]!)).toBe(true);

  // Whoever says at once that the next one is refused too is not believed for a minute (T34).
  const again = await here.client.accessToken({ ...ask, rejected: answers[0]!.body.fingerprint });
  expect(again).toMatchObject({ status: 503, body: { code: "token_rejected_again" } });
  expect(calls(here)).toBe(1);
  expect((await checkInvariants(here)).grants).toMatchObject([{ grant, verdict: "healthy" }]);
});

it("a server that ends the old access token at a refresh: whoever still had it reports it and gets the new one, without another refresh (F13)", async () => {
  const here = await world({
    prepare: (simulator) => simulator.setSwitches({ refresh_mode: "strict", old_access_token: "dies" }),
  });
  await here.connect();
  const ask = askFor(here, AMELIA.subject);
  const old = (await here.client.accessToken(ask)).body;
  const libraries = async (token: string) =>
    (
      await fetch(`${here.simulator.origin}/work/api/v2/customers/5948/libraries`, {
        headers: { "X-Auth-Token": token },
      })
    ).status;
  expect(await libraries(old.access_token)).toBe(200);

  // Somebody wants a token for longer than this one lives: it is refreshed, and with that everybody else's is dead.
  await expireSoon(here, old.grant);
  const next = (await here.client.accessToken(ask)).body;
  expect(await libraries(old.access_token)).toBe(401);
  const reports = await Promise.all(
    Array.from({ length: 20 }, () => here.client.accessToken({ ...ask, rejected: old.fingerprint })),
  );
  for (const { status, body } of reports) {
    expect({ status, fingerprint: body.fingerprint }).toEqual({
      status: 200,
      fingerprint: next.fingerprint,
    });
  }
  expect(await libraries(reports[0]!.body.access_token)).toBe(200);
  expect(calls(here)).toBe(1);
});

describe("iManage is restored from a backup of an hour ago", () => {
  it("many grants are refused at once: none is marked, the others go on, and whoever signs in again is well (F15)", {
    timeout: 60_000,
  }, async () => {
    const here = await ownWorld();
    const [GRANTS, SINCE] = [30, 12];
    const grants = await manyGrants(here, GRANTS);
    await here.connect();
    here.advance(hours(2));
    // These were used since the backup: what they hold, the restored server has never issued.
    const amelia = askFor(here, AMELIA.subject);
    const refreshedSince = [
      ...grants.slice(0, SINCE),
      (await here.broker.grantStore.listGrants(here.organisation as never, undefined, 100)).find(
        ({ owner }) => owner.userId === "amelia.hart",
      )!.id,
    ];
    for (const grant of refreshedSince) {
      await here.broker.refresher.refresh(grant, { why: "expired", minTtlMs: seconds(60) });
    }
    here.advance(minutes(40));
    here.simulator.restoreBackup({ agoMs: hours(1) });

    await allDue(here, grants);
    await sweepFor(here, minutes(10), seconds(5));
    const states = await statesOf(here, grants);
    expect(states.reauthorization_required).toBeUndefined();
    const found = await checkInvariants(here);
    const healthy = new Set(found.with("healthy").map(({ grant }) => grant));
    expect(grants.slice(SINCE).filter((grant) => !healthy.has(grant))).toEqual([]);
    expect(found.with("falsely-ended")).toEqual([]);
    console.log(
      `figure: ${SINCE} of ${GRANTS} refreshed since the backup: ${JSON.stringify(states)} after ten minutes, ` +
        `${GRANTS - SINCE} of ${GRANTS - SINCE} others refreshed`,
    );
    const told = await here.client.accessToken(askFor(here, "user.0"));
    expect(told).toMatchObject({ status: 503, body: { code: "imanage_unavailable", remedy: "time" } });
    expect(Number(told.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await here.client.accessToken(askFor(here, `user.${SINCE}`))).toMatchObject({ status: 200 });

    expect(await here.client.accessToken(amelia)).toMatchObject({ status: 503 });
    expect((await here.connect()).body.state).toBe("connected");
    expect(await here.client.accessToken(amelia)).toMatchObject({ status: 200 });
  });

  it("a spare that came late works again and is found without anybody's help; where there is none, the person is told to sign in (F15)", async () => {
    const here = await ownWorld({
      serverSettings: { rotation: "leeway" },
      prepare: (simulator) => simulator.setSwitches({ refresh_mode: "leeway", leeway_seconds: 60 }),
    });
    const grants = await manyGrants(here, 8);
    const [withSpare, without] = grants as [GrantId, GrantId];
    const refreshOf = async (grant: GrantId, by = here.broker.refresher) => {
      await expireSoon(here, grant, -1);
      return by.refresh(grant, { why: "expired", minTtlMs: seconds(60) });
    };
    // A holder whose lease lapsed while its answer stood still: others went on, twice, and its token comes as a spare.
    const other = await here.replica();
    here.simulator.addFault({
      on: { route: "token", grant_type: "refresh_token" },
      do: { hold_after: true },
    });
    const late = refreshOf(withSpare, other.broker.refresher);
    await here.simulator.waitFor(() => here.simulator.held().length === 1);
    await expireLease(here, withSpare);
    expect(await refreshOf(withSpare)).toMatchObject({ kind: "refreshed" });
    here.advance(minutes(90));
    expect(await refreshOf(withSpare)).toMatchObject({ kind: "refreshed" });
    expect(await refreshOf(without)).toMatchObject({ kind: "refreshed" });
    here.simulator.release();
    await late;
    expect(await kindsOf(here, withSpare)).toContain(
      "refresh.late a refresh token that came late is kept as a spare",
    );

    here.simulator.restoreBackup({ agoMs: hours(1) });
    await allDue(here, grants);
    await sweepFor(here, minutes(10), seconds(5));
    expect(await statesOf(here, grants)).toEqual({ active: 7, reauthorization_required: 1 });
    expect(await kindsOf(here, withSpare)).toContain(
      "refresh.spare_tried the newest spare became the refresh token",
    );
    expect(await here.client.accessToken(askFor(here, "user.0"))).toMatchObject({ status: 200 });
    expect(await here.client.accessToken(askFor(here, "user.1"))).toMatchObject({
      status: 409,
      body: { code: "reauthorization_required", remedy: "resource-owner" },
    });
    expect(await kindsOf(here, without)).toContain("grant.reauthorization_required invalid_grant");
  });
});
