import { describe, expect, test } from "vitest";
import { api, CLIENT, LIBRARIES, MINUTE, post, SECRET, simulator, tokensFor } from "./visitor.ts";

describe("Access Token Expiry", () => {
  test("is an inactivity timeout: each use starts it anew", async () => {
    const sim = await simulator();
    const { access_token } = await tokensFor(sim);
    for (let hour = 0; hour < 4; hour += 1) {
      sim.advance(29 * MINUTE);
      expect((await api(sim, LIBRARIES, access_token)).status).toBe(200);
    }
    sim.advance(30 * MINUTE);
    const { status, body } = await api(sim, LIBRARIES, access_token);
    expect(status).toBe(401);
    expect(body).toEqual({
      error: { code: expect.any(String), code_message: expect.any(String), messages: [] },
    });
  });

  test("follows the registration, for tokens issued from then on", async () => {
    const sim = await simulator();
    sim.registrations.patch(CLIENT, { access_token_expiry_minutes: 5 });
    const { access_token, expires_in } = await tokensFor(sim);
    expect(expires_in).toBe(300);
    sim.advance(5 * MINUTE);
    expect((await api(sim, LIBRARIES, access_token)).status).toBe(401);
  });

  test("can be joined by an absolute timeout, which use does not move", async () => {
    const sim = await simulator();
    sim.setSwitches({ access_token_absolute_minutes: 45 });
    const { access_token } = await tokensFor(sim);
    sim.advance(25 * MINUTE);
    expect((await api(sim, LIBRARIES, access_token)).status).toBe(200);
    sim.advance(20 * MINUTE);
    expect((await api(sim, LIBRARIES, access_token)).status).toBe(401);
  });
});

describe("revoke-token", () => {
  const revoke = (origin: string, form: Record<string, string>) =>
    post(`${origin}/auth/oauth2/revoke-token`, form);

  test("ends the access token and, unless switched, nothing else", async () => {
    const sim = await simulator();
    const { access_token, refresh_token } = await tokensFor(sim);
    expect((await revoke(sim.origin, { access_token })).status).toBe(200);
    expect((await api(sim, LIBRARIES, access_token)).status).toBe(401);
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(true);
  });

  test("ends the whole family by switch", async () => {
    const sim = await simulator();
    sim.setSwitches({ revoke: "family" });
    const { access_token, refresh_token } = await tokensFor(sim);
    await revoke(sim.origin, { access_token });
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(false);
    expect(sim.truth().families[0]?.ended_because).toBe("revoked");
  });

  test("says 200 to a refresh token and does nothing, unless switched", async () => {
    const sim = await simulator();
    const { refresh_token } = await tokensFor(sim);
    expect((await revoke(sim.origin, { access_token: refresh_token })).status).toBe(200);
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(true);
    sim.setSwitches({ revoke_accepts_refresh_token: "yes" });
    expect((await revoke(sim.origin, { access_token: refresh_token })).status).toBe(200);
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(false);
  });

  test("says 200 to a token nobody knows, and 400 to none", async () => {
    const sim = await simulator();
    expect((await revoke(sim.origin, { access_token: "sim_at_none" })).status).toBe(200);
    expect((await revoke(sim.origin, {})).status).toBe(400);
  });

  test("needs client credentials by switch, and checks them when they come", async () => {
    const sim = await simulator();
    const { access_token } = await tokensFor(sim);
    expect(
      (await revoke(sim.origin, { access_token, client_id: CLIENT, client_secret: "wrong" })).status,
    ).toBe(401);
    sim.setSwitches({ revoke_client_authentication: "required" });
    expect((await revoke(sim.origin, { access_token })).status).toBe(401);
    const stranger = { client_id: "no-refresh", client_secret: "sim_secret_no-refresh" };
    expect((await revoke(sim.origin, { access_token, ...stranger })).status).toBe(400);
    expect(sim.isAccessTokenLive(access_token)).toBe(true);
    expect(
      (await revoke(sim.origin, { access_token, client_id: CLIENT, client_secret: SECRET })).status,
    ).toBe(200);
    expect(sim.isAccessTokenLive(access_token)).toBe(false);
  });
});

test.each(["GET", "POST"])("%s /auth/logout ends the access token that is presented", async (method) => {
  const sim = await simulator();
  const { access_token, refresh_token } = await tokensFor(sim);
  await fetch(`${sim.origin}/auth/logout`, { method, headers: { "x-auth-token": access_token } });
  expect(sim.isAccessTokenLive(access_token)).toBe(false);
  expect(sim.isRefreshTokenLive(refresh_token)).toBe(true);
});

test("Authorization: Bearer works only by switch", async () => {
  const sim = await simulator();
  const { access_token } = await tokensFor(sim);
  const withBearer = () =>
    fetch(sim.origin + LIBRARIES, { headers: { authorization: `Bearer ${access_token}` } }).then(
      ({ status }) => status,
    );
  expect(await withBearer()).toBe(401);
  sim.setSwitches({ bearer_header: "accepted" });
  expect(await withBearer()).toBe(200);
});

test("a token of a locked user is dead while he is locked", async () => {
  const sim = await simulator();
  const { access_token } = await tokensFor(sim);
  sim.users.patch(5948, "amelia.hart", { locked: true });
  expect((await api(sim, LIBRARIES, access_token)).status).toBe(401);
  sim.users.patch(5948, "amelia.hart", { locked: false });
  expect((await api(sim, LIBRARIES, access_token)).status).toBe(200);
});
