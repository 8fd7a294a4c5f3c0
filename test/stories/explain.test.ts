import { describe, expect, it } from "vitest";
import { contain, liftContainment } from "../../src/broker/containment/contain.ts";
import { buildCli } from "../../src/cli/build-cli.ts";
import type { Containment } from "../../src/domain/containment.ts";
import { minutes } from "../../src/domain/instant.ts";
import type { Policy, PolicyRule } from "../../src/domain/policy.ts";
import { addOrganisation } from "../kit/additions.ts";
import { anotherClient } from "../kit/another-client.ts";
import { manyGrants } from "../kit/many-grants.ts";
import { ruleOf } from "../kit/policies.ts";
import { BY_TEST, put } from "../kit/put-records.ts";
import { keysOf } from "../kit/redis.ts";
import { AMELIA, MOREAU, type World, world } from "../kit/world.ts";

interface Told {
  readonly allowed: boolean;
  readonly code?: string;
  readonly rule: number | null;
  readonly rule_text: string | null;
  readonly problem: {
    readonly code: string;
    readonly remedy: string;
    readonly retry_after: number | null;
  } | null;
  readonly reasons: readonly {
    readonly reason: string;
    readonly rule: number | null;
    readonly until: string | null;
  }[];
  readonly checks: readonly { readonly check: string; readonly outcome: string }[];
  readonly limits: Record<string, number | string | null>;
}

const explain = (here: World, asked: object = {}, client = here.client) =>
  client.call<Told>("POST", "/v1/policies/explain", {
    server: here.server,
    action: "token",
    subject: { type: "user", id: AMELIA.subject },
    ...asked,
  });

const token = (here: World, id: string = AMELIA.subject) =>
  here.client.accessToken({ server: here.server, subject: { type: "user", id } });

async function setPolicy(here: World, change: Partial<Policy>): Promise<void> {
  const { configuration } = here.broker;
  const { policy } = await configuration.findPolicy(here.client.id as never, here.organisation as never);
  await put.policy(configuration, { ...policy!, ...change });
}

const failing = ({ checks }: Told) => checks.find(({ outcome }) => outcome === "failed")?.check;

describe("explain", () => {
  it("tells each reason for which a token would be refused, by the same code as the refusal, and changes nothing", async () => {
    const here = await world();
    const { configuration, containment } = here.broker;
    let stopped: Containment | undefined;
    const firm = (await configuration.findOrganisation(here.organisation as never))!;
    const of = { organisation: here.organisation as never, client: here.client.id as never };
    await here.connect(AMELIA);
    await manyGrants(here, 2);
    await setPolicy(here, { grantsPerHour: 2, tokensPerMinute: 30 });

    /** What is so, what it is called, and how it ends again. */
    const states: [check: string | undefined, subject: string, begin: () => unknown, end?: () => unknown][] =
      [
        [undefined, AMELIA.subject, () => {}],
        [
          "organisation",
          AMELIA.subject,
          () => put.organisation(configuration, { ...firm, enabled: false }),
          () => put.organisation(configuration, firm),
        ],
        [
          "members",
          AMELIA.subject,
          () =>
            put.organisation(configuration, {
              ...firm,
              members: { everyone: false, subjects: [], claims: [] },
            }),
          () => put.organisation(configuration, firm),
        ],
        [
          "containment",
          AMELIA.subject,
          async () => {
            const target = { kind: "client", ...of } as const;
            stopped = await contain(containment, { target, effect: "stop", reason: "a drill" }, BY_TEST);
            // What it concerns is counted behind the answer: not by who explains.
            await here.broker.containmentWork.settled();
          },
          () => liftContainment(containment, stopped!, "over", BY_TEST),
        ],
        ["authorization", MOREAU.subject, () => {}],
        ["budget", AMELIA.subject, async () => Promise.all([token(here, "user.0"), token(here, "user.1")])],
        ["policy", AMELIA.subject, () => setPolicy(here, { rules: [ruleOf({ actions: ["status"] })] })],
      ];
    const seen: unknown[] = [];
    for (const [check, subject, begin, end] of states) {
      // The budget is over an hour, and what was served counts.
      if (check === "budget") here.advance(minutes(61));
      await begin();
      const asked = { subject: { type: "user", id: subject } };
      const before = await recordsOf(here);
      const [told] = [await explain(here, asked), await explain(here, asked), await explain(here, asked)];
      // What ends by itself may have ended.
      expect(before, check).toMatchObject(await recordsOf(here));
      const real = await token(here, subject);
      expect(told.status, check).toBe(200);
      expect([failing(told.body), told.body.allowed], check).toEqual([check, check === undefined]);
      expect(told.body.problem?.code ?? 200, check).toBe(real.status === 200 ? 200 : real.body.code);
      if (told.body.problem) expect(told.body.problem.remedy).toBe(real.body.remedy);
      seen.push(told.body.problem?.code);
      await end?.();
    }
    expect(seen).toEqual([
      undefined,
      "organisation_disabled",
      "not_a_member",
      "contained",
      "authorization_required",
      "grant_budget_exceeded",
      "not_allowed",
    ]);
  });

  it("tells what is left of the limits, and counts nothing itself", async () => {
    const here = await world();
    await here.connect(AMELIA);
    await setPolicy(here, { grantsPerHour: 5, tokensPerMinute: 1 });
    for (let i = 0; i < 3; i++) await explain(here);
    expect((await explain(here)).body.limits).toMatchObject({ tokens_left: 20, grants_left: 5 });
    for (let i = 0; i < 4; i++) await token(here);
    expect((await explain(here)).body.limits).toMatchObject({
      tokens_per_minute: 1,
      tokens_left: 16,
      grants_per_hour: 5,
      grants_left: 4,
    });
    for (let i = 0; i < 16; i++) await token(here);
    const limited = await explain(here);
    expect([failing(limited.body), limited.body.problem?.code]).toEqual(["rate", "rate_limited"]);
    expect(limited.body.problem?.retry_after).toBeGreaterThan(55);
    expect(limited.body.limits.tokens_left).toBe(0);
  });

  it("answers for requests that nobody has made: other people, addresses, purposes and times", async () => {
    const here = await world();
    await here.connect(AMELIA);
    const office = {
      timeZone: "Europe/London",
      weekdays: [1, 2, 3, 4, 5],
      fromMinute: 8 * 60,
      toMinute: 18 * 60,
    };
    const rule: PolicyRule = ruleOf({ actions: ["token"], hours: office, purposes: ["filing"] });
    await setPolicy(here, { rules: [rule, ruleOf({ actions: ["sync"], users: [], libraries: ["ACTIVE"] })] });
    const open = await explain(here, { purpose: "filing", at: "2027-01-04T09:00:00Z", address: "192.0.2.9" });
    expect(open.body).toMatchObject({
      allowed: true,
      rule: 1,
      limits: { told_until: "2027-01-04T18:00:00.000Z" },
    });
    expect(open.body.rule_text).toBe(
      "token, at every server, for all users and all libraries, Mon Tue Wed Thu Fri 08:00–18:00 Europe/London, purpose filing",
    );
    const closed = await explain(here, { purpose: "filing", at: "2027-01-03T09:00:00Z" });
    expect(closed.body).toMatchObject({
      allowed: false,
      rule: 1,
      problem: { code: "not_allowed", remedy: "time", retry_after: 23 * 3_600 },
      reasons: [
        { reason: "hours", rule: 1, until: "2027-01-04T08:00:00.000Z" },
        { reason: "action", rule: 2, until: null },
        { reason: "user", rule: 2, until: null },
      ],
    });
    expect(closed.body.checks.filter(({ outcome }) => outcome === "not_reached")).toHaveLength(7);
    const general = await explain(here, { subject: undefined, action: "sync" });
    expect(general.body).toMatchObject({ allowed: true, rule: 2, limits: { tokens_left: null } });
  });

  it("tells a client of itself alone, and nothing where it is not named or may not call from; an operator's of any", async () => {
    const here = await world({ settings: { TRUSTED_PROXY_CIDRS: "127.0.0.0/8" } });
    const { configuration } = here.broker;
    const firm = await addOrganisation(here, { servers: { dms: { simulator: here.simulator } } });
    const other = await anotherClient(here);
    const foreign = await explain(here, { client: other.id });
    const nobody = await explain(here, { client: `${other.id.slice(0, -4)}0000` });
    const elsewhere = await explain(here, { server: firm.servers.dms.id });
    const unknown = await explain(here, { server: `${here.server.slice(0, -4)}0000` });
    for (const answer of [foreign, nobody, elsewhere, unknown]) {
      expect(answer).toMatchObject({ status: 404, body: { code: "not_found" } });
    }
    await setPolicy(here, { rules: [ruleOf({ actions: ["token"], networks: ["10.0.0.0/8"] })] });
    expect(await explain(here, { address: "10.1.2.3" })).toMatchObject({
      status: 403,
      body: { code: "not_allowed", reason: "network" },
    });

    const operator = (await configuration.findClient(other.id as never))!;
    await put.client(configuration, { ...operator, role: "operator", generation: operator.generation + 1 });
    const told = await explain(here, { client: here.client.id, address: "10.1.2.3" }, other);
    expect(told).toMatchObject({
      status: 200,
      body: { allowed: false, problem: { code: "authorization_required" } },
    });
    expect((await explain(here, { client: here.client.id, address: "192.0.2.1" }, other)).body).toMatchObject(
      {
        reasons: [{ reason: "network", rule: 1 }],
      },
    );
  });

  it("says what keeps a client out before its policy is looked at, and that no sign-in begins where tokens are stopped", async () => {
    const here = await world();
    const { configuration, containment } = here.broker;
    const other = await anotherClient(here);
    const operator = (await configuration.findClient(other.id as never))!;
    await put.client(configuration, { ...operator, role: "operator" });
    await here.connect(AMELIA);
    const ask = async (asked: object = {}) => {
      const { body } = await explain(here, { client: here.client.id, ...asked }, other);
      return [body.allowed, failing(body), body.problem?.code, body.problem?.remedy];
    };
    const allowed = [true, undefined, undefined, undefined];
    const stops = async (target: Containment["target"]) =>
      contain(containment, { target, effect: "stop", reason: "a drill" }, BY_TEST);

    const everywhere = await stops({ kind: "client", client: here.client.id as never });
    expect((await token(here)).body.code).toBe("invalid_client");
    for (const action of ["token", "connect", "status"])
      expect(await ask({ action }), action).toEqual([false, "client", "invalid_client", "operator"]);
    await liftContainment(containment, everywhere, "over", BY_TEST);
    const client = (await configuration.findClient(here.client.id as never))!;
    await put.client(configuration, { ...client, state: "stopped" });
    expect(await ask()).toEqual([false, "client", "invalid_client", "operator"]);
    await put.client(configuration, client);
    expect(await ask()).toEqual(allowed);

    const begun = await stops({ kind: "server", server: here.server as never });
    await expect(here.connect(MOREAU)).rejects.toThrow();
    expect(await ask({ action: "connect" })).toEqual([false, "containment", "contained", "operator"]);
    await liftContainment(containment, begun, "over", BY_TEST);
    expect(await ask({ action: "connect" })).toEqual(allowed);
  });

  it("is on the command line for operators, in words", async () => {
    const here = await world();
    await here.connect(AMELIA);
    const { configuration, explain: ports } = here.broker;
    await setPolicy(here, {
      grantsPerHour: 5,
      rules: [ruleOf({ actions: ["token"], minTtlMaxMs: minutes(5) })],
    });
    const { name: client } = (await configuration.findClient(here.client.id as never))!;
    const { name: organisation } = (await configuration.findOrganisation(here.organisation as never))!;
    const said: string[] = [];
    const cli = (...words: string[]) =>
      buildCli({
        write: (text: string) => void said.push(text),
        complain: (text: string) => void said.push(text),
        setExitCode: () => {},
        withBroker: (use: (broker: never) => unknown) =>
          use({ store: configuration, explain: ports, note: BY_TEST } as never),
        explain: (error: unknown) => String(error),
      } as never).parseAsync(
        ["policies", "explain", "--client", client, "--organisation", organisation, ...words],
        {
          from: "user",
        },
      );
    await cli("--server", "dms", "--action", "token", "--user", AMELIA.subject);
    expect(
      said
        .splice(0)
        .join("")
        .replace(/at 2\d{3}-\S+\./, "at …"),
    ).toMatchInlineSnapshot(`
      "Allowed: token, at …
      By rule 1: token, at every server, for all users and all libraries, min_ttl at most 300 s.
      passed       The client may come in: it is not stopped, and not contained everywhere.
      passed       The client's policy allows it.
      passed       iManage is enabled for the organisation.
      passed       The person is one of those for whom iManage is enabled.
      passed       Tokens are not stopped here.
      passed       The client asks no more often than its policy allows.
      passed       Somebody has authorised this, and iManage accepts it.
      passed       The client has had tokens of fewer different grants within the hour than its policy allows, or of this one.
      passed       The audit has room for the entry.
      Limits: tokens 600000 a minute, 60000 at this moment; different grants 5 an hour, 5 left; min_ttl at most 300 s.
      "
    `);
    await cli("--server", "dms", "--action", "revoke", "--user", AMELIA.subject);
    expect(
      said
        .splice(0)
        .join("")
        .replace(/at 2\d{3}-\S+\./, "at …"),
    ).toMatchInlineSnapshot(`
      "Not allowed: revoke, at …
      Nearest is rule 1: token, at every server, for all users and all libraries, min_ttl at most 300 s.
        rule 1: The policy does not name this action.
          → Ask the operator to add the action to the client's policy.
      passed       The client may come in: it is not stopped, and not contained everywhere.
      failed       The client's policy allows it.
      Limits: tokens 600000 a minute; different grants 5 an hour.
      "
    `);
    await cli("--server", "dms", "--action", "token", "--user", MOREAU.subject, "--json");
    expect(JSON.parse(said.splice(0).join(""))).toMatchObject({
      allowed: false,
      problem: "authorization_required",
    });
    await cli("--action", "juggle");
    expect(said.splice(0).join("")).toContain("There is no action juggle");
  });
});

/** Everything that Redis has of this organisation, with what it holds, but for what reading changes. */
async function recordsOf(here: World): Promise<Record<string, string>> {
  const redis = here.broker.stores.fast.connection;
  const keys = (await keysOf(redis, `b1:{o:${here.organisation.slice(4)}}:`)).sort();
  const held = await Promise.all(
    // A hash is dumped in an order of its own, which is another while Redis makes room in it.
    keys.map(async (key) => [
      key,
      (await redis.type(key)) === "hash"
        ? JSON.stringify(Object.entries(await redis.hgetall(key)).sort())
        : ((await redis.dumpBuffer(key))?.toString("base64") ?? ""),
    ]),
  );
  return Object.fromEntries(held);
}
