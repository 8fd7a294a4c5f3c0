import { expect, test } from "vitest";
import { Secret } from "../../src/domain/secret.ts";
import { clientsOf, credentials, json, startListener, startServer } from "./kit.ts";

/** What a lying server says of where its endpoints are, given its own origin and one that it wants our secrets sent to. */
type Lie = (own: string, elsewhere: string) => Readonly<Record<string, unknown>>;

const LIES: readonly [string, Lie][] = [
  ["another issuer", (_, to) => ({ issuer: to })],
  ["its own issuer with a slash", (own) => ({ issuer: `${own}/` })],
  ["its own issuer in capitals", (own) => ({ issuer: own.toUpperCase() })],
  ["another token endpoint", (own, to) => ({ issuer: own, token_endpoint: `${to}/token` })],
  [
    "a token endpoint behind user information",
    (own, to) => ({ issuer: own, token_endpoint: own.replace("//", `//${new URL(to).host}@`) }),
  ],
  [
    "a token endpoint on another port",
    (own, to) => ({ issuer: own, token_endpoint: own.replace(/\d+$/, new URL(to).port) }),
  ],
  [
    "another authorization endpoint",
    (own, to) => ({ issuer: own, authorization_endpoint: `${to}/authorize` }),
  ],
  ["another revocation endpoint", (own, to) => ({ issuer: own, revocation_endpoint: `${to}/revoke` })],
  ["keys elsewhere", (own, to) => ({ issuer: own, jwks_uri: `${to}/jwks` })],
  [
    "another issuer's mTLS aliases",
    (own, to) => ({ issuer: own, mtls_endpoint_aliases: { token_endpoint: `${to}/token` } }),
  ],
  ["no scheme", (_, to) => ({ token_endpoint: to.replace("http:", "") })],
  ["an endpoint on instance metadata", () => ({ token_endpoint: "http://169.254.169.254/latest" })],
];

test.each(LIES)("T12 metadata that lies is never asked for, and moves nothing: %s", async (_title, lie) => {
  const canary = await startListener();
  const elsewhere = `http://127.0.0.1:${canary.port}`;
  const { origin, seen } = await startServer(({ url }, _req, res) => {
    const metadata = lie(origin, elsewhere);
    const root = (metadata.token_endpoint ?? `${elsewhere}/work/api/v2`) as string;
    // Wherever metadata is looked for, and beside every other answer.
    const body = url.startsWith("/api")
      ? {
          data: {
            auth_status: "authenticated",
            user: { id: "u", name: "U", email: "u@firm.example", customer_id: 1 },
            versions: [{ name: "v2", url: root }],
            ...metadata,
          },
        }
      : { ...metadata, data: [], error: "invalid_grant" };
    res
      .writeHead(200, { link: `<${elsewhere}>; rel="issuer"`, "content-location": elsewhere })
      .end(json(body));
  });
  const { authorizationServer, api, server } = clientsOf(origin);
  const call = { server, credentials: credentials() };
  const secret = new Secret("canary");
  const code = {
    code: secret,
    codeVerifier: secret,
    redirectUri: "https://broker.example/cb",
    issuer: undefined,
  };
  for (let i = 0; i < 2; i++) {
    expect(await authorizationServer.refresh({ ...call, refreshToken: secret })).toMatchObject({
      kind: "refused",
    });
    expect(await authorizationServer.redeemCode({ ...call, ...code })).toMatchObject({ kind: "refused" });
    await authorizationServer.revoke({ ...call, token: secret });
    await api.whoAmI(server, secret);
    await api.listLibraries(
      server,
      { customerId: "1", userId: "u", name: "U", email: "u@firm.example" },
      secret,
    );
  }
  expect([...new Set(seen.map(({ method, url }) => `${method} ${url}`))]).toEqual([
    "POST /auth/oauth2/token",
    "POST /auth/oauth2/revoke-token",
    "GET /api",
    "GET /work/api/v2/customers/1/libraries",
  ]);
  expect(canary.counts).toEqual({ connections: 0, bytes: 0 });
});

const LOCATIONS: readonly [string, (port: number) => string][] = [
  ["http", (port) => `http://127.0.0.1:${port}/token`],
  ["https", (port) => `https://127.0.0.1:${port}/token`],
  ["no scheme", (port) => `//127.0.0.1:${port}/token`],
  ["a name", (port) => `http://localhost:${port}/token`],
  ["user information", (port) => `http://user:pass@127.0.0.1:${port}/token`],
];

test.each([301, 302, 303, 307, 308])(
  "T14 a %i to a canary is not followed by any call: not one byte of what was sent",
  async (status) => {
    const canary = await startListener();
    for (const [, to] of LOCATIONS) {
      const { origin, seen } = await startServer((_seen, _req, res) =>
        res.writeHead(status, { location: to(canary.port), refresh: `0; url=${to(canary.port)}` }).end(),
      );
      const { authorizationServer, api, server } = clientsOf(origin);
      const call = { server, credentials: credentials() };
      const secret = new Secret("canary");
      const code = {
        code: secret,
        codeVerifier: secret,
        redirectUri: "https://broker.example/cb",
        issuer: undefined,
      };
      expect(await authorizationServer.refresh({ ...call, refreshToken: secret })).toMatchObject({
        kind: "refused",
        refusal: "upstream",
      });
      expect(await authorizationServer.redeemCode({ ...call, ...code })).toMatchObject({ kind: "refused" });
      expect(await authorizationServer.revoke({ ...call, token: secret })).toMatchObject({
        failed: expect.any(String),
      });
      expect(await api.whoAmI(server, secret)).toMatchObject({ kind: "unavailable" });
      expect(seen).toHaveLength(4);
    }
    expect(canary.counts).toEqual({ connections: 0, bytes: 0 });
  },
);
