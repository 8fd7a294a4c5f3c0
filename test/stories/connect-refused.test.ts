import { describe, expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { complete } from "../../scripts/walk/connect.ts";
import type { ProblemCode } from "../../src/domain/problem-catalogue.ts";
import type { ServerSettings } from "../../src/domain/server.ts";
import type { Fault } from "../../src/simulator/faults.ts";
import type { Simulator } from "../../src/simulator/start-simulator.ts";
import type { Switches } from "../../src/simulator/switches.ts";
import { addOrganisation } from "../kit/additions.ts";
import {
  begin,
  expectFailed,
  expectNothingStored,
  expectProblem,
  returned,
  sessionOf,
  signInAtImanage,
  start,
  tokenRequests,
} from "../kit/connecting.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

/** Connects as Amelia; something of iManage is in the way. Answers what the client got and what the page said. */
async function connectThatFails(built: World, code: ProblemCode): Promise<{ page: string; body: object }> {
  const { session, completion } = await returned(built);
  const refused = await complete(built.client, session, completion, AMELIA.subject);
  expectProblem(refused, code);
  expect(refused.body).toMatchObject({ link: `${built.base}/connect/result/${session}` });
  const page = await expectFailed(built, built.client, session, code);
  await expectNothingStored(built);
  const again = await complete(built.client, session, completion, AMELIA.subject);
  expectProblem(again, "connect_session_used");
  return { page, body: refused.body };
}

const SUBJECT = { type: "user", id: AMELIA.subject };
const ask = ({ client, server }: World, more: object = {}) =>
  client.accessToken({ server, subject: SUBJECT, ...more });

/** Nothing that iManage gave lives on: neither an access token nor, where iManage can end it, a refresh token. */
function expectAllRevoked(simulator: Simulator): void {
  for (const family of simulator.truth().families) {
    expect(family.access_tokens.filter(({ live }) => live)).toEqual([]);
  }
}

describe("Allow Refresh Token is off", () => {
  for (const [name, switches, settings, words] of [
    ["null", { refresh_token_when_off: "null" }, {}, ["Allow Refresh Token", "Authentication"]],
    ["absent", { refresh_token_when_off: "absent" }, {}, ["Allow Refresh Token"]],
    ["null", {}, { registeredBy: "package" }, ["Allow Token Refresh", "package"]],
  ] as readonly [string, Partial<Switches>, Partial<ServerSettings>, readonly string[]][]) {
    it(`a refresh token that is ${name} is refused, and the page names the switch as ${words[0]}`, async () => {
      const built = await world({
        serverSettings: settings,
        prepare: (simulator) => {
          simulator.setSwitches(switches);
          simulator.registrations.patch("token-broker", { allow_refresh_token: false });
        },
      });
      const { page, body } = await connectThatFails(built, "refresh_token_missing");
      expect(body).toMatchObject({ registered_by: settings.registeredBy ?? "form" });
      for (const word of words) expect(page).toContain(word);
      expect(tokenRequests(built.simulator)).toBe(1);
      expectAllRevoked(built.simulator);
    });
  }

  it("the registration as the form comes has it off", async () => {
    const built = await world();
    const firm = await addOrganisation(built, {
      servers: { dms: { simulator: built.simulator, clientId: "no-refresh" } },
      clients: { app: {} },
    });
    const where = { client: firm.clients.app, server: firm.servers.dms.id };
    const { session, completion } = await returned(where);
    expectProblem(await complete(where.client, session, completion, AMELIA.subject), "refresh_token_missing");
    await expectNothingStored(built, firm.organisation);
  });

  it("switched on in Control Center, the next sign-in connects", async () => {
    const built = await world({
      prepare: (simulator) => simulator.registrations.patch("token-broker", { allow_refresh_token: false }),
    });
    await connectThatFails(built, "refresh_token_missing");
    built.simulator.registrations.patch("token-broker", { allow_refresh_token: true });
    expect((await built.connect()).body).toMatchObject({ state: "connected" });
  });

  it("where the server may do without, the grant serves until its token dies and then asks to authorise again", async () => {
    const built = await world({
      serverSettings: { refreshToken: "optional" },
      prepare: (simulator) => simulator.registrations.patch("token-broker", { allow_refresh_token: false }),
    });
    const { client, simulator } = built;
    const connected = await built.connect();
    expect(connected.body).toMatchObject({ state: "connected" });
    const grant = await client.call("GET", `/v1/grants/${connected.body.grant}`);
    expect(grant.body).toMatchObject({ session_only: true, state: "active" });
    const first = await ask(built);
    expect(first.status).toBe(200);

    built.advance(29 * 60_000 + 30_000);
    const last = await ask(built);
    expect(last.body).toMatchObject({ access_token: first.body.access_token });
    expect(last.body.expires_in).toBeLessThanOrEqual(30);

    built.advance(31_000);
    const over = await ask(built);
    expectProblem(over, "reauthorization_required");
    expect(over.body).toMatchObject({ connect: "/v1/connect-sessions", server: built.server });
    expect(simulator.counts().grant_types).toEqual({ authorization_code: 1 });

    const again = await built.connect();
    expect(again.body).toMatchObject({ state: "connected", grant: connected.body.grant });
    expect((await ask(built)).status).toBe(200);
  });

  it("a session-only token that iManage rejects asks to authorise again, and nothing is refreshed", async () => {
    const built = await world({
      serverSettings: { refreshToken: "optional" },
      prepare: (simulator) => simulator.registrations.patch("token-broker", { allow_refresh_token: false }),
    });
    await built.connect();
    const { body } = await ask(built);
    expectProblem(await ask(built, { rejected: body.fingerprint }), "reauthorization_required");
    expect(built.simulator.counts().grant_types).toEqual({ authorization_code: 1 });
  });
});

describe("the token endpoint does not give what was asked for", () => {
  it("403: the code outlived Work Token Grant Expiry, and the page names that setting", async () => {
    const built = await world({
      prepare: (simulator) => simulator.setSwitches({ work_token_grant_expiry_seconds: 10 }),
    });
    const { session, completion } = await returned(built);
    built.advance(11_000);
    const refused = await complete(built.client, session, completion, AMELIA.subject);
    expectProblem(refused, "code_expired_at_imanage");
    const page = await expectFailed(built, built.client, session, "code_expired_at_imanage");
    expect(page).toContain("Work Token Grant Expiry");
    expect(page).toContain("30 seconds");
    await expectNothingStored(built);
    expect(tokenRequests(built.simulator)).toBe(1);
  });

  it("a wrong client secret is the operator's to mend, and the code is presented once", async () => {
    const built = await world({
      prepare: (simulator) =>
        simulator.registrations.patch("token-broker", { client_secrets: [{ value: "another" }] }),
    });
    const { page } = await connectThatFails(built, "client_secret_refused");
    expect(page).toContain("Client Secret");
    expect(tokenRequests(built.simulator)).toBe(1);
  });

  const passing: readonly [string, Fault["do"]][] = [
    [
      "HTML of a proxy",
      { answer: { status: 200, headers: { "content-type": "text/html" }, body: "<html>" } },
    ],
    ["502 with HTML", { answer: { status: 502, headers: { "content-type": "text/html" }, body: "<h1>Bad" } }],
    ["503", { answer: { status: 503, headers: { "retry-after": "7" } } }],
    ["429", { answer: { status: 429, headers: { "retry-after": "7" } } }],
    ["an empty 200", { answer: { status: 200 } }],
    ["no answer", { drop_before: "reset" }],
    ["an answer that is cut", { cut_body_after_bytes: 20 }],
  ];
  for (const [what, befalls] of passing) {
    it(`${what}: iManage is unavailable, nothing is asked twice`, async () => {
      const built = await world();
      built.simulator.addFault({ on: { route: "token" }, times: "always", do: befalls });
      const { body } = await connectThatFails(built, "imanage_unavailable");
      expect(body).toMatchObject({
        retryable: true,
        retry_after: "answer" in befalls && befalls.answer?.headers?.["retry-after"] ? 7 : 5,
      });
      expect(tokenRequests(built.simulator)).toBe(1);

      built.simulator.clearFaults();
      expect((await built.connect()).body).toMatchObject({ state: "connected" });
    });
  }

  for (const shape of ["imanage", "html", "empty"] as const) {
    it(`an error in the shape ${shape} is no reason to store anything`, async () => {
      const built = await world({ prepare: (simulator) => simulator.setSwitches({ error_shape: shape }) });
      const { session, completion } = await returned(built);
      built.simulator.users.patch(5948, "amelia.hart", { locked: true });
      const refused = await complete(built.client, session, completion, AMELIA.subject);
      expect(["authorization_refused", "imanage_unavailable"]).toContain(refused.body.code);
      await expectNothingStored(built);
    });
  }

  it("tokens whose owner iManage does not tell are thrown away, after three tries", async () => {
    const built = await world();
    built.simulator.addFault({
      on: { route: "discovery" },
      times: "always",
      do: { answer: { status: 503 } },
    });
    await connectThatFails(built, "imanage_unavailable");
    expect(built.simulator.counts().routes).toMatchObject({ token: 1, discovery: 3 });
    expectAllRevoked(built.simulator);
  });

  it("two of three failed questions who it is are forgiven", async () => {
    const built = await world();
    built.simulator.addFault({ on: { route: "discovery" }, times: 2, do: { answer: { status: 502 } } });
    expect((await built.connect()).body).toMatchObject({ state: "connected" });
    expect(built.simulator.counts().routes).toMatchObject({ token: 1, discovery: 3 });
  });

  it("a server that gives a token and does not know it is not an iManage to connect to", async () => {
    const built = await world();
    built.simulator.addFault({
      on: { route: "discovery" },
      do: { answer: { body: { data: { auth_status: "unauthenticated" } } } },
    });
    await connectThatFails(built, "imanage_answer_unusable");
    expectAllRevoked(built.simulator);
  });

  it("T19 no token, code or secret of ours travels in an address, whatever goes wrong", async () => {
    const built = await world({
      prepare: (simulator) => simulator.registrations.patch("token-broker", { allow_refresh_token: false }),
    });
    await connectThatFails(built, "refresh_token_missing");
    const urls = built.simulator.requests().map(({ url }) => url);
    expect(urls.length).toBeGreaterThanOrEqual(4);
    for (const url of urls) expect(url).not.toMatch(/sim_(at|rt|code|secret|session)_|code_verifier/);
  });
});

describe("iManage does not let the person through", () => {
  it("Cancel ends in a page that says so and leads back, and the client can read it", async () => {
    const built = await world();
    const started = await start(built);
    const denied = await started.browser.post(started.authorize.href, { action: "cancel" });
    const page = await started.browser.follow(denied, [built.base]);
    expect(page.url).toBe(`${built.base}/connect/result/${started.session}`);
    await expectFailed(built, built.client, started.session, "authorization_denied");
    expect(page.body).toContain("start again from Matter tracker");
    await expectNothingStored(built);
    expect(tokenRequests(built.simulator)).toBe(0);
  });

  for (const [what, person, patch] of [
    ["an application that is not enabled", AMELIA, { enable_application: false }],
    ["a user who is not in Access", { username: "outside.counsel", password: "counsel" }, {}],
    ["a locked user", { username: "locked.user", password: "user" }, {}],
  ] as const) {
    it(`${what} is stopped on iManage's own page; the session waits and can still be finished by another sign-in`, async () => {
      const built = await world();
      const started = await start(built);
      built.simulator.registrations.patch("token-broker", patch);
      const { username, password } = person;
      const stopped = await started.browser.post(started.authorize.href, {
        username,
        password,
        action: "sign-in",
      });
      expect(stopped.status).toBe(403);
      expect(stopped.location).toBeUndefined();
      expect((await sessionOf(built.client, started.session)).body).toMatchObject({
        state: "started",
        problem: null,
      });
      const page = await new WalkingBrowser().get(`${built.base}/connect/result/${started.session}`);
      expect(page.body).toContain("The sign-in is not finished");
      await expectNothingStored(built);

      built.simulator.registrations.patch("token-broker", { enable_application: true });
      const callback = await signInAtImanage({ ...started, browser: started.browser });
      const back = await started.browser.get(callback.href);
      const completion = new URL(back.location!).searchParams.get("completion")!;
      const completed = await complete(built.client, started.session, completion, AMELIA.subject);
      expect(completed.body).toMatchObject({ state: "connected" });
    });
  }

  for (const [what, change, code] of [
    [
      "disabled",
      ({ registrations }) => registrations.patch("token-broker", { enable_application: false }),
      "client_secret_refused",
    ],
    [
      "disabled, told as invalid_grant",
      ({ registrations, setSwitches }) => {
        setSwitches({ disabled_application: "invalid_grant" });
        registrations.patch("token-broker", { enable_application: false });
      },
      "authorization_refused",
    ],
    [
      "taken from Access",
      ({ registrations }) => registrations.patch("token-broker", { access: ["e.moreau"] }),
      "authorization_refused",
    ],
    ["locked", ({ users }) => users.patch(5948, "amelia.hart", { locked: true }), "authorization_refused"],
  ] as readonly [string, (simulator: Simulator) => void, ProblemCode][]) {
    it(`${what} between signing in and completing: refused, nothing stored`, async () => {
      const built = await world();
      const { session, completion } = await returned(built);
      change(built.simulator);
      expectProblem(await complete(built.client, session, completion, AMELIA.subject), code);
      await expectFailed(built, built.client, session, code);
      await expectNothingStored(built);
      expect(tokenRequests(built.simulator)).toBe(1);
    });
  }

  it("GET /api that answers 403 names the Access list", async () => {
    const built = await world();
    built.simulator.addFault({
      on: { route: "discovery" },
      do: { answer: { status: 403, body: { error: { code: "x" } } } },
    });
    const { page } = await connectThatFails(built, "user_not_in_access");
    expect(page).toContain("Access");
    expect(page).toContain("All Users");
    expectAllRevoked(built.simulator);
  });
});

describe("T29 what a client may not see is not there", () => {
  it("a server that its policy does not name is answered like one that does not exist", async () => {
    const built = await world();
    const firm = await addOrganisation(built, {
      servers: { dms: { simulator: built.simulator }, vault: { simulator: built.simulator } },
      clients: { app: { servers: ["dms"] }, reader: { actions: ["status"] } },
    });
    const { app, reader } = firm.clients;
    const answers = await Promise.all([
      begin({ client: app, server: firm.servers.vault.id }),
      begin({ client: app, server: `${firm.servers.vault.id.slice(0, -4)}0000` }),
      begin({ client: app, server: built.server }),
      begin({ client: app, server: `srv_${"0".repeat(36)}` }),
      begin({ client: app, server: firm.servers.vault.id, returnUrl: "https://evil.example/" }),
    ]);
    const [first, ...others] = answers.map(({ status, headers, body }) => ({
      status,
      headers: [...headers].filter(([name]) => !["date", "x-request-id"].includes(name)),
      body: { ...body, request_id: "" },
    }));
    expectProblem(answers[0]!, "not_found");
    for (const other of others) expect(other).toEqual(first);

    expectProblem(await begin({ client: reader, server: firm.servers.dms.id }), "not_allowed");
    expectProblem(
      await begin({ client: app, server: firm.servers.dms.id, returnUrl: "https://evil.example/" }),
      "return_url_not_registered",
    );
    await expectNothingStored(built, firm.organisation);
  });
});
