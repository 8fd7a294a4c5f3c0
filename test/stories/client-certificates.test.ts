import { writeFile } from "node:fs/promises";
import { connect as tlsConnect } from "node:tls";
import {
  allowInsecureRequests,
  clientCredentialsGrant,
  customFetch,
  discovery,
  TlsClientAuth,
} from "openid-client";
import { describe, expect, it } from "vitest";
import { type Issued, issue, makeAuthority, makeIntermediate } from "../kit/certificates.ts";
import {
  type Answered,
  agentOf,
  clientAuthority,
  clientCert,
  type MutualTlsWorld,
  mutualTlsWorld,
  type Sent,
  send,
  serverAuthority,
} from "../kit/mutual-tls.ts";
import { Seeded } from "../kit/seeded.ts";
import { AMELIA } from "../kit/world.ts";

const DAY = 86_400_000;
const DN = { by: "subject_dn", value: "CN=matter-tracker" } as const;
const app = (more: Partial<Parameters<typeof issue>[1]> = {}): Issued =>
  issue(clientAuthority, {
    hosts: ["app.example.com"],
    subject: "matter-tracker",
    usage: "clientAuth",
    ...more,
  });

const credentials = ({ credentials: { id } }: MutualTlsWorld) => ({
  grant_type: "client_credentials",
  client_id: id,
});

type Way = "direct" | "behindProxy";
/** With this certificate, by TLS or as a proxy says it. */
const by = (here: MutualTlsWorld, way: Way, as: Issued | undefined, path: string, sent: Sent = {}) =>
  send(
    `${here[way]}${path}`,
    way === "direct"
      ? { ...sent, as }
      : { ...sent, headers: { ...sent.headers, ...(as && { "client-cert": clientCert(as) }) } },
  );
const tokenBy = (here: MutualTlsWorld, way: Way, as: Issued | undefined) =>
  by(here, way, as, "/oauth2/token", { form: credentials(here) });
const bearer = (answered: Answered) => ({ authorization: `Bearer ${String(answered.body.access_token)}` });
const grantsPath = ({ organisation }: MutualTlsWorld) => `/v1/grants?organisation=${organisation}`;
const causes = ({ lines }: MutualTlsWorld) =>
  lines
    .map((line) => JSON.parse(line) as { message?: string; code?: string })
    .filter(({ message }) => message === "client not authenticated")
    .map(({ code }) => code);

describe("a client with a certificate (RFC 8705)", () => {
  it("is served by an OAuth library that knows nothing but our address, and its token opens /v1 and iManage", async () => {
    const here = await mutualTlsWorld();
    await here.connect();
    await here.register(DN);
    const agent = agentOf(app());
    const configuration = await discovery(
      new URL(here.base),
      here.credentials.id,
      { use_mtls_endpoint_aliases: true },
      TlsClientAuth(),
      { algorithm: "oauth2", execute: [allowInsecureRequests] },
    );
    // openid-client leaves it to its user how the certificate gets into the connection.
    configuration[customFetch] = async (url, { body, headers }) => {
      const form = Object.fromEntries(new URLSearchParams(String(body)));
      const answer = await send(url, {
        form,
        headers: Object.fromEntries(new Headers(headers as never)),
        agent,
      });
      return new Response(JSON.stringify(answer.body), {
        status: answer.status,
        headers: { "content-type": "application/json" },
      });
    };
    expect(configuration.serverMetadata()).toMatchObject({
      tls_client_certificate_bound_access_tokens: true,
      mtls_endpoint_aliases: { token_endpoint: `${here.direct}/oauth2/token` },
    });
    expect(configuration.serverMetadata().token_endpoint_auth_methods_supported).toEqual(
      expect.arrayContaining(["tls_client_auth", "self_signed_tls_client_auth"]),
    );
    const { access_token: token } = await clientCredentialsGrant(configuration);
    const vended = await send(`${here.direct}/v1/access-tokens`, {
      agent,
      headers: { authorization: `Bearer ${token}` },
      json: { server: here.server, subject: { type: "user", id: AMELIA.subject } },
    });
    expect(vended.status).toBe(200);
    expect(here.simulator.isAccessTokenLive(String(vended.body.access_token))).toBe(true);
  });

  it.each(["direct", "behindProxy"] as const)(
    "is known %s by its registered name or thumbprint",
    async (way) => {
      const here = await mutualTlsWorld();
      const own = issue("self", { hosts: ["app.example.com"], usage: "clientAuth" });
      await here.register(DN);
      expect((await tokenBy(here, way, app())).status).toBe(200);
      expect((await tokenBy(here, way, own)).status).toBe(401);
      await here.register({ by: "san_dns", value: "app.example.com" });
      expect((await tokenBy(here, way, app())).status).toBe(200);
      const der = Buffer.from(clientCert(own).slice(1, -1), "base64");
      const thumbprint = Buffer.from(await crypto.subtle.digest("SHA-256", der)).toString("base64url");
      await here.register({ by: "thumbprints", values: [thumbprint] });
      expect((await tokenBy(here, way, own)).status).toBe(200);
      expect((await tokenBy(here, way, app())).status).toBe(401);
    },
  );

  it("may send the intermediate along that issued its certificate, by TLS alone", async () => {
    const here = await mutualTlsWorld();
    await here.register(DN);
    const between = makeIntermediate(clientAuthority, "Meridian Apps");
    const as = issue(between, { hosts: [], subject: "matter-tracker" });
    const withChain = { ...as, certificate: `${as.certificate}${between.certificate}` };
    expect((await tokenBy(here, "direct", withChain)).status).toBe(200);
    expect((await tokenBy(here, "direct", as)).status).toBe(401);
    expect((await tokenBy(here, "behindProxy", as)).status).toBe(401);
  });

  it.each(["direct", "behindProxy"] as const)(
    "is refused %s with invalid_client whatever is wrong, and the log says which it was",
    async (way) => {
      const here = await mutualTlsWorld();
      await here.register(DN);
      const now = Date.now();
      const wrong: readonly (readonly [string, Issued])[] = [
        ["certificate_expired", app({ from: now - 2 * DAY, until: now - DAY })],
        ["certificate_not_yet_valid", app({ from: now + DAY, until: now + 2 * DAY })],
        ["certificate_authority_unknown", issue("self", { hosts: [], subject: "matter-tracker" })],
        [
          "certificate_authority_unknown",
          issue(makeAuthority("Meridian Clients"), { hosts: [], subject: "matter-tracker" }),
        ],
        ["certificate_not_for_clients", app({ usage: "serverAuth" })],
        ["certificate_not_registered", app({ subject: "another-app" })],
      ];
      for (const [, as] of wrong) {
        const { status, body } = await tokenBy(here, way, as);
        expect([status, body.error, body.detail]).toEqual([401, "invalid_client", undefined]);
      }
      expect(causes(here)).toEqual(wrong.map(([cause]) => cause));
      const none = await tokenBy(here, way, undefined);
      expect([none.status, none.body.error]).toEqual([401, "invalid_client"]);
      expect(none.body.detail).toMatch(/no client certificate/);
    },
  );

  it("whose client has none registered, is stopped, or does not exist is refused alike", async () => {
    const here = await mutualTlsWorld();
    const answers = [await tokenBy(here, "direct", app())];
    const form = { ...credentials(here), client_id: `cli_${"0".repeat(26)}` };
    answers.push(await by(here, "direct", app(), "/oauth2/token", { form }));
    const [first, second] = answers.map(({ status, body: { request_id: _, ...body } }) => ({ status, body }));
    expect(first).toEqual(second);
    expect(first).toMatchObject({ status: 401, body: { error: "invalid_client" } });
    expect(causes(here)).toEqual(["certificate_none_registered", "certificate_unknown_client"]);
  });

  it("meets the machines' interface alone, and TLS 1.2 at least", async () => {
    const here = await mutualTlsWorld();
    for (const way of ["direct", "behindProxy"] as const)
      for (const path of ["/", "/docs", "/openapi.json", "/operators", "/oauth2/callback/x", "/portal"])
        expect((await by(here, way, app(), path)).status, `${way} ${path}`).toBe(404);
    const { port } = new URL(here.direct);
    const refused = new Promise((resolve) => {
      const socket = tlsConnect({
        port: Number(port),
        host: "localhost",
        ca: serverAuthority.certificate,
        maxVersion: "TLSv1.1",
        minVersion: "TLSv1",
        ciphers: "DEFAULT@SECLEVEL=0",
      });
      socket.on("secureConnect", () => resolve("connected"));
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
    });
    expect(await refused).toMatch(/PROTOCOL_VERSION|ECONNRESET/);
  });
});

describe("a token that was got with a certificate (RFC 8705 §3, T30)", () => {
  it("opens /v1 with that certificate by either way, and with another or none it is of no use anywhere", async () => {
    const here = await mutualTlsWorld();
    await here.register(DN);
    const as = app();
    const stolen = bearer(await tokenBy(here, "direct", as));
    const path = grantsPath(here);
    for (const way of ["direct", "behindProxy"] as const)
      expect((await by(here, way, as, path, { headers: stolen })).status).toBe(200);

    const attempts = [
      () => send(`${here.base}${path}`, { headers: stolen }),
      () => send(`${here.base}${path}`, { headers: { ...stolen, "client-cert": clientCert(as) } }),
      () => by(here, "direct", undefined, path, { headers: stolen }),
      // Of the same name, by the same authority, and registered like it: another key.
      () => by(here, "direct", app(), path, { headers: stolen }),
      () => by(here, "behindProxy", undefined, path, { headers: stolen }),
      () => by(here, "behindProxy", app(), path, { headers: stolen }),
      // With our own certificate and his in the header.
      () => by(here, "direct", app(), path, { headers: { ...stolen, "client-cert": clientCert(as) } }),
    ];
    for (const attempt of attempts) {
      const { status, body } = await attempt();
      expect([status, body.code]).toEqual([401, "invalid_client"]);
    }
    expect(new Set(causes(here))).toEqual(
      new Set(["token_without_its_certificate", "token_of_another_certificate"]),
    );
  });

  it("is bound whatever proof got it, and one that was got without is not", async () => {
    const here = await mutualTlsWorld();
    const { id, secret } = here.credentials;
    const form = { grant_type: "client_credentials", client_id: id, client_secret: secret };
    const as = app();
    const bound = bearer(await by(here, "direct", as, "/oauth2/token", { form }));
    const unbound = bearer(await by(here, "direct", undefined, "/oauth2/token", { form }));
    const path = grantsPath(here);
    expect((await by(here, "direct", as, path, { headers: bound })).status).toBe(200);
    expect((await send(`${here.base}${path}`, { headers: bound })).status).toBe(401);
    expect((await send(`${here.base}${path}`, { headers: unbound })).status).toBe(200);
    expect((await by(here, "direct", as, path, { headers: unbound })).status).toBe(200);
  });

  it("ends with the registration that it was got by", async () => {
    const here = await mutualTlsWorld();
    await here.register(DN);
    const as = app();
    const headers = bearer(await tokenBy(here, "direct", as));
    await here.register({ by: "subject_dn", value: "CN=another" });
    expect((await by(here, "direct", as, grantsPath(here), { headers })).status).toBe(401);
  });
});

describe("Client-Cert (RFC 9440, T07)", () => {
  it("on the public listener, and on that with TLS of its own, is nobody's certificate however it is written", async () => {
    const here = await mutualTlsWorld();
    await here.register(DN);
    const value = clientCert(app());
    const random = new Seeded();
    const names = [
      "client-cert",
      "Client-Cert",
      "CLIENT-CERT",
      "client_cert",
      "Client_Cert",
      "x-client-cert",
      "x-ssl-client-cert",
      "client-cert-chain",
      "x-forwarded-client-cert",
      "ssl-client-cert",
    ];
    const values = [
      value,
      value.slice(1, -1),
      `${value}, ${value}`,
      ` ${value}`,
      `${value};a=1`,
      ":AAAA:",
      "",
    ];
    let accepted = 0;
    for (let i = 0; i < Number(process.env.TEST_HEADER_SPOOFS ?? 60); i++) {
      const headers: Record<string, string | string[]> = {};
      for (let n = random.below(3); n >= 0; n--) {
        const told = random.pick(values);
        headers[random.pick(names)] = random.below(3) === 0 ? [told, random.pick(values)] : told;
      }
      const [at, as] = random.pick([
        [here.base, undefined],
        [here.direct, undefined],
        // With a certificate there is a proof that fails, and after a few of them nobody looks.
        [here.direct, i < 4 ? issue("self", { hosts: ["x"] }) : undefined],
      ] as const);
      const { status } = await send(`${at}/oauth2/token`, { as, headers, form: credentials(here) });
      if (status === 200) accepted++;
      expect([400, 401], JSON.stringify(headers)).toContain(status);
    }
    expect(accepted, `TEST_SEED=${random.seed}`).toBe(0);
  });

  it("counts once, as the RFC writes it, and its chain not at all", async () => {
    const here = await mutualTlsWorld();
    await here.register(DN);
    const told = clientCert(app());
    const post = (headers: Sent["headers"]) =>
      send(`${here.behindProxy}/oauth2/token`, { headers: headers ?? {}, form: credentials(here) });
    expect((await post({ "client-cert": told })).status).toBe(200);
    for (const malformed of [[told, told], told.slice(1), told.slice(0, -1), "::", ":%%:", `${told};q=1`])
      expect(
        (await post({ "client-cert": malformed as string })).status,
        String(malformed).slice(0, 20),
      ).toBe(400);
    expect((await post({ client_cert: told })).status).toBe(400);
    // An authority of the caller's own making, sent along as the way to ours.
    const rogue = makeAuthority("Rogue");
    const forged = issue(rogue, { hosts: [], subject: "matter-tracker" });
    const chain = [rogue, clientAuthority].map(clientCert).join(", ");
    expect((await post({ "client-cert": clientCert(forged), "client-cert-chain": chain })).status).toBe(401);
  });

  it("comes from the operator's proxies: all others are hung up on", async () => {
    const here = await mutualTlsWorld({ proxies: "127.0.0.2/32" });
    await here.register(DN);
    await expect(tokenBy(here, "behindProxy", app())).rejects.toThrow(/hang up|ECONNRESET/);
    expect(here.lines.join("\n")).toMatch(/not_a_proxy/);
  });
});

describe("files that change", () => {
  it("are used from the next connection on, and a connection that an earlier authority let in ends", async () => {
    const here = await mutualTlsWorld();
    await here.register(DN);
    const kept = agentOf(app(), true);
    const token = () => send(`${here.direct}/oauth2/token`, { agent: kept, form: credentials(here) });
    expect((await token()).status).toBe(200);
    const successor = makeAuthority("Meridian Clients 2");
    await writeFile(here.files.authorities, successor.certificate);
    await here.listeners.lookAtFiles();
    expect((await token()).status).toBe(401);
    expect((await tokenBy(here, "behindProxy", app())).status).toBe(401);
    const next = issue(successor, { hosts: [], subject: "matter-tracker" });
    for (const way of ["direct", "behindProxy"] as const)
      expect((await tokenBy(here, way, next)).status).toBe(200);

    const renewed = issue(serverAuthority, { hosts: ["localhost", "renewed.example"] });
    await writeFile(here.files.certificate, renewed.certificate);
    // The key is still the old one: half a change is none.
    await here.listeners.lookAtFiles();
    expect(here.lines.join("\n")).toMatch(/certificates_unusable/);
    expect((await tokenBy(here, "direct", next)).status).toBe(200);
    await writeFile(here.files.key, renewed.key);
    await here.listeners.lookAtFiles();
    const { port } = new URL(here.direct);
    const names = await new Promise((resolve, reject) => {
      const socket = tlsConnect(
        { port: Number(port), host: "localhost", ca: serverAuthority.certificate },
        () => {
          resolve(socket.getPeerCertificate().subjectaltname);
          socket.destroy();
        },
      );
      socket.on("error", reject);
    });
    expect(names).toMatch(/renewed\.example/);
    kept.destroy();
  });
});
