import { createHash } from "node:crypto";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { Secret } from "../../src/domain/secret.ts";
import { type Simulator, startSimulator } from "../../src/simulator/start-simulator.ts";
import { clientsOf, credentials, serverAt } from "./kit.ts";

const REDIRECT = "http://127.0.0.1:3000/callback";
const VERIFIER = new Secret("v".repeat(43));

let simulator: Simulator;
let clients: ReturnType<typeof clientsOf>;

beforeEach(async () => {
  simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  clients = clientsOf(simulator.origin);
});

const tokensOf = (user: string) => {
  const { access_token, refresh_token } = simulator.issueTokens({ client_id: "token-broker", user });
  return { accessToken: new Secret(access_token), refreshToken: new Secret(refresh_token ?? "") };
};

/** A browser that types the password. Returns where iManage sends it back to. */
async function signIn(url: string, username = "amelia.hart", password = "hart"): Promise<URL> {
  const target = new URL(url);
  const response = await fetch(target, {
    method: "POST",
    redirect: "manual",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ ...Object.fromEntries(target.searchParams), username, password }),
  });
  return new URL(response.headers.get("location") ?? "", "http://none.invalid");
}

const authorizationUrl = (codeVerifier = VERIFIER) =>
  clients.authorizationServer.authorizationUrl({
    server: clients.server,
    clientId: "token-broker",
    redirectUri: REDIRECT,
    state: new Secret("state-1"),
    codeVerifier,
    loginHint: "amelia.hart@hartlowell.example",
  });

const redeem = (code: string, change: { codeVerifier?: Secret; secrets?: string[]; issuer?: string } = {}) =>
  clients.authorizationServer.redeemCode({
    server: clients.server,
    credentials: credentials(...(change.secrets ?? [])),
    redirectUri: REDIRECT,
    code: new Secret(code),
    codeVerifier: change.codeVerifier ?? VERIFIER,
    issuer: change.issuer,
  });

test("T04 the authorization URL carries code, state, scope, login_hint and an S256 challenge, and never the verifier", async () => {
  const url = new URL(await authorizationUrl());
  expect(`${url.origin}${url.pathname}`).toBe(`${simulator.origin}/auth/oauth2/authorize`);
  expect(Object.fromEntries(url.searchParams)).toEqual({
    response_type: "code",
    client_id: "token-broker",
    redirect_uri: REDIRECT,
    scope: "user",
    state: "state-1",
    code_challenge: createHash("sha256").update(VERIFIER.reveal()).digest("base64url"),
    code_challenge_method: "S256",
    login_hint: "amelia.hart@hartlowell.example",
  });
});

test("T04 a code is redeemed with its own verifier, and refused with another's", async () => {
  simulator.setSwitches({ pkce: "enforced" });
  const code = (await signIn(await authorizationUrl())).searchParams.get("code") ?? "";
  const other = new Secret("w".repeat(43));
  expect(await redeem(code, { codeVerifier: other })).toMatchObject({
    kind: "refused",
    refusal: "invalid_grant",
  });

  const second = (await signIn(await authorizationUrl())).searchParams.get("code") ?? "";
  const outcome = await redeem(second);
  expect(outcome).toMatchObject({ kind: "answered", salvaged: false });
  if (outcome.kind !== "answered") throw new Error("unreachable");
  expect(simulator.isRefreshTokenLive(outcome.answer.refreshToken?.reveal() ?? "")).toBe(true);
  expect(outcome.answer.accessTokenLifeMs).toBe(30 * 60_000);
});

test("a code that outlived Work Token Grant Expiry is told apart as forbidden", async () => {
  const code = (await signIn(await authorizationUrl())).searchParams.get("code") ?? "";
  simulator.advance(31_000);
  expect(await redeem(code)).toMatchObject({ kind: "refused", refusal: "forbidden", status: 403 });
});

test("a code is redeemed with the second live secret when the first is refused, and is not spent by the refusal", async () => {
  const code = (await signIn(await authorizationUrl())).searchParams.get("code") ?? "";
  const outcome = await redeem(code, { secrets: ["not-yet-known-there", "sim_secret_token-broker"] });
  expect(outcome.kind).toBe("answered");
  expect(simulator.counts().grant_types.authorization_code).toBe(2);
});

test("a code is not sent a second time when a bare 401 leaves open whether it was looked at", async () => {
  simulator.setSwitches({ error_shape: "empty" });
  const code = (await signIn(await authorizationUrl())).searchParams.get("code") ?? "";
  const outcome = await redeem(code, { secrets: ["wrong", "sim_secret_token-broker"] });
  expect(outcome).toMatchObject({ kind: "refused", refusal: "invalid_client" });
  expect(simulator.counts().grant_types.authorization_code).toBe(1);
});

test("T01 a code that another issuer vouches for is not sent anywhere", async () => {
  const outcome = await redeem("some-code", { issuer: "https://another-server.example" });
  expect(outcome).toEqual({ kind: "not_sent", reason: "issuer_mismatch" });
  expect(simulator.requests()).toEqual([]);
});

test("a refresh brings new tokens, and with the second secret while the first is not known yet", async () => {
  const { refreshToken } = tokensOf("amelia.hart");
  const outcome = await clients.authorizationServer.refresh({
    server: clients.server,
    credentials: credentials("new-secret", "sim_secret_token-broker"),
    refreshToken,
  });
  expect(outcome).toMatchObject({ kind: "answered", salvaged: false });
  if (outcome.kind !== "answered") throw new Error("unreachable");
  expect(simulator.isRefreshTokenLive(outcome.answer.refreshToken?.reveal() ?? "")).toBe(true);
  expect(simulator.isAccessTokenLive(outcome.answer.accessToken?.reveal() ?? "")).toBe(true);
});

test("a refresh without client credentials, where the server's record says so, sends none", async () => {
  simulator.setSwitches({ refresh_client_authentication: "optional" });
  const { refreshToken } = tokensOf("amelia.hart");
  const outcome = await clients.authorizationServer.refresh({
    server: serverAt(simulator.origin, { settings: { refreshClientAuthentication: "omit" } }),
    credentials: credentials("a secret that would be refused"),
    refreshToken,
  });
  expect(outcome.kind).toBe("answered");
});

test("HTTP Basic is used where the server's record says so", async () => {
  simulator.setSwitches({ client_authentication: "basic" });
  const { refreshToken } = tokensOf("amelia.hart");
  const outcome = await clients.authorizationServer.refresh({
    server: serverAt(simulator.origin, { settings: { clientAuthentication: "client_secret_basic" } }),
    credentials: credentials(),
    refreshToken,
  });
  expect(outcome.kind).toBe("answered");
});

test.each([
  ["strict", "rotated"],
  ["rotate", "rotated"],
  ["leeway", "rotated"],
  ["same", "same"],
  ["none", "none"],
] as const)("F10 refresh mode %s: the answer's refresh token is %s", async (refresh_mode, expected) => {
  simulator.setSwitches({ refresh_mode });
  const { refreshToken } = tokensOf("amelia.hart");
  const outcome = await clients.authorizationServer.refresh({
    server: clients.server,
    credentials: credentials(),
    refreshToken,
  });
  if (outcome.kind !== "answered") throw new Error(outcome.kind);
  const came = outcome.answer.refreshToken?.reveal();
  expect(came === undefined ? "none" : came === refreshToken.reveal() ? "same" : "rotated").toBe(expected);
});

test.each(["rfc6749", "imanage"] as const)(
  "a dead refresh token is invalid_grant in the %s shape",
  async (error_shape) => {
    simulator.setSwitches({ error_shape });
    const { refreshToken } = tokensOf("amelia.hart");
    simulator.endFamilies();
    expect(
      await clients.authorizationServer.refresh({
        server: clients.server,
        credentials: credentials(),
        refreshToken,
      }),
    ).toMatchObject({ kind: "refused", refusal: "invalid_grant", status: 400 });
  },
);

test.each(["html", "empty"] as const)(
  "F03 a refusal without a code (%s) never counts against a grant",
  async (error_shape) => {
    simulator.setSwitches({ error_shape });
    const { refreshToken } = tokensOf("amelia.hart");
    simulator.endFamilies();
    expect(
      await clients.authorizationServer.refresh({
        server: clients.server,
        credentials: credentials(),
        refreshToken,
      }),
    ).toMatchObject({ kind: "refused", refusal: "upstream", status: 400 });
  },
);

test("F01 a connection reset before or after the server acted is an unknown outcome, since bytes had left", async () => {
  for (const when of ["drop_before", "drop_after"] as const) {
    const { refreshToken } = tokensOf("amelia.hart");
    simulator.addFault({ on: { route: "token" }, do: { [when]: "reset" } });
    const outcome = await clients.authorizationServer.refresh({
      server: clients.server,
      credentials: credentials(),
      refreshToken,
    });
    expect(outcome).toMatchObject({ kind: "unknown" });
  }
});

test("F02 a rotated token in a body that was cut behind it is kept", async () => {
  const { refreshToken } = tokensOf("amelia.hart");
  const whole = JSON.stringify({ refresh_token: "{{refresh_token}}", access_token: "{{access_token}}" });
  simulator.addFault({
    on: { route: "token" },
    do: { answer: { status: 201, body: whole }, cut_body_after_bytes: 90 },
  });
  const outcome = await clients.authorizationServer.refresh({
    server: clients.server,
    credentials: credentials(),
    refreshToken,
  });
  expect(outcome).toMatchObject({ kind: "answered", salvaged: true });
  if (outcome.kind !== "answered") throw new Error("unreachable");
  expect(simulator.isRefreshTokenLive(outcome.answer.refreshToken?.reveal() ?? "")).toBe(true);
  expect(outcome.answer.accessToken).toBeUndefined();
});

test("revoking ends the access token by the form field access_token", async () => {
  const { accessToken } = tokensOf("amelia.hart");
  const revoke = (token: Secret, secret?: string) =>
    clients.authorizationServer.revoke({
      server: clients.server,
      credentials: secret === undefined ? credentials() : credentials(secret),
      token,
    });
  expect(await revoke(accessToken, "wrong")).toMatchObject({ failed: expect.any(String) });
  expect(simulator.isAccessTokenLive(accessToken.reveal())).toBe(true);
  expect(await revoke(accessToken)).toBe("revoked");
  expect(simulator.isAccessTokenLive(accessToken.reveal())).toBe(false);
});

test("T10 whoAmI tells the customer, the user and the API root", async () => {
  const { accessToken } = tokensOf("s.castellan");
  expect(await clients.api.whoAmI(clients.server, accessToken)).toEqual({
    kind: "ok",
    value: {
      user: {
        customerId: "6021",
        userId: "s.castellan",
        name: "Simone Castellan",
        email: "s.castellan@brightwater.example",
      },
      apiRoot: `${simulator.origin}/work/api/v2`,
      dmsVersion: "10.2.3812",
    },
  });
});

test.each(["200", "401"] as const)(
  "a dead token is unauthorized also where GET /api answers it %s",
  async (shape) => {
    simulator.setSwitches({ unauthenticated_discovery: shape });
    expect(await clients.api.whoAmI(clients.server, new Secret("dead"))).toEqual({ kind: "unauthorized" });
  },
);

test("libraries are listed with what the user administers by role and by group", async () => {
  const { accessToken } = tokensOf("b.okafor");
  const user = { customerId: "5948", userId: "b.okafor", name: undefined, email: undefined };
  expect(await clients.api.listLibraries(clients.server, user, accessToken)).toEqual({
    kind: "ok",
    value: [
      {
        id: "ACTIVE",
        displayName: "Active matters",
        hidden: false,
        kind: "ordinary",
        adminByOperations: true,
        adminByGroup: true,
      },
      {
        id: "LITIGATION",
        displayName: "Litigation",
        hidden: false,
        kind: "ordinary",
        adminByOperations: false,
        adminByGroup: true,
      },
      {
        id: "TEMPLATES",
        displayName: "Templates",
        hidden: true,
        kind: "ordinary",
        adminByOperations: false,
        adminByGroup: false,
      },
    ],
  });
});

test("a token that dies while libraries are read makes the whole answer unauthorized, not a shorter list", async () => {
  const { accessToken } = tokensOf("b.okafor");
  const user = { customerId: "5948", userId: "b.okafor", name: undefined, email: undefined };
  simulator.addFault({
    on: { route: "any", library: "LITIGATION" },
    do: { answer: { status: 401, body: "" } },
  });
  expect(await clients.api.listLibraries(clients.server, user, accessToken)).toEqual({
    kind: "unauthorized",
  });
});

test("documents are paged by cursor inside a window of edit dates, each once", async () => {
  const { accessToken } = tokensOf("amelia.hart");
  const from = Date.parse("2026-09-01T08:00:00.000Z");
  const to = from + 7 * 3_600_000 * 9;
  const ids: string[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    const page = await clients.documents.listDocuments(clients.server, accessToken, {
      customerId: "5948",
      library: "ACTIVE",
      editedFrom: from,
      editedTo: to,
      cursor,
      limit: 4,
    });
    if (page.kind !== "ok") throw new Error(page.kind);
    expect(page.value.unreadable).toBe(0);
    ids.push(...page.value.documents.map(({ id }) => id));
    cursor = page.value.next;
    pages++;
  } while (cursor !== undefined);
  expect(ids).toEqual(Array.from({ length: 10 }, (_, index) => `ACTIVE!${1001 + index}.1`));
  expect(pages).toBe(3);
});

test("a document carries its dates as instants and its people and workspace as iManage names them", async () => {
  const { accessToken } = tokensOf("amelia.hart");
  const page = await clients.documents.listDocuments(clients.server, accessToken, {
    customerId: "5948",
    library: "ACTIVE",
    editedFrom: undefined,
    editedTo: undefined,
    cursor: undefined,
    limit: 1,
  });
  if (page.kind !== "ok") throw new Error(page.kind);
  expect(page.value.documents[0]).toMatchObject({
    id: "ACTIVE!1001.1",
    number: 1001,
    version: 1,
    editedAt: Date.parse("2026-09-01T08:00:00.000Z"),
    lastUser: "AMELIA.HART",
    workspaceId: "ACTIVE!11",
  });
});

test.each([
  ["another customer's libraries", { customerId: "6021", library: "BW_ACTIVE" }, { kind: "forbidden" }],
  [
    "an unknown library",
    { customerId: "5948", library: "NONE" },
    { kind: "unavailable", reason: "status_404" },
  ],
] as const)("%s: the refusal is a value", async (_title, where, expected) => {
  const { accessToken } = tokensOf("amelia.hart");
  expect(
    await clients.documents.listDocuments(clients.server, accessToken, {
      ...where,
      editedFrom: undefined,
      editedTo: undefined,
      cursor: undefined,
      limit: 10,
    }),
  ).toEqual(expected);
});

test.each(["x-ratelimit-retryafter", "retry-after", "retry-after-date"] as const)(
  "F07 a throttled API call says how long, by %s",
  async (header) => {
    const { accessToken } = tokensOf("amelia.hart");
    simulator.setSwitches({ rate_limit: { requests: 1, window_seconds: 40, header } });
    const ask = () =>
      clients.documents.listDocuments(clients.server, accessToken, {
        customerId: "5948",
        library: "ACTIVE",
        editedFrom: undefined,
        editedTo: undefined,
        cursor: undefined,
        limit: 1,
      });
    await ask();
    const answer = await ask();
    if (answer.kind !== "throttled") throw new Error(answer.kind);
    expect(answer.retryAfterMs).toBeGreaterThan(37_000);
    expect(answer.retryAfterMs).toBeLessThanOrEqual(41_000);
  },
);

test("T12 T19 no metadata is ever looked for, and no token, code or secret is ever in a URL", async () => {
  const code = (await signIn(await authorizationUrl())).searchParams.get("code") ?? "";
  await redeem(code);
  const { accessToken, refreshToken } = tokensOf("amelia.hart");
  await clients.authorizationServer.refresh({
    server: clients.server,
    credentials: credentials(),
    refreshToken,
  });
  await clients.api.whoAmI(clients.server, accessToken);
  await clients.authorizationServer.revoke({
    server: clients.server,
    credentials: credentials(),
    token: accessToken,
  });

  const urls = simulator.requests().map(({ url }) => url);
  // Behind the browser's own visit.
  expect(urls.slice(1)).toEqual([
    "/auth/oauth2/token",
    "/auth/oauth2/token",
    "/api",
    "/auth/oauth2/revoke-token",
  ]);
  expect(urls.join("\n")).not.toMatch(/well-known|sim_(at|rt|code|secret)_/);
});
