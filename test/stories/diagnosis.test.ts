import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import type { RegistrationId } from "../../src/domain/id.ts";
import { minutes } from "../../src/domain/instant.ts";
import { endpointsOf } from "../../src/domain/server.ts";
import { issue, makeAuthority, makeIntermediate } from "../kit/certificates.ts";
import { diagnose, found, WELL, WELL_BEFORE_SIGN_IN } from "../kit/diagnosing.ts";
import { withRules } from "../kit/policies.ts";
import { put } from "../kit/put-records.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, MOREAU, type World, world } from "../kit/world.ts";

it("a server that is set up well is found so, step by step", async () => {
  const here = await world();
  const before = await diagnose(here);
  expect(before.status, JSON.stringify(before.body)).toBe(200);
  expect(found(before.body)).toEqual(WELL_BEFORE_SIGN_IN);
  expect(before.body.verdict).toBe("good");

  await here.connect();
  here.advance(61_000);
  const { body } = await diagnose(here);
  expect(found(body)).toEqual(WELL);
  expect(body.verdict).toBe("good");
});

const registration = "token-broker";

/** What is provoked at iManage, what is found then, and what the finding says. Everything else stays well. */
describe("what is wrong at iManage is named, and nothing else is", () => {
  it.each<
    readonly [
      what: string,
      provoke: (here: World) => void,
      expected: Partial<typeof WELL>,
      says: readonly (readonly [step: string, words: RegExp])[],
    ]
  >([
    [
      "a wrong Redirect URL",
      ({ simulator }) =>
        simulator.registrations.patch(registration, { redirect_urls: ["https://other.example"] }),
      {
        authorize: "failed authorize.redirect_unregistered",
        application: "not_known application.not_told",
        pkce: "not_known pkce.not_told",
      },
      [["authorize", /Redirect URL not registered.*Authentication › Redirect URL/s]],
    ],
    [
      "a wrong Redirect URL where iManage gives one page for everything",
      ({ simulator }) => {
        simulator.setSwitches({ authorize_errors: "one_page" });
        simulator.registrations.patch(registration, { redirect_urls: ["https://other.example"] });
      },
      {
        authorize: "failed authorize.redirect_unregistered",
        application: "not_known application.not_told",
        pkce: "not_known pkce.not_told",
      },
      [],
    ],
    [
      "an unknown Client ID",
      (here) => renamed(here),
      {
        authorize: "failed authorize.client_unknown",
        secret: "failed secret.wrong",
        application: "not_known application.not_told",
        client_type: "not_known client_type.not_told",
        pkce: "not_known pkce.not_told",
      },
      [["authorize", /Compare the Client ID \(API Key on older servers\)/]],
    ],
    [
      "a server that tells nothing before the sign-in",
      ({ simulator }) => {
        simulator.setSwitches({ authorize_errors: "after_sign_in" });
        simulator.registrations.patch(registration, { redirect_urls: ["https://other.example"] });
      },
      {
        authorize: "not_known authorize.not_told",
        application: "not_known application.not_told",
        pkce: "not_known pkce.not_told",
      },
      [["authorize", /Try a sign-in/]],
    ],
    [
      "a wrong Client Secret",
      ({ simulator }) =>
        simulator.registrations.patch(registration, { client_secrets: [{ value: "sim_secret_other" }] }),
      { secret: "failed secret.wrong", client_type: "not_known client_type.not_told" },
      [["secret", /HTTP 401.*Compare with Control Center.*nobody has to sign in again/s]],
    ],
    [
      "a wrong Client Secret where errors are HTML pages",
      ({ simulator }) => {
        simulator.setSwitches({ error_shape: "html" });
        simulator.registrations.patch(registration, { client_secrets: [{ value: "sim_secret_other" }] });
      },
      { secret: "failed secret.wrong", client_type: "not_known client_type.not_told" },
      [],
    ],
    [
      "a right Client Secret where errors are empty",
      ({ simulator }) => void simulator.setSwitches({ error_shape: "empty" }),
      {
        secret: "not_known secret.unavailable",
        client_type: "not_known client_type.not_told",
      },
      [],
    ],
    ...(["invalid_client", "unauthorized_client", "invalid_grant"] as const).map(
      (disabled_application) =>
        [
          `an application that is not enabled, told as ${disabled_application}`,
          ({ simulator }: World) => {
            simulator.setSwitches({ disabled_application });
            simulator.registrations.patch(registration, { enable_application: false });
          },
          {
            authorize: "ok authorize.known_and_refused",
            ...(disabled_application === "invalid_grant"
              ? {}
              : {
                  secret: "not_known secret.hidden",
                  client_type:
                    disabled_application === "invalid_client"
                      ? "not_known client_type.not_told"
                      : "failed client_type.not_allowed",
                }),
            application: "failed application.not_enabled",
            pkce: "not_known pkce.not_told",
          },
          [["application", /Application not enabled.*Review: set Enable Application to Yes/s]],
        ] as const,
    ),
    [
      "a Client Type that is Public",
      ({ simulator }) => simulator.registrations.patch(registration, { client_type: "public" }),
      { secret: "not_known secret.not_told", client_type: "warning client_type.public" },
      [["client_type", /Client Type to Confidential/]],
    ],
    [
      "PKCE that is ignored",
      ({ simulator }) => void simulator.setSwitches({ pkce: "ignored" }),
      { pkce: "warning pkce.ignored" },
      [],
    ],
    [
      "PKCE that is enforced",
      ({ simulator }) => void simulator.setSwitches({ pkce: "enforced" }),
      { pkce: "ok pkce.enforced" },
      [],
    ],
    [
      "an old version",
      ({ simulator }) => void simulator.setSwitches({ dms_version: "9.10" }),
      { version: "failed version.too_old" },
      [["version", /Version 9\.10\..*Upgrade iManage Work Server to 10\.2/s]],
    ],
    [
      "no oauth capability",
      ({ simulator }) => void simulator.setSwitches({ oauth_capability: "missing" }),
      { oauth: "failed oauth.missing" },
      [["oauth", /app_store, global_users/]],
    ],
    ...(["bare", "html", "not_found"] as const).map(
      (discovery_shape) =>
        [
          `an odd shape of /api: ${discovery_shape}`,
          ({ simulator }: World) => void simulator.setSwitches({ discovery_shape }),
          {
            api: "failed api.other",
            version: "not_known version.not_told",
            oauth: "not_known oauth.not_told",
          },
          [["api", /does not answer as an iManage Work server does/]],
        ] as const,
    ),
    [
      "an /api that wants a token first",
      ({ simulator }) => void simulator.setSwitches({ unauthenticated_discovery: "401" }),
      {
        api: "ok api.wants_token",
        version: "not_known version.not_told",
        oauth: "not_known oauth.not_told",
      },
      [],
    ],
    [
      "something in front that sends /api to a sign-on page",
      ({ simulator }) =>
        void simulator.addFault({
          on: { route: "discovery" },
          do: {
            answer: {
              status: 302,
              headers: { location: "https://sso.firm.example/login?secret=1" },
              body: "",
            },
          },
        }),
      {
        api: "failed api.redirected",
        version: "not_known version.not_told",
        oauth: "not_known oauth.not_told",
      },
      [["api", /leads to sso\.firm\.example\/login\./]],
    ],
    [
      "a clock that is four minutes ahead",
      ({ simulator }) => void simulator.setSwitches({ clock_ahead_seconds: 240 }),
      { clock: "warning clock.differs" },
      [["clock", /4 minutes ahead of ours/]],
    ],
    [
      "a sign-in page that does not come",
      ({ simulator }) =>
        void simulator.addFault({
          on: { route: "authorize" },
          times: "always",
          do: { drop_before: "reset" },
        }),
      {
        authorize: "failed authorize.unavailable",
        application: "not_known application.not_told",
        pkce: "not_known pkce.not_told",
      },
      [],
    ],
    [
      "a token endpoint that is not well",
      ({ simulator }) =>
        void simulator.addFault({
          on: { route: "token" },
          times: "always",
          do: { answer: { status: 503, headers: {}, body: "<h1>Maintenance</h1>" } },
        }),
      { secret: "not_known secret.unavailable", client_type: "not_known client_type.not_told" },
      [["secret", /HTTP 503\. iManage said: “Maintenance”/]],
    ],
  ])("%s", async (_what, provoke, expected, says) => {
    const here = await world();
    await provoke(here);
    const { status, body } = await diagnose(here);
    expect(status, JSON.stringify(body)).toBe(200);
    expect(found(body)).toEqual({ ...WELL_BEFORE_SIGN_IN, ...expected });
    const failed = Object.values(expected).some((each) => each.startsWith("failed"));
    if (failed) expect(body.verdict).toBe("failed");
    for (const [step, words] of says) {
      const { seen, means, remedy } = body.findings.find((each) => each.step === step)!;
      expect(`${seen}\n${means}\n${remedy}`).toMatch(words);
    }
    // Whatever failed has a remedy and somebody whose it is.
    for (const { state, who, remedy, step } of body.findings)
      if (state === "failed") expect([step, who !== "nobody", remedy !== null]).toEqual([step, true, true]);
    expect(here.simulator.counts().grant_types.refresh_token ?? 0).toBe(0);
  });
});

/** Registered under another Client ID than the one that is known here. */
async function renamed({ broker, server }: World): Promise<void> {
  const { configuration } = broker;
  const record = (await configuration.findServer(server))!;
  const of = (await configuration.findRegistration(record.registration as RegistrationId))!;
  await put.registration(configuration, { ...of, clientId: "mistyped" });
}

describe("what only a sign-in shows", () => {
  const OUTSIDE = { subject: "u-outside", username: "outside.counsel", password: "counsel" };

  it("somebody who is not in Access, and whom iManage tells so on a page of its own, never comes back", async () => {
    const here = await world();
    await expect(here.connect(OUTSIDE)).rejects.toThrow("iManage's sign-in page answered 403");
    expect(found((await diagnose(here)).body).access).toBe("not_known access.no_sign_in");
    here.advance(4 * 60_000);
    const { body } = await diagnose(here);
    expect(found(body)).toEqual({ ...WELL_BEFORE_SIGN_IN, access: "warning access.never_back" });
    expect(body.findings.find(({ step }) => step === "access")!.remedy).toContain("Access: choose All Users");
    // Who comes back ends the suspicion.
    await here.connect(MOREAU);
    here.advance(61_000);
    expect(found((await diagnose(here)).body)).toEqual(WELL);
  });

  it.each([
    ["access_denied", { access: "warning access.denied" }],
    ["api_403", { access: "failed access.not_in_access" }],
  ] as const)("or comes back and is refused: %s", async (not_in_access, expected) => {
    const here = await world({ prepare: (simulator) => void simulator.setSwitches({ not_in_access }) });
    await here.connect(OUTSIDE).catch(() => {});
    expect(found((await diagnose(here)).body)).toEqual({ ...WELL_BEFORE_SIGN_IN, ...expected });
  });

  it.each([
    ["form", "Allow Refresh Token"],
    ["package", "Allow Token Refresh"],
  ] as const)("a refresh token that does not come, where the %s calls it %s", async (registeredBy, name) => {
    const here = await world({ serverSettings: { registeredBy } });
    here.simulator.registrations.patch(registration, { allow_refresh_token: false });
    expect((await here.connect()).body.code).toBe("refresh_token_missing");
    const { body } = await diagnose(here);
    expect(found(body)).toEqual({ ...WELL_BEFORE_SIGN_IN, refresh_token: "failed refresh_token.missing" });
    const { remedy, seen } = body.findings.find(({ step }) => step === "refresh_token")!;
    expect(remedy).toContain(`set ${name} to Yes`);
    expect(remedy?.includes("oauth2.tokens")).toBe(registeredBy === "form");
    expect(seen).toMatch(/\(request req_[\w-]+\)/);
  });

  it("a server that is set up to do without refresh tokens is told of, and works", async () => {
    const here = await world({ serverSettings: { refreshToken: "optional" } });
    here.simulator.registrations.patch(registration, { allow_refresh_token: false });
    await here.connect();
    const { body } = await diagnose(here);
    expect(found(body)).toEqual({
      ...WELL,
      refresh_token: "warning refresh_token.session_only",
      refresh_life: "not_known refresh_life.not_told",
    });
    expect(body.verdict).toBe("attention");
  });

  it("a code that came too late names Work Token Grant Expiry and thirty seconds", async () => {
    const here = await world({
      prepare: (simulator) => void simulator.setSwitches({ work_token_grant_expiry_seconds: 0.001 }),
    });
    expect((await here.connect()).body.code).toBe("code_expired_at_imanage");
    const { body } = await diagnose(here);
    expect(found(body)).toEqual({ ...WELL_BEFORE_SIGN_IN, code_life: "failed code_life.too_short" });
    expect(body.findings.find(({ step }) => step === "code_life")!.remedy).toContain("at least 30 seconds");
  });

  it("somebody of another iManage customer", async () => {
    const here = await world({ customerId: "1" });
    expect((await here.connect()).body.code).toBe("customer_mismatch");
    const { body } = await diagnose(here);
    expect(found(body)).toEqual({ ...WELL_BEFORE_SIGN_IN, customer: "failed customer.other" });
  });

  it("a version that is told to who is signed in alone is read with a token that lives anyway", async () => {
    const here = await world({
      prepare: (simulator) => void simulator.setSwitches({ unauthenticated_discovery: "401" }),
    });
    await here.connect();
    expect(found((await diagnose(here)).body)).toEqual(WELL);
    expect(here.simulator.counts().grant_types.refresh_token ?? 0).toBe(0);
  });
});

describe("the way there", () => {
  /** The server's address becomes another one; the broker may go there. */
  async function movedTo(here: World, origin: string, settings: Record<string, string> = {}) {
    const there = await here.replica({ EGRESS_LOOPBACK_ORIGINS: origin, ...settings });
    const record = (await here.broker.configuration.findServer(here.server))!;
    await put.server(here.broker.configuration, { ...record, endpoints: endpointsOf(origin) });
    return { client: there.client, server: here.server };
  }
  const SKIPPED = Object.fromEntries(
    Object.keys(WELL)
      .slice(4, 14)
      .map((step) => [step, `skipped ${step}.skipped`]),
  );
  const cut = { ...WELL_BEFORE_SIGN_IN, ...SKIPPED, secret_expiry: "ok secret_expiry.never" };

  it("a missing intermediate certificate is named, and not a byte is sent", async () => {
    const root = makeAuthority("Meridian Root CA");
    const issuing = makeIntermediate(root, "Meridian Issuing CA 2");
    const { certificate, key } = issue(issuing, { hosts: ["localhost"] });
    let bytes = 0;
    const tls = createTlsServer({ cert: certificate, key }, (socket) => {
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        bytes += chunk.length;
      });
    });
    await new Promise<void>((resolve) => tls.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void tls.close());
    const here = await world();
    const there = await movedTo(here, `https://localhost:${(tls.address() as AddressInfo).port}`);
    const { body } = await diagnose(there);
    expect(found(body)).toEqual({ ...cut, dns: "ok dns.resolved", tls: "failed tls.missing_intermediate" });
    const { seen, remedy } = body.findings.find(({ step }) => step === "tls")!;
    expect(seen).toContain("The certificate of “Meridian Issuing CA 2”");
    expect(remedy).toContain("Install the certificate of “Meridian Issuing CA 2”");
    expect(bytes).toBe(0);
  });

  it("nothing that listens, with the outgoing address as the operator tells it", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const here = await world();
    const there = await movedTo(here, `http://127.0.0.1:${port}`, { OUTGOING_ADDRESSES: "203.0.113.7" });
    const { body } = await diagnose(there);
    expect(found(body)).toEqual({ ...cut, reach: "failed reach.refused", tls: "skipped tls.skipped" });
    expect(body.findings.find(({ step }) => step === "reach")!.seen).toContain("203.0.113.7");
  });

  it("an address that the egress rules refuse is never connected to", async () => {
    const here = await world();
    const there = await movedTo(here, "https://10.1.2.3", {
      EGRESS_LOOPBACK_ORIGINS: here.simulator.origin,
    });
    const { body } = await diagnose(there);
    expect(found(body)).toMatchObject({ egress: "failed egress.address", reach: "skipped reach.skipped" });
    expect(body.findings.find(({ step }) => step === "egress")!.remedy).toContain("EGRESS_PRIVATE_CIDRS");
  });

  it("a server that was written to another address gets no secret: it does not open", async () => {
    const here = await world();
    const other = await world();
    const there = await movedTo(here, other.simulator.origin);
    const { body } = await diagnose(there);
    expect(found(body).secret).toBe("failed secret.unreadable");
    expect(other.simulator.counts().routes.token ?? 0).toBe(0);
  });
});

describe("a diagnosis", () => {
  it("is told finding by finding to who asks for lines, and the last line is the whole", async () => {
    const here = await world();
    const { id, secret } = here.credentials;
    const response = await fetch(`${here.base}/v1/servers/${here.server}/diagnose`, {
      method: "POST",
      headers: {
        authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`,
        accept: "application/x-ndjson",
      },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^application\/x-ndjson/);
    expect(response.headers.get("cache-control")).toBe("no-store");
    const lines = (await response.text()).trimEnd().split("\n");
    const events = lines.map((line) => JSON.parse(line));
    expect(events.slice(0, -1).map(({ finding }) => finding.step)).toEqual(Object.keys(WELL));
    expect(events.at(-1).diagnosis.findings).toEqual(events.slice(0, -1).map(({ finding }) => finding));
  });

  it("comes as it goes: the first findings are there while iManage still hangs", async () => {
    const here = await world();
    here.simulator.addFault({ id: "slow", on: { route: "discovery" }, do: { hold_before: true } });
    const { id, secret } = here.credentials;
    const response = await fetch(`${here.base}/v1/servers/${here.server}/diagnose`, {
      method: "POST",
      headers: {
        authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`,
        accept: "application/x-ndjson",
      },
    });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes('"step":"tls"')) text += (await reader.read()).value ?? "";
    expect(text).not.toContain('"step":"api"');
    // Meanwhile nobody else begins one, at any replica.
    here.advance(61_000);
    const { client } = await here.replica();
    const second = await diagnose({ client, server: here.server });
    expect(second).toMatchObject({ status: 429, body: { code: "diagnosis_running", remedy: "time" } });
    expect(Number(second.headers.get("retry-after"))).toBeGreaterThan(0);
    here.simulator.release();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
    }
    expect(text).toContain('"diagnosis":');
  });

  it("is made once a minute at most", async () => {
    const here = await world();
    expect((await diagnose(here)).status).toBe(200);
    expect(await diagnose(here)).toMatchObject({ status: 429, body: { code: "diagnosed_recently" } });
    here.advance(61_000);
    expect((await diagnose(here)).status).toBe(200);
  });

  it("is kept and compared: yesterday it worked, and this is what changed", async () => {
    const here = await world();
    const read = () =>
      here.client.call<{ last: { verdict: string } | null; last_good: { verdict: string } | null }>(
        "GET",
        `/v1/servers/${here.server}/diagnosis`,
      );
    expect((await read()).body).toEqual({ last: null, last_good: null });
    const good = (await diagnose(here)).body;
    expect((await read()).body).toEqual({ last: good, last_good: good });

    here.simulator.setSwitches({ dms_version: "10.4.1" });
    here.simulator.registrations.patch(registration, { client_secrets: [{ value: "sim_secret_other" }] });
    here.advance(24 * 3_600_000);
    const bad = (await diagnose(here)).body;
    expect(bad.changes.map(({ step }) => step)).toEqual(["version", "secret"]);
    expect(bad.changes[0]).toMatchObject({ was: "10.2.3812", is: "10.4.1" });
    expect(bad.changes[0]!.sentence).toMatch(/^Version: the version changed since \d+ \w+ \d{4}\.$/);
    expect(bad.compared_with).not.toBeNull();
    expect((await read()).body).toEqual({ last: bad, last_good: good });
  });

  it("of a server that is unknown, or another firm's, is the same 404; without the action it is refused", async () => {
    const here = await world();
    const other = await world();
    const foreign = `/v1/servers/${other.server}`;
    const unknown = `/v1/servers/srv_${"0".repeat(36)}`;
    for (const at of [foreign, unknown]) {
      for (const [method, path] of [
        ["POST", "diagnose"],
        ["GET", "diagnosis"],
        ["GET", "support-bundle"],
      ] as const) {
        const answer = await here.client.call(method, `${at}/${path}`);
        expect(answer, `${method} ${path}`).toMatchObject({ status: 404, body: { code: "not_found" } });
      }
    }
    const { configuration } = here.broker;
    const { policy } = await configuration.findPolicy(
      here.credentials.id as never,
      here.organisation as never,
    );
    await put.policy(configuration, withRules(policy, { actions: ["token", "status"] }));
    expect(await diagnose(here)).toMatchObject({ status: 403, body: { code: "not_allowed" } });
    expect(other.simulator.counts().routes).toEqual({});
  });

  it("harms nobody: grants, gate and profile are as they were, whatever it met", async () => {
    const here = await world();
    const connected = await here.connect();
    const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
    const before = await here.broker.grantStore.findGrant(connected.body.grant as never);
    here.simulator.registrations.patch(registration, { client_secrets: [{ value: "sim_secret_other" }] });
    expect((await diagnose(here)).body.verdict).toBe("failed");
    expect(await here.broker.grantStore.findGrant(connected.body.grant as never)).toEqual(before);
    expect(await here.broker.profiles.findClosedGate(here.server)).toBeUndefined();
    expect((await here.client.accessToken(ask)).status).toBe(200);
  });

  it("never logs what iManage said, and shows it on one line", async () => {
    const here = await world();
    here.simulator.addFault({
      on: { route: "discovery" },
      do: { answer: { status: 500, headers: {}, body: "<b>Oops</b>\u001b[2J\u202enettirw" } },
    });
    const { body } = await diagnose(here);
    expect(body.findings.find(({ step }) => step === "api")!.seen).toContain("“Oops [2J nettirw”");
    expect(here.lines.join("\n")).not.toContain("Oops");
    expect(here.lines.some((line) => line.includes('"detail":"api.unavailable"'))).toBe(true);
  });
});

it("the program itself tells it step by step, and ends with 1 when something failed", async () => {
  const here = await world();
  here.simulator.registrations.patch(registration, { client_secrets: [{ value: "sim_secret_other" }] });
  const firm = await here.broker.configuration.findOrganisation(here.organisation as never);
  const program = spawn(process.execPath, ["src/main/cli.ts", "diagnose", `${firm!.name}/dms`], {
    env: { ...here.environment, PATH: process.env.PATH },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  program.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  const [code] = await once(program, "close");
  expect([code, out.split("\n")[0]]).toEqual([1, "ok         DNS: 127.0.0.1 is an address."]);
  expect(out).toMatch(/^FAILED {5}Client Secret: HTTP 401\..*$/m);
  expect(out).toMatch(/\nSomething is wrong\.\n$/);
});

describe("the support bundle", () => {
  it("holds what support needs, and no person", async () => {
    const here = await world();
    await here.connect();
    here.simulator.registrations.patch(registration, { allow_refresh_token: false });
    await here.connect(MOREAU);
    await diagnose(here);
    const { status, body } = await here.client.call("GET", `/v1/servers/${here.server}/support-bundle`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      registration: { client_id: "token-broker", client_secrets: [{ expires_at: null }] },
      sign_ins: {
        last_failed: { code: "refresh_token_missing", request_id: expect.stringMatching(/^req_/) },
      },
      authorisations: { count: 1, active: 1 },
      diagnosis: { last: { findings: expect.anything() } },
    });
    const text = JSON.stringify(body);
    for (const personal of ["amelia", "moreau", "u-amelia", "hartlowell"])
      expect(text.toLowerCase()).not.toContain(personal);
  });

  it("holds no secret, even where iManage echoes what it was sent", async () => {
    const here = await world();
    await here.connect();
    for (const [path, body] of [
      ["echo", "you sent {secret} and sim_secret_token-broker, in base64 c2ltX3NlY3JldF90b2tlbi1icm9rZXI="],
    ] as const) {
      here.simulator.addFault({
        id: path,
        on: { route: "token" },
        times: "always",
        do: {
          answer: { status: 400, headers: {}, body: JSON.stringify({ error: "invalid_x", hint: body }) },
        },
      });
    }
    const told = (await diagnose(here)).body;
    expect(told.findings.find(({ step }) => step === "secret")!.seen).toContain("left out");
    const { body } = await here.client.call("GET", `/v1/servers/${here.server}/support-bundle`);
    // The world's own watch over every answer looks for prefixes in six encodings; this names what would be the worst.
    expect(JSON.stringify([told, body])).not.toMatch(/sim_|imb_|c2ltX|sealed/);
  });
});

describe("a server that waits for somebody's change", () => {
  it("says for whom and what, is looked at again each half hour, and is told when it is through", async () => {
    const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
    const [real] = here.simulator.registrations
      .list()
      .find(({ client_id }) => client_id === registration)!.redirect_urls;
    here.simulator.registrations.patch(registration, { redirect_urls: ["https://other.example"] });
    expect((await diagnose(here)).body.verdict).toBe("failed");
    const awaiting = async () =>
      (
        await here.client.call<{ awaiting: { who: string; causes: string[] }[] }>(
          "GET",
          `/v1/servers/${here.server}`,
        )
      ).body.awaiting;
    expect(await awaiting()).toMatchObject([
      { who: "imanage_admin", causes: ["authorize.redirect_unregistered"] },
    ]);

    const { lookAgain } = here.broker.workerStories;
    expect(await lookAgain()).toBe("nothing");
    here.advance(minutes(31));
    expect(await lookAgain()).toBe("waiting");
    expect(await lookAgain()).toBe("nothing");
    here.simulator.registrations.patch(registration, { redirect_urls: [real!] });
    here.advance(minutes(31));
    expect(await lookAgain()).toBe("through");
    expect(await awaiting()).toEqual([]);
    expect(here.lines.filter((line) => line.includes("server_through"))).toHaveLength(1);
    here.advance(minutes(31));
    expect(await lookAgain()).toBe("nothing");
  });
});
