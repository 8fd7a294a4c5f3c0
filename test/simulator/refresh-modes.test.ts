import { describe, expect, test } from "vitest";
import { fingerprint } from "../../src/simulator/start-simulator.ts";
import { DAY, refresh, simulator, tokensFor } from "./visitor.ts";

describe("strict, the mode it starts in", () => {
  test("rotates at every refresh", async () => {
    const sim = await simulator();
    const first = await tokensFor(sim);
    const { body } = await refresh(sim, first.refresh_token);
    expect(body.refresh_token).not.toBe(first.refresh_token);
    expect(body.access_token).not.toBe(first.access_token);
    expect(sim.isRefreshTokenLive(body.refresh_token)).toBe(true);
  });

  test("ends the whole family when a superseded token comes back", async () => {
    const sim = await simulator();
    const first = await tokensFor(sim);
    const { body: second } = await refresh(sim, first.refresh_token);
    const reuse = await refresh(sim, first.refresh_token);
    expect([reuse.status, reuse.body.error]).toEqual([400, "invalid_grant"]);
    expect(sim.isRefreshTokenLive(second.refresh_token)).toBe(false);
    expect(sim.isAccessTokenLive(second.access_token)).toBe(false);
    expect((await refresh(sim, second.refresh_token)).body.error).toBe("invalid_grant");
    expect(sim.truth().families[0]).toMatchObject({ ended_because: "reuse_detected", can_refresh: false });
    expect(sim.events().filter(({ type }) => type === "family_ended")).toHaveLength(1);
  });

  test("leaves other families alone", async () => {
    const sim = await simulator();
    const other = await tokensFor(sim, { username: "b.okafor", password: "okafor" });
    const first = await tokensFor(sim);
    await refresh(sim, first.refresh_token);
    await refresh(sim, first.refresh_token);
    expect(sim.isRefreshTokenLive(other.refresh_token)).toBe(true);
  });

  test("refuses another application's refresh token and does not count it as reuse", async () => {
    const sim = await simulator();
    const { refresh_token } = await tokensFor(sim);
    const stolen = { client_id: "no-refresh", client_secret: "sim_secret_no-refresh" };
    expect((await refresh(sim, refresh_token, stolen)).body.error).toBe("invalid_grant");
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(true);
  });
});

test("rotate lets the old token die and the family live", async () => {
  const sim = await simulator();
  sim.setSwitches({ refresh_mode: "rotate" });
  const first = await tokensFor(sim);
  const { body: second } = await refresh(sim, first.refresh_token);
  expect((await refresh(sim, first.refresh_token)).body.error).toBe("invalid_grant");
  expect((await refresh(sim, second.refresh_token)).status).toBe(200);
});

describe("leeway", () => {
  test("answers a superseded token with the newest one, and only for leeway_seconds", async () => {
    const sim = await simulator();
    sim.setSwitches({ refresh_mode: "leeway", leeway_seconds: 10 });
    const first = await tokensFor(sim);
    const { body: second } = await refresh(sim, first.refresh_token);
    sim.advance(9_999);
    const { body: again } = await refresh(sim, first.refresh_token);
    expect(again.refresh_token).toBe(second.refresh_token);
    expect(again.access_token).not.toBe(second.access_token);

    sim.advance(1);
    expect((await refresh(sim, first.refresh_token)).body.error).toBe("invalid_grant");
    expect(sim.isRefreshTokenLive(second.refresh_token)).toBe(true);
  });
});

test("same gives the same refresh token back", async () => {
  const sim = await simulator();
  sim.setSwitches({ refresh_mode: "same" });
  const { refresh_token } = await tokensFor(sim);
  expect((await refresh(sim, refresh_token)).body.refresh_token).toBe(refresh_token);
  expect((await refresh(sim, refresh_token)).status).toBe(200);
});

test("none gives no refresh token back, and the old one goes on", async () => {
  const sim = await simulator();
  sim.setSwitches({ refresh_mode: "none" });
  const { refresh_token } = await tokensFor(sim);
  expect((await refresh(sim, refresh_token)).body).not.toHaveProperty("refresh_token");
  expect((await refresh(sim, refresh_token)).status).toBe(200);
});

test.each([
  ["dies", false],
  ["survives", true],
] as const)("the old access token %s at a refresh, by switch", async (old_access_token, lives) => {
  const sim = await simulator();
  sim.setSwitches({ old_access_token });
  const { access_token, refresh_token } = await tokensFor(sim);
  await refresh(sim, refresh_token);
  expect(sim.isAccessTokenLive(access_token)).toBe(lives);
});

describe("a new consent", () => {
  test("ends the earlier refresh token of the same user and application", async () => {
    const sim = await simulator();
    const earlier = await tokensFor(sim);
    const colleague = await tokensFor(sim, { username: "b.okafor", password: "okafor" });
    const elsewhere = sim.issueTokens({ client_id: "not-enabled", user: "amelia.hart" });
    const later = await tokensFor(sim);
    expect(sim.isRefreshTokenLive(earlier.refresh_token)).toBe(false);
    expect(sim.isAccessTokenLive(earlier.access_token)).toBe(true);
    expect(sim.isRefreshTokenLive(colleague.refresh_token)).toBe(true);
    expect(sim.isRefreshTokenLive(elsewhere.refresh_token!)).toBe(true);
    expect(sim.isRefreshTokenLive(later.refresh_token)).toBe(true);
  });

  test("keeps it by switch", async () => {
    const sim = await simulator();
    sim.setSwitches({ new_consent: "keeps" });
    const earlier = await tokensFor(sim);
    await tokensFor(sim);
    expect(sim.isRefreshTokenLive(earlier.refresh_token)).toBe(true);
  });
});

describe("the life of a refresh token", () => {
  test("is Refresh Token Expiry from the sign-in, however often it is used", async () => {
    const sim = await simulator();
    const first = await tokensFor(sim);
    sim.advance(364 * DAY);
    const { body } = await refresh(sim, first.refresh_token);
    sim.advance(DAY);
    expect((await refresh(sim, body.refresh_token)).body.error).toBe("invalid_grant");
    expect(sim.truth().families[0]?.refresh_tokens.at(-1)?.state).toBe("expired");
  });

  test.each(["strict", "same"] as const)("starts anew at a refresh by switch (%s)", async (refresh_mode) => {
    const sim = await simulator();
    sim.setSwitches({ refresh_extends_life: "yes", refresh_mode });
    const first = await tokensFor(sim);
    sim.advance(364 * DAY);
    const { body } = await refresh(sim, first.refresh_token);
    sim.advance(364 * DAY);
    expect((await refresh(sim, body.refresh_token)).status).toBe(200);
  });
});

test("a locked or excluded user cannot refresh, and can again once that is undone", async () => {
  const sim = await simulator();
  const { refresh_token } = await tokensFor(sim);
  sim.users.patch(5948, "amelia.hart", { locked: true });
  expect((await refresh(sim, refresh_token)).body.error).toBe("invalid_grant");
  sim.users.patch(5948, "amelia.hart", { locked: false });
  sim.registrations.patch("token-broker", { access: ["b.okafor"] });
  expect((await refresh(sim, refresh_token)).body.error).toBe("invalid_grant");
  sim.registrations.patch("token-broker", { access: "all_users" });
  expect((await refresh(sim, refresh_token)).status).toBe(200);
});

test("the truth names tokens by fingerprint and never tells one", async () => {
  const sim = await simulator();
  const first = await tokensFor(sim);
  const { body } = await refresh(sim, first.refresh_token);
  const [family] = sim.truth().families;
  expect(family).toMatchObject({
    user_id: "amelia.hart",
    client_id: "token-broker",
    refreshes: 1,
    can_refresh: true,
    current_refresh_token: fingerprint(body.refresh_token),
  });
  expect(
    family?.refresh_tokens.map(({ fingerprint, state, presented }) => [fingerprint, state, presented]),
  ).toEqual([
    [fingerprint(first.refresh_token), "superseded", 1],
    [fingerprint(body.refresh_token), "current", 0],
  ]);
  expect(JSON.stringify([sim.truth(), sim.events(), sim.counts(), sim.requests()])).not.toMatch(
    /sim_(at|rt|code)_/,
  );
});

test("refreshes are counted by grant type, family and user, with the most at one moment", async () => {
  const sim = await simulator();
  sim.setSwitches({ refresh_mode: "same" });
  const { refresh_token } = await tokensFor(sim);
  sim.addFault({ on: { route: "token" }, times: 3, do: { hold_before: true } });
  const three = [1, 2, 3].map(() => refresh(sim, refresh_token));
  await sim.waitFor(() => sim.held().length === 3);
  sim.release();
  await Promise.all(three);
  await refresh(sim, refresh_token);
  expect(sim.counts()).toMatchObject({
    grant_types: { authorization_code: 1, refresh_token: 4 },
    refreshes_by_family: { family_1: 4 },
    refreshes_by_user: { "amelia.hart": 4 },
    concurrent_refreshes_max_by_family: { family_1: 3 },
    routes: { token: 5, "sign-in": 1 },
  });
  sim.resetCounts();
  expect(sim.counts().grant_types).toEqual({});
});

test("an administrator may end every family of a user", async () => {
  const sim = await simulator();
  const { refresh_token, access_token } = await tokensFor(sim);
  expect(sim.endFamilies({ user: "b.okafor" })).toBe(0);
  expect(sim.endFamilies({ user: "5948/amelia.hart" })).toBe(1);
  expect([sim.isRefreshTokenLive(refresh_token), sim.isAccessTokenLive(access_token)]).toEqual([
    false,
    false,
  ]);
});
