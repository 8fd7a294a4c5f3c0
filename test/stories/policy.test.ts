import { describe, expect, it } from "vitest";
import type { WalkingClient } from "../../scripts/walk/client.ts";
import { connect } from "../../scripts/walk/connect.ts";
import { hours as hoursLong, minutes, seconds } from "../../src/domain/instant.ts";
import { CLIENT_ACTIONS, type Policy, type PolicyRule } from "../../src/domain/policy.ts";
import { anotherClient } from "../kit/another-client.ts";
import { LibraryAdmin } from "../kit/library-admin.ts";
import { manyGrants } from "../kit/many-grants.ts";
import { ruleOf } from "../kit/policies.ts";
import { put } from "../kit/put-records.ts";
import { keysOf } from "../kit/redis.ts";
import { AMELIA, MOREAU, RETURN_URL, type World, world } from "../kit/world.ts";

const PROXIED = { settings: { TRUSTED_PROXY_CIDRS: "127.0.0.0/8" } };

async function setPolicy(
  here: World,
  change: Partial<Policy>,
  of: WalkingClient = here.client,
): Promise<void> {
  const { configuration } = here.broker;
  const { policy } = await configuration.findPolicy(of.id as never, here.organisation as never);
  await put.policy(configuration, { ...policy!, ...change });
}

const setRules = (here: World, ...rules: PolicyRule[]) => setPolicy(here, { rules });

const tokenFor = (
  here: World,
  id: string = AMELIA.subject,
  more: object = {},
  headers: Record<string, string> = {},
) =>
  here.client.call<{ code?: string; expires_in: number; expires_at: string; reason?: string }>(
    "POST",
    "/v1/access-tokens",
    { server: here.server, subject: { type: "user", id }, ...more },
    headers,
  );

const from = (address: string) => ({ "x-forwarded-for": address });

/** From so many minutes after now, an hour long, every day, by UTC. */
function hoursIn(here: World, minutesAhead: number): NonNullable<PolicyRule["hours"]> {
  const minute = Math.floor((here.broker.clock.now() % hoursLong(24)) / minutes(1)) + minutesAhead;
  return {
    timeZone: "UTC",
    weekdays: [1, 2, 3, 4, 5, 6, 7],
    fromMinute: (minute + 1_440) % 1_440,
    toMinute: (minute + 60 + 1_440) % 1_440,
  };
}

describe("each limit of a policy", () => {
  it("T32: holds at the token, from the next request on: users, network, purpose, length, end and hours", async () => {
    const here = await world(PROXIED);
    await here.connect(AMELIA);
    await here.connect(MOREAU);
    expect((await tokenFor(here)).status).toBe(200);

    await setRules(here, ruleOf({ actions: ["token"], users: [{ issuer: "client", id: AMELIA.subject }] }));
    expect((await tokenFor(here)).status).toBe(200);
    expect(await tokenFor(here, MOREAU.subject)).toMatchObject({
      status: 403,
      body: { code: "not_allowed", reason: "user", remedy: "operator" },
    });
    // Whoever it is that is not named: one who has authorised and one who is not known are the same.
    const [known, unknown] = [await tokenFor(here, MOREAU.subject), await tokenFor(here, "u-nobody")];
    expect({ ...known.body, request_id: "" }).toEqual({ ...unknown.body, request_id: "" });

    await setRules(here, ruleOf({ actions: ["token"], networks: ["10.0.0.0/8", "2001:db8::/32"] }));
    for (const inside of ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7"]) {
      expect((await tokenFor(here, AMELIA.subject, {}, from(inside))).status, inside).toBe(200);
    }
    for (const outside of ["192.0.2.1", "2001:db9::7"]) {
      expect(await tokenFor(here, AMELIA.subject, {}, from(outside)), outside).toMatchObject({
        status: 403,
        body: { code: "not_allowed", reason: "network" },
      });
    }

    await setRules(here, ruleOf({ actions: ["token"], purposes: ["filing", "billing"] }));
    expect((await tokenFor(here, AMELIA.subject, { purpose: "filing" })).status).toBe(200);
    for (const more of [{}, { purpose: "gossip" }]) {
      expect(await tokenFor(here, AMELIA.subject, more)).toMatchObject({
        status: 403,
        body: { reason: "purpose", remedy: "client" },
      });
    }

    await setRules(
      here,
      ruleOf({ actions: ["token"], minTtlMaxMs: seconds(30), toldLifeMaxMs: seconds(90) }),
    );
    const told = await tokenFor(here);
    expect(told.status).toBe(200);
    expect(told.body.expires_in).toBeGreaterThan(85);
    expect(told.body.expires_in).toBeLessThanOrEqual(90);
    expect(Date.parse(told.body.expires_at)).toBeLessThanOrEqual(here.broker.clock.now() + seconds(90));
    expect((await tokenFor(here, AMELIA.subject, { min_ttl: 30 })).status).toBe(200);
    expect(await tokenFor(here, AMELIA.subject, { min_ttl: 31 })).toMatchObject({
      status: 403,
      body: { reason: "min_ttl", remedy: "client" },
    });

    await setRules(here, ruleOf({ actions: ["token"], validUntil: here.broker.clock.now() + minutes(5) }));
    const ending = await tokenFor(here);
    expect(ending.body.expires_in).toBeLessThanOrEqual(300);
    here.advance(minutes(5));
    expect(await tokenFor(here)).toMatchObject({
      status: 403,
      body: { reason: "expired", remedy: "operator" },
    });

    await setRules(here, ruleOf({ actions: ["token"], hours: hoursIn(here, 120) }));
    const closed = await tokenFor(here);
    expect(closed).toMatchObject({ status: 403, body: { reason: "hours", remedy: "time", retryable: true } });
    const wait = Number(closed.headers.get("retry-after"));
    expect(wait).toBeGreaterThan(118 * 60);
    expect(wait).toBeLessThanOrEqual(120 * 60);
    here.advance(seconds(wait));
    const open = await tokenFor(here);
    expect(open.status).toBe(200);
    // What is handed out now is told to be over when the hours are.
    expect(open.body.expires_in).toBeLessThanOrEqual(3_600);
  });

  it("holds at the token endpoint alike, in OAuth's words", async () => {
    const here = await world();
    await here.connect(AMELIA);
    await setRules(here, ruleOf({ actions: ["token"], purposes: ["filing"] }));
    const exchange = (more: Record<string, string>) =>
      here.client.token({
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token: AMELIA.subject,
        subject_token_type: "urn:imanage-token-broker:token-type:user",
        audience: here.server,
        ...more,
      });
    expect((await exchange({ purpose: "filing" })).status).toBe(200);
    expect(await exchange({})).toMatchObject({
      status: 400,
      body: { error: "unauthorized_client", code: "not_allowed", reason: "purpose" },
    });
  });

  it("holds for connecting, at its beginning and at its end, and for the pages", async () => {
    const here = await world(PROXIED);
    const only = ruleOf({ actions: ["connect"], users: [{ issuer: "client", id: AMELIA.subject }] });
    await setRules(here, { ...only, networks: ["10.0.0.0/8"] });
    const begin = (id: string, address: string) =>
      here.client.call<{ id: string }>(
        "POST",
        "/v1/connect-sessions",
        { server: here.server, subject: { type: "user", id }, return_url: RETURN_URL },
        from(address),
      );
    const begun = await begin(AMELIA.subject, "10.1.2.3");
    expect(begun.status).toBe(201);
    expect(await begin(MOREAU.subject, "10.1.2.3")).toMatchObject({ status: 403, body: { reason: "user" } });
    expect(await begin(AMELIA.subject, "192.0.2.1")).toMatchObject({
      status: 403,
      body: { reason: "network" },
    });

    const portal = (id: string, address: string) =>
      here.client.call(
        "POST",
        "/v1/portal-sessions",
        {
          organisation: here.organisation,
          subject: { type: "user", id },
          role: "user",
          return_url: RETURN_URL,
        },
        from(address),
      );
    expect((await portal(AMELIA.subject, "10.1.2.3")).status).toBe(201);
    expect(await portal(MOREAU.subject, "10.1.2.3")).toMatchObject({ status: 403, body: { reason: "user" } });
    expect(await portal(AMELIA.subject, "192.0.2.1")).toMatchObject({
      status: 403,
      body: { reason: "network" },
    });

    const session = `/v1/connect-sessions/${begun.body.id}`;
    expect((await here.client.call("GET", session, undefined, from("10.1.2.3"))).status).toBe(200);
    expect((await here.client.call("GET", session, undefined, from("192.0.2.1"))).status).toBe(403);
    const complete = { completion: "x".repeat(43), subject: { type: "user", id: AMELIA.subject } };
    const refused = await here.client.call("POST", `${session}/complete`, complete, from("192.0.2.1"));
    expect(refused).toMatchObject({ status: 403, body: { code: "not_allowed", reason: "network" } });
  });

  it("holds for what is seen and ended: grants, libraries, servers, organisations and syncs by what the policy names", async () => {
    const here = await world(PROXIED);
    const { body: amelia } = await here.connect(AMELIA);
    const { body: moreau } = await here.connect(MOREAU);
    const admin = await LibraryAdmin.signIn(here);
    await admin.authorize(["ACTIVE", "TEMPLATES"]);
    await setRules(
      here,
      ruleOf({
        actions: ["status", "revoke"],
        users: [{ issuer: "client", id: MOREAU.subject }],
        libraries: [],
      }),
      ruleOf({ actions: ["status", "sync"], users: [], libraries: ["TEMPLATES"] }),
    );
    const list = async (path: string) =>
      (await here.client.call<{ items: { id: string; library?: string; used_by: object[] }[] }>("GET", path))
        .body.items;

    const grants = await list(`/v1/grants?organisation=${here.organisation}`);
    // Amelia's is seen for the library that she lent; that it is hers as a user as well, is not.
    expect(grants.map(({ id, used_by }) => [id, used_by])).toEqual([
      [amelia.grant, [expect.objectContaining({ type: "library", library: "TEMPLATES" })]],
      [moreau.grant, [expect.objectContaining({ type: "user", subject: MOREAU.subject })]],
    ]);
    const gone = await here.client.call("DELETE", `/v1/grants/${amelia.grant}`);
    expect(gone.status).toBe(404);
    expect((await here.client.call("DELETE", `/v1/grants/${moreau.grant}`)).status).toBe(204);

    expect((await list(`/v1/libraries?server=${here.server}`)).map(({ library }) => library)).toEqual([
      "TEMPLATES",
    ]);
    const library = (method: string, id: string) =>
      here.client.call(method, `/v1/libraries/${here.server}/${id}`);
    expect((await library("GET", "TEMPLATES")).status).toBe(200);
    expect((await library("GET", "ACTIVE")).body).toMatchObject({ code: "not_allowed", reason: "library" });
    expect((await library("DELETE", "TEMPLATES")).body).toMatchObject({
      code: "not_allowed",
      reason: "library",
    });

    const sync = (id: string) =>
      here.client.call<{ id: string }>("POST", "/v1/syncs", { server: here.server, library: id });
    expect((await sync("ACTIVE")).body).toMatchObject({ code: "not_allowed", reason: "library" });
    const mine = await sync("TEMPLATES");
    expect(mine.status).toBe(201);
    await setRules(here, ruleOf({ actions: ["sync"], users: [], libraries: ["ACTIVE"] }));
    expect(await list(`/v1/syncs?organisation=${here.organisation}`)).toEqual([]);
    expect((await here.client.call("GET", `/v1/syncs/${mine.body.id}/changes`)).body).toMatchObject({
      code: "not_allowed",
    });

    await setRules(here, ruleOf({ actions: ["configure", "status"], servers: [] }));
    expect(await list(`/v1/servers?organisation=${here.organisation}`)).toEqual([]);
    const told = { kind: "on-premises", address: here.simulator.origin, registration: { client_id: "x" } };
    const put = (name: string) =>
      here.client.call("PUT", `/v1/organisations/${here.organisation}/servers/${name}?dry_run=true`, told);
    const [there, new_] = [await put("dms"), await put("new")];
    expect([there.status, new_.status]).toEqual([404, 404]);

    await setRules(here, ruleOf({ actions: ["configure"], networks: ["10.0.0.0/8"] }));
    const organisations = (address: string) =>
      here.client.call<{ items: object[] }>("GET", "/v1/organisations", undefined, from(address));
    expect((await organisations("10.1.1.1")).body.items).toHaveLength(1);
    expect((await organisations("192.0.2.1")).body.items).toHaveLength(0);
  });

  it("a sync runs by the action sync, without token, and only at its hours", async () => {
    const here = await world();
    const admin = await LibraryAdmin.signIn(here);
    await admin.authorize(["ACTIVE"]);
    await setRules(
      here,
      ruleOf({ actions: ["sync"], users: [], libraries: ["ACTIVE"], hours: hoursIn(here, 0) }),
    );
    const { body } = await here.client.call<{ id: string }>("POST", "/v1/syncs", {
      server: here.server,
      library: "ACTIVE",
      existing: "tell",
    });
    const run = () =>
      here.broker.workerStories.runSync(body.id as never, new AbortController().signal, async () => {});
    expect(
      await here.client.accessToken({ server: here.server, subject: { type: "library", id: "ACTIVE" } }),
    ).toMatchObject({
      body: { code: "not_allowed", reason: "action" },
    });
    await run();
    const passes = async () =>
      (await here.broker.syncs.find({ client: here.client.id as never, address: "" }, body.id as never))
        .counts.passes;
    expect(await passes()).toBe(1);
    here.advance(minutes(61));
    await run();
    here.advance(hoursLong(24) - minutes(61));
    expect(await passes()).toBe(1);
    await run();
    expect(await passes()).toBe(2);
  });

  it("nothing is synced for a client that is stopped, until it goes on", async () => {
    const here = await world();
    await (await LibraryAdmin.signIn(here)).authorize(["ACTIVE"]);
    await setRules(here, ruleOf({ actions: ["sync"], users: [], libraries: ["ACTIVE"] }));
    const made = await here.client.call<{ id: string }>("POST", "/v1/syncs", {
      server: here.server,
      library: "ACTIVE",
      existing: "tell",
    });
    const { configuration } = here.broker;
    const client = (await configuration.findClient(here.client.id as never))!;
    const ran = async (state: "active" | "stopped") => {
      await put.client(configuration, { ...client, state });
      const stop = new AbortController().signal;
      await here.broker.workerStories.runSync(made.body.id as never, stop, async () => {});
      const caller = { client: client.id, address: "" };
      const { counts, parkedBecause } = await here.broker.syncs.find(caller, made.body.id as never);
      return [counts.passes, parkedBecause];
    };
    expect(await ran("stopped")).toEqual([0, "not_allowed"]);
    here.advance(minutes(1));
    expect(await ran("active")).toEqual([1, undefined]);
  });

  it("a policy from before there were rules is one rule for everybody", async () => {
    const here = await world();
    await here.connect(AMELIA);
    const { client, organisation } = { client: here.client.id, organisation: here.organisation };
    const before = { v: 1, client, organisation, actions: ["token"], tokensPerMinute: 600 };
    await put.policy(here.broker.configuration, before as never);
    expect((await tokenFor(here)).status).toBe(200);
    expect(await here.client.call("GET", `/v1/grants?organisation=${organisation}`)).toMatchObject({
      status: 403,
      body: { reason: "action" },
    });
  });
});

const WALKED = Number(process.env.POLICY_GRANTS ?? 60);
const BUDGET = Math.ceil(WALKED / 3);

describe("how many different grants an hour", () => {
  it(`T33: a client that walks ${WALKED} grants is stopped after the ${BUDGET} of its budget, told once in log and audit; another client goes on`, {
    timeout: 120_000,
  }, async () => {
    const here = await world();
    await manyGrants(here, WALKED);
    const other = await anotherClient(here);
    await connect(other, { server: here.server, returnUrl: RETURN_URL }, AMELIA);
    await setPolicy(here, { grantsPerHour: BUDGET });
    const refreshes = () => here.simulator.counts().routes.token ?? 0;
    const before = refreshes();

    const answers = await Promise.all(Array.from({ length: WALKED }, (_, i) => tokenFor(here, `user.${i}`)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(BUDGET);
    const refused = answers.filter(({ status }) => status !== 200);
    for (const answer of refused) {
      expect(answer).toMatchObject({ status: 429, body: { code: "grant_budget_exceeded", remedy: "time" } });
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(3_500);
      expect(Number(answer.headers.get("retry-after"))).toBeLessThanOrEqual(3_600);
    }
    // Of those within the budget it goes on having tokens, and nobody else is touched.
    const served = answers.findIndex(({ status }) => status === 200);
    expect((await tokenFor(here, `user.${served}`)).status).toBe(200);
    const elsewhere = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
    expect((await other.accessToken(elsewhere)).status).toBe(200);

    const entries = await here.broker.auditBuffer.read(here.organisation as never, 0, 10_000);
    const told = entries.filter(({ fields }) => fields.action === "policy.budget_exceeded");
    expect(told.map(({ fields }) => [fields.client, fields.server])).toEqual([[here.client.id, here.server]]);
    expect(
      entries.filter(({ fields }) => fields.action === "token.issued" && fields.client === here.client.id),
    ).toHaveLength(BUDGET + 1);
    const anomalies = () => here.lines.filter((line) => line.includes("anomaly: a client asks for more"));
    expect(anomalies()).toHaveLength(1);
    expect(JSON.parse(anomalies()[0]!)).toMatchObject({
      level: expect.stringMatching(/error/),
      client: here.client.id,
    });

    // The tokens are over by then, and still nothing is asked of iManage for a grant that would not be served.
    here.advance(minutes(45));
    const last = answers.findIndex(({ status }) => status !== 200);
    expect((await tokenFor(here, `user.${last}`)).body.code).toBe("grant_budget_exceeded");
    expect(refreshes()).toBe(before);

    here.advance(minutes(16));
    expect((await tokenFor(here, `user.${last}`)).status).toBe(200);
    expect(anomalies()).toHaveLength(1);
  });

  it("is counted over any sixty minutes, not from hour to hour; a lower budget waits until there is room", async () => {
    const here = await world();
    await manyGrants(here, 6);
    await setPolicy(here, { grantsPerHour: 3 });
    const get = async (i: number) => (await tokenFor(here, `user.${i}`)).status;
    expect([await get(0), await get(1)]).toEqual([200, 200]);
    here.advance(minutes(50));
    expect([await get(2), await get(3)]).toEqual([200, 429]);
    // User 0 once more: it counts from now on.
    expect(await get(0)).toBe(200);
    here.advance(minutes(11));
    expect([await get(3), await get(4)]).toEqual([200, 429]);
    await setPolicy(here, { grantsPerHour: 1 });
    const refused = await tokenFor(here, "user.5");
    expect(refused.status).toBe(429);
    const wait = Number(refused.headers.get("retry-after"));
    here.advance(seconds(wait - 2));
    expect(await get(5)).toBe(429);
    here.advance(seconds(2));
    expect(await get(5)).toBe(200);
  });

  it("costs those without one nothing: no state is kept", async () => {
    const here = await world();
    await here.connect(AMELIA);
    expect((await tokenFor(here)).status).toBe(200);
    const keys = await keysOf(
      here.broker.stores.fast.connection,
      `b1:{o:${here.organisation.slice(4)}}:grants-had:`,
    );
    expect(keys).toEqual([]);
    expect(CLIENT_ACTIONS).toContain("token");
  });
});
