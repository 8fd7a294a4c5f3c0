import { describe, expect, it } from "vitest";
import { minutes, seconds } from "../../src/domain/instant.ts";
import type { Fault } from "../../src/simulator/start-simulator.ts";
import { expireSoon } from "../kit/expire.ts";
import { checkInvariants } from "../kit/invariants.ts";
import { allDue, manyGrants, statesOf, sweepFor, sweepOnce } from "../kit/many-grants.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { Seeded } from "../kit/seeded.ts";
import { AMELIA, type World, type WorldOptions, world } from "../kit/world.ts";

// What iManage may answer, through a whole broker: F02 to F04, F07, F10, F11 and F14.

const ownWorld = async (options: WorldOptions = {}): Promise<World> =>
  world({ redisUrl: (await ownRedisForThisTest()).url, ...options });

const calls = ({ simulator }: World): number => simulator.counts().grant_types.refresh_token ?? 0;
const REFRESHES = { route: "token", grant_type: "refresh_token" } as const;

async function connected(options: WorldOptions = {}) {
  const here = await world(options);
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const first = (await here.client.accessToken(ask)).body;
  const { grant } = first;
  return {
    here,
    ask,
    grant,
    first,
    expired: () => expireSoon(here, grant, -1),
    kinds: async () => (await here.broker.grantStore.timeline(grant as never)).map(({ kind }) => kind),
  };
}

const BODIES = Number(process.env.FAULT_BODIES ?? 200);

it(`of ${BODIES} damaged token answers of a strict server, every one that held a whole refresh token keeps its grant (F02)`, {
  timeout: 30_000 + BODIES * 50,
}, async () => {
  const here = await ownWorld();
  const GRANTS = 8;
  const grants = await manyGrants(here, GRANTS);
  const seeded = new Seeded();
  let salvaged = 0;
  let cut = 0;
  for (let answered = 0; answered < BODIES; answered += GRANTS) {
    // The access token was lost with the damage in some: their next refresh follows at once, with the new token.
    await Promise.all(
      grants.map(async (grant, i) => {
        const fault = damaged(seeded, `user.${i}`);
        if (fault.do.cut_body_after_bytes !== undefined) cut += 1;
        here.simulator.addFault(fault);
        await expireSoon(here, grant, -1);
        const outcome = await here.broker.refresher.refresh(grant, { why: "expired", minTtlMs: 60_000 });
        expect(["refreshed", "fresh"], `seed ${seeded.seed}: ${JSON.stringify(fault.do)}`).toContain(
          outcome.kind,
        );
        salvaged += 1;
      }),
    );
    here.simulator.clearFaults();
    // Time for the gate's rate, which is not what this is about.
    here.advance(seconds(1));
  }
  const { grants: found } = await checkInvariants(here);
  console.log(
    `seed ${seeded.seed}: ${salvaged} damaged answers that held a refresh token, ${cut} of them cut on the wire`,
  );
  console.log(
    `figure: kept ${found.filter(({ verdict }) => verdict === "healthy").length} of ${GRANTS} grants through ${salvaged} damaged answers`,
  );
  expect(found.map(({ verdict }) => verdict)).toEqual(Array(GRANTS).fill("healthy"));
  // One lost successor would have ended its family for good: a strict server was asked for each once.
  expect(calls(here)).toBe(salvaged);
});

const TOKEN_CHARS = "sim_rt_".length + 43;

/** An answer in which iManage's new refresh token stands whole, and little else has to. */
function damaged(seeded: Seeded, user: string): Fault {
  const parts = [
    '"access_token":"{{access_token}}"',
    '"access_token":"{{access_token}}',
    '"token_type":"Bearer"',
    '"expires_in":1800',
    '"expires_in":',
    '"scope":"user"',
    '{"data":',
    "<html><body>",
    "[[[[[[",
    '"x":{"y":[1,2,{"z":"\\""}]}',
    "\u0000\u0001",
  ];
  const some = () => Array.from({ length: seeded.below(4) }, () => seeded.pick(parts)).join(",");
  const before = `${seeded.pick(["{", "", "{,", "\ufeff{", "[{"])}${some()}`;
  const name = `${before === "" || before.endsWith("{") ? "" : ","}"refresh_token"${seeded.pick(["", " ", "\n"])}:${seeded.pick(["", " "])}"`;
  const after = `",${some()}${seeded.pick(["}", "", ",}", "}}", "}\n<!-- served by proxy -->"])}`;
  const body = `${before}${name}{{refresh_token}}${after}`;
  const head = body
    .slice(0, body.indexOf("{{refresh_token}}"))
    .replaceAll("{{access_token}}", "x".repeat(50));
  const whole = Buffer.byteLength(head) + TOKEN_CHARS + 1;
  const cuts = seeded.next() < 0.4;
  return {
    on: { route: "token", refresh_token_of_user: user },
    do: {
      answer: { status: seeded.pick([200, 200, 200, 201, 202, 206]), body },
      ...(cuts && { cut_body_after_bytes: whole + seeded.below(2) }),
    },
  };
}

it("half an hour of a maintenance page in place of tokens: nobody is asked to sign in, and all is well within a minute of its end (F03)", async () => {
  const here = await ownWorld();
  const grants = await manyGrants(here, 12);
  const user = { server: here.server, subject: { type: "user", id: "user.3" } };
  here.simulator.addFault({
    on: { route: "token" },
    times: "always",
    do: { answer: { status: 200, body: "<!doctype html><title>Maintenance</title><p>Back soon.</p>" } },
  });
  await allDue(here, grants);
  await sweepFor(here, minutes(30), 15_000);
  expect(await here.client.accessToken(user)).toMatchObject({
    status: 503,
    body: { code: "imanage_unavailable", remedy: "time" },
  });
  expect(await statesOf(here, grants)).toEqual({ active: 12 });

  // It ends at the worst moment: it has just been asked again.
  for (const asked = calls(here); calls(here) === asked; ) await sweepFor(here, seconds(2), seconds(2));
  const during = calls(here);
  here.simulator.clearFaults();
  let recoveredAfter = 0;
  while (here.simulator.counts().statuses["200"]! - during < 12 && recoveredAfter < 120) {
    await sweepFor(here, seconds(2), seconds(2));
    recoveredAfter += 2;
  }
  console.log(
    `figure: ${during} calls in 30 minutes of maintenance pages; all 12 refreshed ${recoveredAfter} s after`,
  );
  expect(recoveredAfter).toBeLessThan(60);
  expect(await statesOf(here, grants)).toEqual({ active: 12 });
  expect((await checkInvariants(here)).with("healthy")).toHaveLength(12);
});

it("two refusals, minutes apart, and then tokens: nobody was asked to sign in (F04)", async () => {
  const { here, ask, grant, expired, kinds } = await connected();
  here.simulator.addFault({
    on: REFRESHES,
    times: 2,
    do: { answer: { status: 400, body: { error: "invalid_grant" } } },
  });
  await expired();
  for (let refused = 1; refused <= 2; refused++) {
    expect(await here.client.accessToken(ask)).toMatchObject({
      status: 503,
      body: { code: "imanage_unavailable", remedy: "time" },
    });
    expect(calls(here)).toBe(refused);
    here.advance(minutes(3));
  }
  expect(await here.client.accessToken(ask)).toMatchObject({ status: 200, body: { grant } });
  expect(await kinds()).not.toContain("grant.reauthorization_required");
  expect((await checkInvariants(here)).with("healthy")).toHaveLength(1);
});

const HTTP_DATE = (at: number) => new Date(at).toUTCString();
const in30s = (now: number) => now + 30_999;
type Headers = Readonly<Record<string, string>>;

/** Header, what it asks for in seconds. Dates count from the `Date` that came with them, else from our own clock. */
const RETRY_AFTER: readonly (readonly [string, number, (now: number) => Headers])[] = [
  ["seconds", 30, () => ({ "retry-after": "30" })],
  ["zero", 1, () => ({ "retry-after": "0" })],
  ["a negative number", 1, () => ({ "retry-after": "-7" })],
  ["a fraction", 2.5, () => ({ "retry-after": "2.5" })],
  ["more than an hour", 3_600, () => ({ "retry-after": "1000000000" })],
  ["a word", 1, () => ({ "retry-after": "soon" })],
  ["nothing", 1, () => ({ "retry-after": "" })],
  ["a date", 30, (now) => ({ date: HTTP_DATE(now), "retry-after": HTTP_DATE(now + 30_000) })],
  [
    "a date of RFC 850",
    29,
    (now) => ({ "retry-after": HTTP_DATE(in30s(now)).replace(/^(...), (..) (...) ..(..)/, "$1, $2-$3-$4") }),
  ],
  [
    "a date of asctime",
    29,
    (now) => ({
      "retry-after": HTTP_DATE(in30s(now)).replace(/^(...), (..) (...) (....) (.*) GMT/, "$1 $3 $2 $5 $4"),
    }),
  ],
  ["a date that has passed", 1, (now) => ({ "retry-after": HTTP_DATE(now - 60_000) })],
  ["iManage's own header, longer", 45, () => ({ "retry-after": "20", "x-ratelimit-retryafter": "45" })],
];

describe("Retry-After", () => {
  it.each(RETRY_AFTER)(
    "as %s: nobody calls that server for %f s, and then everybody may (F07)",
    async (_as, pause, headers) => {
      const here = await ownWorld();
      const grants = await manyGrants(here, 10);
      here.simulator.addFault({
        on: { route: "token" },
        times: 1,
        do: { answer: { status: 429, headers: { ...headers(here.simulator.now()) }, body: "" } },
      });
      await allDue(here, grants.slice(0, 1));
      await sweepOnce(here);
      expect(calls(here)).toBe(1);
      await allDue(here, grants);
      if (pause > 1) {
        here.advance(seconds(pause) - 1_000);
        await sweepOnce(here);
      }
      await sweepFor(here, seconds(40));
      expect(calls(here)).toBe(11);
      // By iManage's own clock: how long after it had asked for time the next call was there.
      const [asked, next] = here.simulator
        .requests()
        .filter(({ route }) => route === "token")
        .map(({ at }) => Date.parse(at));
      expect(next! - asked!).toBeGreaterThanOrEqual(pause * 1_000 - 20);
    },
  );
});

describe("whatever becomes of the refresh token", () => {
  it.each([
    ["the same comes back", "same", {}],
    ["none comes back", "none", {}],
    ["null comes back", "none", { set: { refresh_token: null } }],
    ["a new one comes back, and the old one is dead", "strict", {}],
  ] as const)("%s: the next refresh works, and the one after it (F10)", async (_what, mode, change) => {
    const { here, ask, first, expired } = await connected({
      prepare: (simulator) => simulator.setSwitches({ refresh_mode: mode }),
    });
    here.simulator.addFault({ on: REFRESHES, times: "always", do: change });
    const fingerprints = new Set([first.fingerprint]);
    for (let refreshed = 1; refreshed <= 3; refreshed++) {
      await expired();
      const answer = await here.client.accessToken(ask);
      expect(answer).toMatchObject({ status: 200 });
      fingerprints.add(answer.body.fingerprint);
      expect(calls(here)).toBe(refreshed);
      expect((await checkInvariants(here)).with("healthy")).toHaveLength(1);
    }
    expect(fingerprints.size).toBe(4);
  });
});

describe("expires_in", () => {
  const change = (expires_in: unknown): Fault["do"] => ({ set: { expires_in } });
  it.each([
    ["missing", { omit: ["expires_in"] }, 300],
    ["null", change(null), 300],
    ["0", change(0), 300],
    ["negative", change(-1800), 300],
    ["a number in a string", change("1800"), 1_800],
    ["a word", change("soon"), 300],
    ["5", change(5), 30],
    ["huge", change(10 ** 15), 86_400],
    ["an object", change({ seconds: 1800 }), 300],
  ] as const)(
    "%s: the token is served with a life between 30 s and a day, after one refresh (F11)",
    async (_as, what, life) => {
      const { here, ask, expired } = await connected();
      here.simulator.addFault({ on: REFRESHES, times: "always", do: what as Fault["do"] });
      await expired();
      const before = here.simulator.now();
      const { status, body } = await here.client.accessToken(ask);
      const took = Math.ceil((here.simulator.now() - before) / 1_000);
      expect(status).toBe(200);
      expect(body.expires_in).toBeLessThanOrEqual(life);
      expect(body.expires_in).toBeGreaterThanOrEqual(life - took - 1);
      expect(calls(here)).toBe(1);
    },
  );
});

describe("iManage's clock a day off", () => {
  it.each([
    ["ahead", 1],
    ["behind", -1],
  ])(
    "%s: tokens live as long as with a right one, and Retry-After as a date is as long as it was meant (F14)",
    async (_which, sign) => {
      const { here, ask, expired } = await connected();
      const wrong = () => here.simulator.now() + sign * 86_400_000;
      here.simulator.addFault({ on: REFRESHES, do: { set_headers: { date: HTTP_DATE(wrong()) } } });
      await expired();
      const before = here.simulator.now();
      const { status, body } = await here.client.accessToken(ask);
      const took = Math.ceil((here.simulator.now() - before) / 1_000);
      expect({ status, warning: body.warning }).toEqual({ status: 200, warning: undefined });
      expect(body.expires_in).toBeGreaterThanOrEqual(1_800 - took - 1);
      expect(body.expires_in).toBeLessThanOrEqual(1_800);

      here.simulator.addFault({
        on: REFRESHES,
        do: {
          answer: {
            status: 429,
            headers: { date: HTTP_DATE(wrong()), "retry-after": HTTP_DATE(wrong() + 40_000) },
          },
        },
      });
      await expired();
      const throttled = await here.client.accessToken(ask);
      expect(throttled.status).toBe(503);
      const wait = Number(throttled.headers.get("retry-after"));
      expect(wait).toBeLessThanOrEqual(40);
      expect(wait).toBeGreaterThanOrEqual(10);
      here.advance(seconds(40));
      expect((await here.client.accessToken(ask)).status).toBe(200);
    },
  );
});
