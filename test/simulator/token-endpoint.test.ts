import { describe, expect, test } from "vitest";
import {
  api,
  CALLBACK,
  CLIENT,
  challengeOf,
  codeFor,
  LIBRARIES,
  NOON,
  redeem,
  refresh,
  SECRET,
  simulator,
  token,
  tokensFor,
} from "./visitor.ts";

const basic = (id: string, secret: string) => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`,
});

describe("redeeming a code", () => {
  test("answers as iManage does, and is not to be stored", async () => {
    const sim = await simulator();
    const { status, body, headers } = await redeem(sim, await codeFor(sim));
    expect(status).toBe(200);
    expect(body).toEqual({
      access_token: expect.stringMatching(/^sim_at_/),
      token_type: "Bearer",
      expires_in: 1800,
      scope: "user",
      refresh_token: expect.stringMatching(/^sim_rt_/),
    });
    expect(headers.get("cache-control")).toBe("no-store");
  });

  test("works once; a second use takes back what the first one issued", async () => {
    const sim = await simulator();
    const code = await codeFor(sim);
    const { body } = await redeem(sim, code);
    const again = await redeem(sim, code);
    expect([again.status, again.body.error]).toEqual([400, "invalid_grant"]);
    expect(sim.isRefreshTokenLive(body.refresh_token)).toBe(false);
    expect(sim.isAccessTokenLive(body.access_token)).toBe(false);
    expect(sim.truth().families[0]?.ended_because).toBe("code_used_twice");
  });

  test("is a 403 once the code outlived Work Token Grant Expiry", async () => {
    const sim = await simulator();
    const [inTime, late] = [await codeFor(sim), await codeFor(sim)];
    sim.advance(30_000);
    expect((await redeem(sim, inTime)).status).toBe(200);
    sim.advance(1);
    expect((await redeem(sim, late)).status).toBe(403);
  });

  test("may be limited to a single second", async () => {
    const sim = await simulator();
    sim.setSwitches({ work_token_grant_expiry_seconds: 1 });
    const code = await codeFor(sim);
    sim.advance(1001);
    expect((await redeem(sim, code)).status).toBe(403);
  });

  test.each([
    ["another redirect URL", { redirect_uri: `${CALLBACK}2` }],
    ["an unknown code", { code: "sim_code_unknown" }],
    ["another application's code", { client_id: "no-refresh", client_secret: "sim_secret_no-refresh" }],
  ])("refuses %s", async (_, change) => {
    const sim = await simulator();
    const { status, body } = await redeem(sim, await codeFor(sim), change);
    expect([status, body.error]).toEqual([400, "invalid_grant"]);
    expect(sim.truth().families).toEqual([]);
  });

  test("refuses a user who was locked since he signed in", async () => {
    const sim = await simulator();
    const code = await codeFor(sim);
    sim.users.patch(5948, "amelia.hart", { locked: true });
    expect((await redeem(sim, code)).body.error).toBe("invalid_grant");
  });
});

describe("PKCE", () => {
  const change = { code_challenge: challengeOf("the verifier"), code_challenge_method: "S256" };

  test("accepts the right verifier", async () => {
    const sim = await simulator();
    const code = await codeFor(sim, { change });
    expect((await redeem(sim, code, { code_verifier: "the verifier" })).status).toBe(200);
  });

  test.each([
    ["wrong", { code_verifier: "another" }],
    ["missing", {}],
  ] as const)("refuses a %s verifier, and the code is spent", async (_, form) => {
    const sim = await simulator();
    const code = await codeFor(sim, { change });
    expect((await redeem(sim, code, form)).body.error).toBe("invalid_grant");
    expect((await redeem(sim, code, { code_verifier: "the verifier" })).body.error).toBe("invalid_grant");
  });

  test("is not looked at where the server ignores it", async () => {
    const sim = await simulator();
    sim.setSwitches({ pkce: "ignored" });
    const code = await codeFor(sim, { change });
    expect((await redeem(sim, code, { code_verifier: "another" })).status).toBe(200);
  });
});

describe("Allow Refresh Token off", () => {
  const application = { client_id: "no-refresh", client_secret: "sim_secret_no-refresh" };
  const signedIn = { change: { client_id: "no-refresh" } };

  test("is how a new registration comes", async () => {
    const sim = await simulator();
    expect(sim.registrations.put({ client_id: "fresh" }).allow_refresh_token).toBe(false);
  });

  test("gives refresh_token null", async () => {
    const sim = await simulator();
    const { body } = await redeem(sim, await codeFor(sim, signedIn), application);
    expect(body.refresh_token).toBeNull();
    expect(sim.truth().families[0]?.can_refresh).toBe(false);
  });

  test("or none at all, by switch", async () => {
    const sim = await simulator();
    sim.setSwitches({ refresh_token_when_off: "absent" });
    const { body } = await redeem(sim, await codeFor(sim, signedIn), application);
    expect(body).not.toHaveProperty("refresh_token");
  });

  test("when switched off later, stops refreshes without ending the tokens", async () => {
    const sim = await simulator();
    const { refresh_token } = await tokensFor(sim);
    sim.registrations.patch(CLIENT, { allow_refresh_token: false });
    expect((await refresh(sim, refresh_token)).body.error).toBe("unauthorized_client");
    sim.registrations.patch(CLIENT, { allow_refresh_token: true });
    expect((await refresh(sim, refresh_token)).status).toBe(200);
  });

  test("can be turned on by an admin's settings call, as on older servers", async () => {
    const sim = await simulator();
    const admin = sim.issueTokens({ client_id: CLIENT, user: "amelia.hart", scope: "admin" });
    const user = sim.issueTokens({ client_id: CLIENT, user: "e.moreau" });
    const put = (access_token: string) =>
      fetch(`${sim.origin}/api/v2/customers/5948/settings/no-refresh/oauth2.tokens`, {
        method: "PUT",
        headers: { "x-auth-token": access_token },
        body: JSON.stringify({
          type: "value",
          value: { allow_refresh_token: true, refresh_token_expiry: 90, access_token_max_idle_time: 15 },
        }),
      });
    expect((await put("none")).status).toBe(401);
    expect((await put(user.access_token)).status).toBe(403);
    expect((await put(admin.access_token)).status).toBe(200);
    expect(sim.registrations.find("no-refresh")).toMatchObject({
      allow_refresh_token: true,
      refresh_token_expiry_days: 90,
      access_token_expiry_minutes: 15,
    });
  });
});

describe("client authentication", () => {
  test("wants credentials in the body and refuses Basic", async () => {
    const sim = await simulator();
    const form = { grant_type: "authorization_code", code: await codeFor(sim), redirect_uri: CALLBACK };
    const { status, body, headers } = await token(sim, form, basic(CLIENT, SECRET));
    expect([status, body.error]).toEqual([401, "invalid_client"]);
    expect(headers.get("www-authenticate")).toMatch(/^Basic/);
    expect((await redeem(sim, form.code)).status).toBe(200);
  });

  test("takes only Basic, or either, by switch", async () => {
    const sim = await simulator();
    const form = async () => ({
      grant_type: "authorization_code",
      code: await codeFor(sim),
      redirect_uri: CALLBACK,
    });
    sim.setSwitches({ client_authentication: "basic" });
    expect((await redeem(sim, await codeFor(sim))).body.error).toBe("invalid_client");
    expect((await token(sim, await form(), basic(CLIENT, SECRET))).status).toBe(200);
    sim.setSwitches({ client_authentication: "either" });
    expect((await redeem(sim, await codeFor(sim))).status).toBe(200);
    expect((await token(sim, await form(), basic(CLIENT, SECRET))).status).toBe(200);
  });

  test("refuses credentials that come twice", async () => {
    const sim = await simulator();
    const form = {
      grant_type: "refresh_token",
      refresh_token: "x",
      client_id: CLIENT,
      client_secret: SECRET,
    };
    expect((await token(sim, form, basic(CLIENT, SECRET))).body.error).toBe("invalid_request");
  });

  test("knows two live secrets, and none once it expired", async () => {
    const sim = await simulator();
    const expires_at = new Date(NOON + 60_000).toISOString();
    sim.registrations.patch(CLIENT, { client_secrets: [{ value: "old", expires_at }, { value: "new" }] });
    const withSecret = async (client_secret: string) =>
      (await redeem(sim, await codeFor(sim), { client_secret })).status;
    expect(await withSecret("old")).toBe(200);
    expect(await withSecret("new")).toBe(200);
    sim.advance(60_000);
    expect(await withSecret("old")).toBe(401);
    expect(await withSecret("new")).toBe(200);
    expect(() =>
      sim.registrations.patch(CLIENT, { client_secrets: [{ value: "1" }, { value: "2" }, { value: "3" }] }),
    ).toThrow();
  });

  test("is needed on refresh too, and a wrong one costs no token", async () => {
    const sim = await simulator();
    const { refresh_token } = await tokensFor(sim);
    expect((await token(sim, { grant_type: "refresh_token", refresh_token })).body.error).toBe(
      "invalid_client",
    );
    expect((await refresh(sim, refresh_token, { client_secret: "wrong" })).body.error).toBe("invalid_client");
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(true);
  });

  test("is optional on refresh by switch, but wrong credentials are still refused", async () => {
    const sim = await simulator();
    sim.setSwitches({ refresh_client_authentication: "optional" });
    const { refresh_token } = await tokensFor(sim);
    expect((await refresh(sim, refresh_token, { client_secret: "wrong" })).body.error).toBe("invalid_client");
    const other = { grant_type: "refresh_token", refresh_token, client_id: "no-refresh" };
    expect((await token(sim, other)).body.error).toBe("invalid_grant");
    expect((await token(sim, { grant_type: "refresh_token", refresh_token: "sim_rt_none" })).body.error).toBe(
      "invalid_grant",
    );
    expect((await token(sim, { grant_type: "refresh_token", refresh_token })).status).toBe(200);
  });

  test("needs no secret of a public client", async () => {
    const sim = await simulator();
    sim.registrations.patch(CLIENT, { client_type: "public" });
    const form = { client_id: CLIENT, grant_type: "authorization_code", code: await codeFor(sim) };
    expect((await token(sim, { ...form, redirect_uri: CALLBACK })).status).toBe(200);
  });

  test.each([
    ["invalid_client", 401],
    ["unauthorized_client", 400],
    ["invalid_grant", 400],
  ] as const)("a disabled application hears %s", async (disabled_application, status) => {
    const sim = await simulator();
    const { access_token, refresh_token } = await tokensFor(sim);
    sim.registrations.patch(CLIENT, { enable_application: false });
    sim.setSwitches({ disabled_application });
    const answer = await refresh(sim, refresh_token);
    expect([answer.status, answer.body.error]).toEqual([status, disabled_application]);
    expect((await api(sim, LIBRARIES, access_token)).status).toBe(401);
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(true);
  });
});

describe("a request that cannot be read", () => {
  test.each([
    ["no grant type", {}, "invalid_request"],
    ["another grant type", { grant_type: "password" }, "unsupported_grant_type"],
  ])("with %s is refused", async (_, form, error) => {
    const { status, body } = await token(await simulator(), form as Record<string, string>);
    expect([status, body.error]).toEqual([400, error]);
  });

  test("that repeats a parameter is refused (RFC 6749 §3.2)", async () => {
    const sim = await simulator();
    const response = await fetch(`${sim.origin}/auth/oauth2/token`, {
      method: "POST",
      body: new URLSearchParams([
        ["grant_type", "refresh_token"],
        ["refresh_token", "a"],
        ["refresh_token", "b"],
      ]),
    });
    expect(await response.json()).toMatchObject({ error: "invalid_request" });
  });

  test("that is JSON is refused", async () => {
    const sim = await simulator();
    const response = await fetch(`${sim.origin}/auth/oauth2/token`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ grant_type: "refresh_token" }),
    });
    expect(response.status).toBe(400);
  });
});

describe("error_shape", () => {
  test("rfc6749 tells the code and is what the server starts with", async () => {
    const { status, body } = await refresh(await simulator(), "sim_rt_none");
    expect(status).toBe(400);
    expect(body).toEqual({ error: "invalid_grant", error_description: expect.any(String) });
  });

  test("imanage uses the envelope of the REST API", async () => {
    const sim = await simulator();
    sim.setSwitches({ error_shape: "imanage" });
    const { status, body } = await refresh(sim, "sim_rt_none");
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ code: "INVALID_GRANT", messages: [] });
  });

  test("html and empty tell nothing but the status", async () => {
    const sim = await simulator();
    sim.setSwitches({ error_shape: "html" });
    const html = await refresh(sim, "sim_rt_none");
    expect(html.headers.get("content-type")).toContain("text/html");
    expect(html.text).not.toContain("invalid_grant");
    sim.setSwitches({ error_shape: "empty" });
    const empty = await refresh(sim, "sim_rt_none");
    expect([empty.status, empty.text]).toEqual([400, ""]);
  });
});

test("expires_in may lie by switch", async () => {
  const sim = await simulator();
  sim.setSwitches({ expires_in: 86_400 });
  const { access_token, expires_in } = await tokensFor(sim);
  expect(expires_in).toBe(86_400);
  sim.advance(30 * 60_000);
  expect(sim.isAccessTokenLive(access_token)).toBe(false);
});
