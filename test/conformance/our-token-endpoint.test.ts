import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  clientCredentialsGrant,
  discovery,
  genericGrantRequest,
  ResponseBodyError,
} from "openid-client";
import { describe, expect, it } from "vitest";
import { AMELIA, type World, world } from "../kit/world.ts";

/**
 * Our token endpoint seen from the other side: by a client library that nobody here wrote, and clause by clause of the
 * RFCs it is made from.
 */
const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const USER = "urn:imanage-token-broker:token-type:user";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

/** What any OAuth library does first: reads our metadata (RFC 8414). */
const discovered = (
  { base, credentials }: World,
  by: (secret: string) => ClientAuth,
): Promise<Configuration> =>
  discovery(new URL(base), credentials.id, undefined, by(credentials.secret), {
    algorithm: "oauth2",
    execute: [allowInsecureRequests],
  });

const exchangeOf = ({ server }: World, change: Record<string, string> = {}): Record<string, string> => ({
  subject_token: AMELIA.subject,
  subject_token_type: USER,
  audience: server,
  ...change,
});

describe("an OAuth library that knows nothing but our address", () => {
  it.each([
    ["client_secret_basic", ClientSecretBasic],
    ["client_secret_post", ClientSecretPost],
  ])("gets a broker token by client_credentials with %s, and it opens /v1", async (_, by) => {
    const here = await world();
    const answer = await clientCredentialsGrant(await discovered(here, by));
    expect(answer).toMatchObject({ token_type: "bearer", expires_in: 300 });

    const grants = await fetch(`${here.base}/v1/grants?organisation=${here.organisation}`, {
      headers: { authorization: `Bearer ${answer.access_token}` },
    });
    expect(grants.status).toBe(200);
  });

  it.each([
    ["client_secret_basic", ClientSecretBasic],
    ["client_secret_post", ClientSecretPost],
  ])("exchanges a user's id for an iManage token with %s, and the token opens iManage", async (_, by) => {
    const here = await world();
    await here.connect();
    const answer = await genericGrantRequest(await discovered(here, by), TOKEN_EXCHANGE, exchangeOf(here));
    expect(answer).toMatchObject({
      token_type: "bearer",
      issued_token_type: ACCESS_TOKEN,
      header: "X-Auth-Token",
    });
    expect(here.simulator.isAccessTokenLive(answer.access_token)).toBe(true);
    // Libraries (Authlib, requests-oauthlib) keep seconds under this name, and read what stands there as such.
    expect(answer).toMatchObject({ expires_in: expect.any(Number) });
    expect(answer).not.toHaveProperty("expires_at");
  });

  it("is told in RFC 6749's words that a person must authorise first", async () => {
    const here = await world();
    const refused = genericGrantRequest(
      await discovered(here, ClientSecretBasic),
      TOKEN_EXCHANGE,
      exchangeOf(here),
    );
    const error = await refused.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ResponseBodyError);
    expect(error).toMatchObject({ error: "invalid_grant", status: 400 });
  });
});

interface Sent {
  readonly headers?: Record<string, string>;
  readonly body?: string | URLSearchParams;
  readonly method?: string;
}

async function post({ base }: World, { method = "POST", ...sent }: Sent) {
  const response = await fetch(`${base}/oauth2/token`, { method, ...sent });
  return { response, body: (await response.json()) as Record<string, unknown> };
}

const basic = ({ credentials: { id, secret } }: World, wrong = ""): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}${wrong}`).toString("base64")}`,
});
const form = (members: Record<string, string>): URLSearchParams => new URLSearchParams(members);
const CLIENT_CREDENTIALS = { grant_type: "client_credentials" };
const exchangeForm = (here: World, change: Record<string, string> = {}) =>
  form({ grant_type: TOKEN_EXCHANGE, ...exchangeOf(here, change) });

describe("RFC 8414, metadata", () => {
  it("§3: lies at the well-known address, names itself as issuer, and is what §2 wants", async () => {
    const { base } = await world();
    const response = await fetch(`${base}/.well-known/oauth-authorization-server`);
    expect(response.headers.get("content-type")).toMatch(/^application\/json/);
    const metadata = (await response.json()) as Record<string, unknown>;
    expect(metadata).toMatchObject({
      issuer: base,
      token_endpoint: `${base}/oauth2/token`,
      response_types_supported: [],
      token_endpoint_auth_methods_supported: ["private_key_jwt", "client_secret_basic", "client_secret_post"],
      token_endpoint_auth_signing_alg_values_supported: [
        "ES256",
        "ES384",
        "PS256",
        "RS256",
        "EdDSA",
        "Ed25519",
      ],
      grant_types_supported: ["client_credentials", TOKEN_EXCHANGE],
    });
    // Nothing is announced that is not there.
    expect(Object.keys(metadata).filter((name) => name.endsWith("_endpoint"))).toEqual(["token_endpoint"]);
  });
});

describe("RFC 6749 §2.3.1, client password", () => {
  it("takes both halves form-encoded, as the RFC has it", async () => {
    const here = await world();
    const { id, secret } = here.credentials;
    const percent = (text: string) =>
      text.replaceAll(/[^A-Za-z0-9]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
    const authorization = `Basic ${Buffer.from(`${percent(id)}:${percent(secret)}`).toString("base64")}`;
    const { response } = await post(here, { headers: { authorization }, body: form(CLIENT_CREDENTIALS) });
    expect(response.status).toBe(200);
  });

  it.each([
    ["scheme in lower case", (text: string) => text.replace("Basic", "basic")],
    ["scheme in capitals", (text: string) => text.replace("Basic", "BASIC")],
  ])("takes the %s (RFC 9110 §11.1)", async (_, change) => {
    const here = await world();
    const { response } = await post(here, {
      headers: { authorization: change(basic(here).authorization!) },
      body: form(CLIENT_CREDENTIALS),
    });
    expect(response.status).toBe(200);
  });

  it("§2.3: refuses two methods at once", async () => {
    const here = await world();
    const { id, secret } = here.credentials;
    for (const authorization of [basic(here).authorization!, "Basic !", "Bearer imb_at_x"]) {
      const { response, body } = await post(here, {
        headers: { authorization },
        body: form({ ...CLIENT_CREDENTIALS, client_id: id, client_secret: secret }),
      });
      expect([response.status, body.error]).toEqual([400, "invalid_request"]);
    }
  });

  it("refuses a client_id beside Basic that names someone else, and takes the same one", async () => {
    const here = await world();
    const answers = await Promise.all(
      [here.credentials.id, "cli_someone_else"].map((client_id) =>
        post(here, { headers: basic(here), body: form({ ...CLIENT_CREDENTIALS, client_id }) }),
      ),
    );
    expect(answers.map(({ response }) => response.status)).toEqual([200, 400]);
    expect(answers[1]!.body.error).toBe("invalid_request");
  });
});

describe("RFC 6749 §3.2, the token endpoint", () => {
  it("takes POST alone", async () => {
    const here = await world();
    const { id, secret } = here.credentials;
    const response = await fetch(
      `${here.base}/oauth2/token?${form({ ...CLIENT_CREDENTIALS, client_id: id, client_secret: secret })}`,
    );
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
    expect(((await response.json()) as { error: string }).error).toBe("invalid_request");
  });

  it("never reads credentials from the address", async () => {
    const here = await world();
    const { id, secret } = here.credentials;
    const response = await fetch(
      `${here.base}/oauth2/token?${form({ client_id: id, client_secret: secret })}`,
      {
        method: "POST",
        body: form(CLIENT_CREDENTIALS),
      },
    );
    expect(response.status).toBe(401);
  });

  it("takes a parameter without a value for left out", async () => {
    const here = await world();
    const { response } = await post(here, {
      headers: basic(here),
      body: form({ ...CLIENT_CREDENTIALS, client_id: "", client_secret: "", scope: "" }),
    });
    expect(response.status).toBe(200);
  });

  it("ignores a parameter that it does not know", async () => {
    const here = await world();
    const { response } = await post(here, {
      headers: basic(here),
      body: form({ ...CLIENT_CREDENTIALS, some_vendors_own: "x" }),
    });
    expect(response.status).toBe(200);
  });

  it.each(["grant_type", "client_id", "scope"])("refuses %s twice", async (name) => {
    const here = await world();
    const members = form(CLIENT_CREDENTIALS);
    for (const value of ["client_credentials", "client_credentials"]) members.append(name, value);
    const { response, body } = await post(here, { headers: basic(here), body: members });
    expect([response.status, body.error]).toEqual([400, "invalid_request"]);
  });
});

describe("RFC 6749 §5.1, an answer with a token", () => {
  it.each(["client_credentials", TOKEN_EXCHANGE])(
    "to %s is JSON that nobody may store",
    async (grantType) => {
      const here = await world();
      if (grantType === TOKEN_EXCHANGE) await here.connect();
      const { response, body } = await post(here, {
        headers: basic(here),
        body: grantType === TOKEN_EXCHANGE ? exchangeForm(here) : form(CLIENT_CREDENTIALS),
      });
      expect(response.status).toBe(200);
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect(response.headers.get("pragma")).toBe("no-cache");
      expect(response.headers.get("content-type")).toMatch(/^application\/json/);
      expect(body).toMatchObject({ access_token: expect.any(String), token_type: "Bearer" });
      expect(body.expires_in).toSatisfy((seconds: number) => Number.isInteger(seconds) && seconds > 0);
      expect(body).not.toHaveProperty("refresh_token");
    },
  );
});

describe("RFC 6749 §5.2, a refusal", () => {
  it.each<[string, (here: World) => Sent, number, string]>([
    ["no credentials", () => ({ body: form(CLIENT_CREDENTIALS) }), 401, "invalid_client"],
    [
      "a wrong secret",
      (here) => ({ headers: basic(here, "x"), body: form(CLIENT_CREDENTIALS) }),
      401,
      "invalid_client",
    ],
    [
      "an unknown client",
      () => ({ body: form({ ...CLIENT_CREDENTIALS, client_id: "cli_nobody", client_secret: "imb_sk_no" }) }),
      401,
      "invalid_client",
    ],
    [
      "no grant_type",
      (here) => ({ headers: basic(here), body: form({ scope: "x" }) }),
      400,
      "invalid_request",
    ],
    [
      "an empty grant_type",
      (here) => ({ headers: basic(here), body: "grant_type=" }),
      400,
      "invalid_request",
    ],
    [
      "a grant type that is not offered",
      (here) => ({
        headers: basic(here),
        body: form({ grant_type: "password", username: "a", password: "b" }),
      }),
      400,
      "unsupported_grant_type",
    ],
    [
      "a body that is no form",
      (here) => ({
        headers: { ...basic(here), "content-type": "application/json" },
        body: JSON.stringify(CLIENT_CREDENTIALS),
      }),
      400,
      "invalid_request",
    ],
  ])("of %s", async (_, sent, status, error) => {
    const here = await world();
    const { response, body } = await post(here, sent(here));
    expect([response.status, body.error]).toEqual([status, error]);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("pragma")).toBe("no-cache");
    expect(response.headers.get("content-type")).toMatch(/^application\/json/);
    // §5.2: these two may not hold what is outside of %x20-21 / %x23-5B / %x5D-7E.
    expect(body.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
    expect(new URL(String(body.error_uri)).origin).toBe(here.base);
    // A 401 says how to authenticate; nothing else does.
    expect(response.headers.get("www-authenticate")).toBe(
      status === 401 ? 'Basic realm="token broker", charset="UTF-8"' : null,
    );
  });
});

describe("RFC 8693, token exchange", () => {
  it.each<[string, Record<string, string>, string]>([
    ["§2.1 without subject_token", { subject_token: "" }, "invalid_request"],
    ["§2.1 without subject_token_type", { subject_token_type: "" }, "invalid_request"],
    [
      "§2.2.2 with a type of subject token that is not known",
      { subject_token_type: ACCESS_TOKEN },
      "invalid_request",
    ],
    [
      "§2.1 that wants another type of token",
      { requested_token_type: "urn:ietf:params:oauth:token-type:refresh_token" },
      "invalid_request",
    ],
    ["§2.2.2 for an audience that is not known", { audience: "srv_nobody" }, "invalid_target"],
    ["§2.2.2 for an address as audience", { audience: "https://cloudimanage.com" }, "invalid_target"],
    ["§2.2.2 for a resource", { resource: "https://cloudimanage.com/api" }, "invalid_target"],
    ["§1.1 in the name of an actor", { actor_token: "x", actor_token_type: ACCESS_TOKEN }, "invalid_request"],
  ])("%s is refused", async (_, change, error) => {
    const here = await world();
    await here.connect();
    const { response, body } = await post(here, { headers: basic(here), body: exchangeForm(here, change) });
    expect([response.status, body.error]).toEqual([400, error]);
    expect(body).not.toHaveProperty("access_token");
  });

  it("§2.1 for two audiences is refused: a token opens one server", async () => {
    const here = await world();
    await here.connect();
    const members = exchangeForm(here);
    members.append("audience", here.server);
    const { response, body } = await post(here, { headers: basic(here), body: members });
    expect([response.status, body.error]).toEqual([400, "invalid_target"]);
  });

  it("§2.2.1 names the type of what was issued, and takes it as the wish", async () => {
    const here = await world();
    await here.connect();
    const { response, body } = await post(here, {
      headers: basic(here),
      body: exchangeForm(here, { requested_token_type: ACCESS_TOKEN, scope: "user" }),
    });
    expect(response.status).toBe(200);
    expect(body).toMatchObject({ issued_token_type: ACCESS_TOKEN, token_type: "Bearer" });
  });
});

describe("RFC 6750 §3, a refusal under /v1", () => {
  it.each<[string, Record<string, string>, string]>([
    ["nothing", {}, 'Bearer realm="token broker"'],
    [
      "a token that is none",
      { authorization: "Bearer imb_at_no" },
      'Bearer realm="token broker", error="invalid_token"',
    ],
    ["a wrong secret", { authorization: "Basic Y2xpX3g6eA==" }, 'Bearer realm="token broker"'],
  ])("to %s says that both ways are open", async (_, headers, bearer) => {
    const here = await world();
    const response = await fetch(`${here.base}/v1/libraries?server=${here.server}`, { headers });
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(
      `${bearer}, Basic realm="token broker", charset="UTF-8"`,
    );
    expect(response.headers.get("cache-control")).toBe("no-store");
  });
});
