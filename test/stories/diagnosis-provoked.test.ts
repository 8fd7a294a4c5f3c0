import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { CAUSES } from "../../src/domain/diagnosis-causes.ts";
import { days } from "../../src/domain/instant.ts";
import type { Registration } from "../../src/domain/registration.ts";
import { endpointsOf } from "../../src/domain/server.ts";
import { type Authority, issue, makeAuthority } from "../kit/certificates.ts";
import { diagnose, found, WELL, WELL_BEFORE_SIGN_IN } from "../kit/diagnosing.ts";
import { put } from "../kit/put-records.ts";
import { simulatorBehindTls } from "../kit/tls-front.ts";
import { type World, world } from "../kit/world.ts";

// What `diagnosis.test.ts` begins: each further cause is provoked at a real server, and nothing else is claimed.

const skippedBetween = (from: number, to: number) =>
  Object.fromEntries(
    Object.keys(WELL)
      .slice(from, to)
      .map((step) => [step, `skipped ${step}.skipped`]),
  );
/** Nothing was asked of the server: the way to it ends before. */
const cutAt = (step: keyof typeof WELL, found: string, before: Record<string, string> = {}) => {
  const at = Object.keys(WELL).indexOf(step);
  return {
    ...WELL_BEFORE_SIGN_IN,
    ...before,
    [step]: `failed ${found}`,
    ...skippedBetween(at + 1, 14),
    secret_expiry: "ok secret_expiry.never",
  };
};

/** The finding at a step names who has to change what; whatever failed does. */
async function expectFound(
  here: Pick<World, "client" | "server">,
  expected: Record<string, string>,
  says: readonly (readonly [step: string, words: RegExp])[],
): Promise<void> {
  const { status, body } = await diagnose(here);
  expect(status, JSON.stringify(body)).toBe(200);
  expect(found(body)).toEqual(expected);
  for (const [step, words] of says) {
    const { seen, means, who, remedy } = body.findings.find((each) => each.step === step)!;
    expect(`${who}: ${seen}\n${means}\n${remedy}`).toMatch(words);
  }
  for (const { state, who, remedy, step } of body.findings)
    if (state === "failed") expect([step, who !== "nobody", remedy !== null]).toEqual([step, true, true]);
}

/** The server is at another address; the broker may go there, believing these authorities. */
async function movedTo(origin: string, settings: Record<string, string>, trusted?: Authority) {
  const here = await world({ settings });
  const { configuration } = here.broker;
  const record = (await configuration.findServer(here.server))!;
  const trustedCertificates = trusted && { pem: trusted.certificate, certificates: [] };
  await put.server(configuration, { ...record, endpoints: endpointsOf(origin), trustedCertificates });
  return here;
}

const registrationOf = async ({ broker, server }: World) => {
  const { registration } = (await broker.configuration.findServer(server))!;
  return (await broker.configuration.findRegistration(registration))!;
};
const change = async (here: World, how: (of: Registration) => Partial<Registration>) => {
  const of = await registrationOf(here);
  await put.registration(here.broker.configuration, { ...of, ...how(of) });
};
const expiring = (here: World, inDays: number) =>
  change(here, ({ secrets }) => ({
    secrets: secrets.map((each) => ({ ...each, expiresAt: here.broker.clock.now() + days(inDays) })),
  }));

const REDIRECT_UNTOLD = { application: "not_known application.not_told", pkce: "not_known pkce.not_told" };
const SECRET_UNTOLD = { client_type: "not_known client_type.not_told" };
const UNREAD = { version: "not_known version.not_told", oauth: "not_known oauth.not_told" };
const HOSTS = { hosts: ["localhost"] };
const authority = makeAuthority("Meridian Root CA");
const long = Date.now() + days(90);

describe("what is wrong with the server or the registration is named, and nothing else is", () => {
  it.each<
    readonly [
      what: string,
      provoke: (here: World) => unknown,
      expected: Partial<typeof WELL>,
      says: readonly (readonly [step: string, words: RegExp])[],
    ]
  >([
    [
      "an /api of a server that names another host as its root",
      async ({ simulator }) => {
        const discovered = await (await fetch(`${simulator.origin}/api`)).text();
        const body = discovered.replaceAll(simulator.origin, "https://elsewhere.example");
        simulator.addFault({
          on: { route: "discovery" },
          times: "always",
          do: { answer: { status: 200, headers: { "content-type": "application/json" }, body } },
        });
      },
      { api: "warning api.foreign_root" },
      [["api", /imanage_admin: .*as iManage itself names it, as a new server/s]],
    ],
    [
      "an /api that is down",
      ({ simulator }) =>
        simulator.addFault({
          on: { route: "discovery" },
          times: "always",
          do: { answer: { status: 503, headers: {}, body: "<h1>Down for maintenance</h1>" } },
        }),
      { api: "failed api.unavailable", ...UNREAD },
      [["api", /imanage_admin: .*HTTP 503.*Down for maintenance.*See that iManage Work runs/s]],
    ],
    [
      "an /api that wants time",
      ({ simulator }) =>
        simulator.addFault({
          on: { route: "discovery" },
          times: "always",
          do: { answer: { status: 429, headers: { "retry-after": "7" }, body: "" } },
        }),
      { api: "not_known api.throttled", ...UNREAD },
      [["api", /Diagnose again later/]],
    ],
    [
      "an /api that hangs up",
      ({ simulator }) =>
        simulator.addFault({ on: { route: "discovery" }, times: "always", do: { drop_before: "reset" } }),
      { api: "failed api.unanswered", clock: "skipped clock.skipped", ...UNREAD },
      [["api", /imanage_admin: No answer at \/api/]],
    ],
    [
      "a server that does not say what time it is",
      ({ simulator }) =>
        simulator.addFault({
          on: { route: "discovery" },
          times: "always",
          do: { set_headers: { date: "whenever" } },
        }),
      { clock: "not_known clock.not_told" },
      [],
    ],
    [
      "a scope that the application may not ask for: people are sent back with it",
      async ({ broker, server }) => {
        const record = (await broker.configuration.findServer(server))!;
        const settings = { ...record.settings, scope: "billing" };
        await put.server(broker.configuration, { ...record, settings });
      },
      { authorize: "failed authorize.sent_back", ...REDIRECT_UNTOLD },
      [["authorize", /imanage_admin: .*invalid_scope/s]],
    ],
    [
      "one page for everything, and a token endpoint that does not help",
      ({ simulator }) => {
        simulator.setSwitches({ authorize_errors: "one_page" });
        simulator.registrations.patch("token-broker", { redirect_urls: ["https://other.example"] });
        simulator.addFault({
          on: { route: "token" },
          times: "always",
          do: { answer: { status: 503, headers: {}, body: "" } },
        });
      },
      {
        authorize: "failed authorize.refused",
        secret: "not_known secret.unavailable",
        ...SECRET_UNTOLD,
        ...REDIRECT_UNTOLD,
      },
      [["authorize", /imanage_admin: .*Client ID.*Redirect URL/s]],
    ],
    [
      "a token endpoint that says what no standard knows",
      ({ simulator }) =>
        simulator.addFault({
          on: { route: "token" },
          times: "always",
          do: { answer: { status: 400, headers: {}, body: { error: "computer_says_no" } } },
        }),
      { secret: "not_known secret.other", ...SECRET_UNTOLD },
      [["secret", /vendor: .*computer_says_no/s]],
    ],
    [
      "a new Client Secret that is wrong, while the one before it still works",
      async (here) => {
        const { clientId } = await registrationOf(here);
        await here.client.call("PUT", `/v1/organisations/${here.organisation}/servers/dms`, {
          kind: "on-premises",
          display_name: "Meridian DMS",
          address: here.simulator.origin,
          registration: { client_id: clientId, client_secret: "sim_secret_mistyped" },
        });
        expect((await registrationOf(here)).secrets).toHaveLength(2);
      },
      { secret: "warning secret.older_right", ...SECRET_UNTOLD },
      [["secret", /organisation_admin: /]],
    ],
    [
      "no Client Secret",
      (here) => change(here, () => ({ secrets: [] })),
      {
        secret: "failed secret.none",
        secret_expiry: "skipped secret_expiry.skipped",
        ...SECRET_UNTOLD,
      },
      [["secret", /organisation_admin: /]],
    ],
    [
      "a Client Secret that ends in half a year",
      (here) => expiring(here, 180),
      { secret_expiry: "ok secret_expiry.later" },
      [],
    ],
    [
      "a Client Secret that ends next week",
      (here) => expiring(here, 7),
      { secret_expiry: "warning secret_expiry.soon" },
      [["secret_expiry", /organisation_admin: /]],
    ],
    [
      "a Client Secret that ended yesterday",
      (here) => expiring(here, -1),
      { secret: "skipped secret.skipped", secret_expiry: "failed secret_expiry.expired", ...SECRET_UNTOLD },
      [["secret_expiry", /organisation_admin: /]],
    ],
  ])("%s", async (_what, provoke, expected, says) => {
    const here = await world();
    await provoke(here);
    await expectFound(here, { ...WELL_BEFORE_SIGN_IN, ...expected }, says);
  });
});

describe("the way there", () => {
  it("a name that nobody knows", async () => {
    // A label longer than DNS allows is refused by the resolver itself: nothing leaves this machine.
    const here = await movedTo(`https://${"x".repeat(64)}.example`, {});
    await expectFound(here, { ...cutAt("dns", "dns.not_found") }, [
      ["dns", /organisation_admin: No address is found.*Compare the server's address/s],
    ]);
  });

  it("a port that is not spoken to", async () => {
    const here = await movedTo("https://dms.firm.example:8080", {});
    await expectFound(here, cutAt("egress", "egress.url", { dns: "skipped dns.skipped" }), [
      ["egress", /operator: .*ports 443 and 8443/s],
    ]);
  });

  it("an operator's proxy that is away, or does not connect", async () => {
    const proxy = createServer().on("connect", (_request, socket: Socket) => {
      socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const expected = cutAt("reach", "reach.proxy", { dns: "not_known dns.by_proxy" });
    const here = await movedTo("https://dms.firm.example", { EGRESS_PROXY_URL: url });
    await expectFound(here, expected, [["reach", /operator: The operator's proxy does not connect to dms/]]);
    await new Promise((resolve) => proxy.close(resolve));
    here.advance(61_000);
    await expectFound(here, expected, [["reach", /operator: The operator's proxy does not answer/]]);
  });

  it("no TLS where TLS is spoken", async () => {
    const plain = createServer((_request, response) => void response.end("hello"));
    await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void plain.close());
    const origin = `https://127.0.0.1:${(plain.address() as AddressInfo).port}`;
    const here = await movedTo(origin, { EGRESS_LOOPBACK_ORIGINS: origin });
    await expectFound(here, cutAt("tls", "tls.handshake"), [
      ["tls", /imanage_admin: .*Enable TLS 1\.2 or 1\.3/s],
    ]);
  });

  it.each([
    [
      "signed by itself",
      issue("self", { ...HOSTS, until: long }),
      "tls.self_signed",
      /imanage_admin: .*Install/s,
    ],
    [
      "of an authority that is not known, sent along with it",
      withChain(issue(authority, { ...HOSTS, until: long })),
      "tls.unknown_root",
      /organisation_admin: .*Trust “Meridian Root CA” for this server/s,
    ],
  ])("a certificate %s", async (_what, { certificate, key }, cause, words) => {
    const { simulator, origin } = await simulatorBehindTls({ cert: certificate, key });
    const here = await movedTo(origin, { EGRESS_LOOPBACK_ORIGINS: origin });
    await expectFound(here, cutAt("tls", cause, { dns: "ok dns.resolved" }), [["tls", words]]);
    expect(simulator.counts().routes).toEqual({});
  });

  it.each([
    ["that is over", { ...HOSTS, until: Date.now() - days(0.5) }, "tls.expired", /imanage_admin: .*Replace/s],
    [
      "for another host",
      { hosts: ["other.firm.example"], until: long },
      "tls.wrong_host",
      /imanage_admin: .*other\.firm\.example, and not for localhost/s,
    ],
  ] as const)("a certificate of a trusted authority, %s", async (_what, of, cause, words) => {
    const { certificate, key } = issue(authority, of);
    const { simulator, origin } = await simulatorBehindTls({ cert: certificate, key });
    const here = await movedTo(origin, { EGRESS_LOOPBACK_ORIGINS: origin }, authority);
    await expectFound(here, cutAt("tls", cause, { dns: "ok dns.resolved" }), [["tls", words]]);
    expect(simulator.counts().routes).toEqual({});
  });

  it.each([
    [90, "ok tls.trusted", /until/],
    [10, "warning tls.ends_soon", /imanage_admin: .*Replace the certificate of the iManage server before/s],
  ] as const)("a certificate of a trusted authority, for %i days more", async (left, finding, words) => {
    const { certificate, key } = issue(authority, { ...HOSTS, until: Date.now() + days(left) });
    const { simulator, origin } = await simulatorBehindTls({ cert: certificate, key });
    const dms = { kind: "on-premises", display_name: "DMS", address: origin, customer_id: "5948" };
    const here = await world({ settings: { EGRESS_LOOPBACK_ORIGINS: origin } });
    const made = await here.client.call<{ server: { id: World["server"]; redirect_uri: string } }>(
      "PUT",
      `/v1/organisations/${here.organisation}/servers/private`,
      {
        ...dms,
        registration: { client_id: "token-broker", client_secret: "sim_secret_token-broker" },
        ca_certificates: authority.certificate,
      },
    );
    const { id } = made.body.server;
    const { registration } = (await here.broker.configuration.findServer(id))!;
    simulator.registrations.patch("token-broker", {
      redirect_urls: [`${here.base}/oauth2/callback/${registration}`],
    });
    await expectFound(
      { client: here.client, server: id },
      { ...WELL_BEFORE_SIGN_IN, dns: "ok dns.resolved", tls: finding },
      [["tls", words]],
    );
  });
});

describe("what only a sign-in shows", () => {
  it("whose customer it is, where nobody entered one", async () => {
    const here = await world({ customerId: undefined });
    await expectFound(here, { ...WELL_BEFORE_SIGN_IN, customer: "not_known customer.not_entered" }, []);
  });

  it("an authorization that ends within two weeks", async () => {
    const here = await world({ serverSettings: { refreshTokenLifeMs: days(10) } });
    await here.connect();
    here.advance(1_000);
    await expectFound(here, { ...WELL, refresh_life: "warning refresh_life.soon" }, [
      ["refresh_life", /organisation_admin: /],
    ]);
  });

  it("an application that iManage sends people back from", async () => {
    const here = await world({ serverSettings: { scope: "billing" } });
    await here.connect().catch(() => {});
    await expectFound(
      here,
      {
        ...WELL_BEFORE_SIGN_IN,
        authorize: "failed authorize.sent_back",
        ...REDIRECT_UNTOLD,
        access: "failed access.refused",
      },
      [["access", /imanage_admin: /]],
    );
  });
});

/** Causes that no server on loopback can bring about, and where they are judged instead: `test/domain/diagnosis.test.ts`. */
const NOT_PROVOKED: Readonly<Record<string, string>> = {
  "reach.timeout": "a packet that is lost: loopback loses none",
  "reach.failed": "a network that has no route: loopback always has one",
};

it("every cause that a diagnosis can name is provoked at a real server, but for those that loopback cannot", () => {
  const told = [
    "./diagnosis.test.ts",
    "./diagnosis-provoked.test.ts",
    "./pkce-check.test.ts",
    "../kit/diagnosing.ts",
  ]
    .map((file) =>
      readFileSync(new URL(file, import.meta.url), "utf8").replace(/const NOT_PROVOKED[^;]+;/, ""),
    )
    .join("\n");
  const provoked = (cause: string) =>
    new RegExp(`"((ok|not_known|warning|failed) )?${cause.replace(".", "\\.")}"`).test(told);
  expect(Object.keys(CAUSES).filter((cause) => !provoked(cause))).toEqual(Object.keys(NOT_PROVOKED));
});

function withChain({ certificate, key }: { certificate: string; key: string }) {
  return { certificate: certificate + authority.certificate, key };
}
