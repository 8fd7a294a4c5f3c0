import { describe, expect, test } from "vitest";
import type { Simulator } from "../../src/simulator/start-simulator.ts";
import { api, CLIENT, LIBRARIES, refresh, simulator, tokensFor } from "./visitor.ts";

async function control(of: Simulator, method: string, path: string, body?: unknown) {
  const response = await fetch(`${of.controlUrl}${path}`, {
    method,
    ...(body !== undefined && {
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: asserted on below
  return { status: response.status, body: (await response.json()) as any };
}

test("the index lists every control route", async () => {
  const { body } = await control(await simulator(), "GET", "");
  expect(body.routes).toContain("GET /_simulator/wait");
  expect(body.routes.length).toBeGreaterThan(30);
});

test("switches are read, changed one by one and put back", async () => {
  const sim = await simulator();
  const changed = await control(sim, "PATCH", "switches", { refresh_mode: "leeway", leeway_seconds: 3 });
  expect(changed.body).toMatchObject({ refresh_mode: "leeway", leeway_seconds: 3, iss: "absent" });
  await control(sim, "PATCH", "switches", { iss: "sent" });
  expect((await control(sim, "GET", "switches")).body).toMatchObject({ refresh_mode: "leeway", iss: "sent" });
  expect((await control(sim, "DELETE", "switches")).body.refresh_mode).toBe("strict");
});

test.each([{ refresh_mode: "sometimes" }, { refresh_mod: "strict" }])(
  "an unreadable switch %j changes nothing",
  async (change) => {
    const sim = await simulator();
    const { status, body } = await control(sim, "PATCH", "switches", change);
    expect(status).toBe(400);
    expect(body.issues.length).toBeGreaterThan(0);
    expect(sim.switches().refresh_mode).toBe("strict");
  },
);

test("a fault is added, waited for, released and cleared from another process", async () => {
  const sim = await simulator();
  const { refresh_token } = await tokensFor(sim);
  const fault = {
    id: "slow",
    on: { route: "token", refresh_token_of_user: "amelia.hart" },
    do: { hold_after: true },
  };
  expect((await control(sim, "POST", "faults", fault)).body).toEqual({ id: "slow" });

  const waiting = control(
    sim,
    "GET",
    "wait?event=held&route=token&grant_type=refresh_token&user=amelia.hart",
  );
  const answer = refresh(sim, refresh_token);
  expect((await waiting).body.held).toMatchObject([{ fault: "slow", stage: "after" }]);
  expect((await control(sim, "GET", "held")).body).toHaveLength(1);
  // It is held already, so asking again answers at once.
  expect((await control(sim, "GET", "wait?event=held&fault=slow")).status).toBe(200);

  expect((await control(sim, "POST", "release", { id: "slow" })).body).toEqual({ released: 1 });
  expect((await answer).status).toBe(200);
  expect((await control(sim, "GET", "faults")).body).toMatchObject([{ id: "slow", fired: 1 }]);
  await control(sim, "DELETE", "faults/slow");
  expect((await control(sim, "GET", "faults")).body).toEqual([]);
});

describe("the long poll", () => {
  test("finds an event that came after a seq that the caller read before", async () => {
    const sim = await simulator();
    const { seq } = (await control(sim, "GET", "state")).body;
    await tokensFor(sim);
    const { body } = await control(sim, "GET", `wait?event=redeemed&after=${seq}`);
    expect(body.event).toMatchObject({ type: "redeemed", user: "amelia.hart" });
    expect(body.seq).toBeGreaterThan(seq);
  });

  test("can wait for the second of its kind", async () => {
    const sim = await simulator();
    sim.setSwitches({ refresh_mode: "same" });
    const { refresh_token } = await tokensFor(sim);
    await refresh(sim, refresh_token);
    await refresh(sim, refresh_token);
    const { body } = await control(sim, "GET", "wait?event=refreshed&count=2&after=0");
    expect(body.event.type).toBe("refreshed");
  });

  test("says 408 when its time is over", async () => {
    expect((await control(await simulator(), "GET", "wait?event=refreshed&timeout_ms=5")).status).toBe(408);
  });
});

test("truth, liveness, counts, requests and events can be read, and hold no token", async () => {
  const sim = await simulator();
  const { access_token, refresh_token } = await tokensFor(sim);
  const answers = await Promise.all(
    ["truth", "counts", "requests", "events", "state"].map((path) => control(sim, "GET", path)),
  );
  expect(JSON.stringify(answers)).not.toMatch(/sim_(at|rt|code)_[\w-]{20}/);
  expect(answers[0]?.body.families[0].can_refresh).toBe(true);
  expect(answers[1]?.body.grant_types).toEqual({ authorization_code: 1 });
  expect(answers[2]?.body).toMatchObject([
    { route: "sign-in", method: "POST", status: 303, ended: "answered" },
    { route: "token", method: "POST", status: 200, url: "/auth/oauth2/token" },
  ]);
  expect((await control(sim, "GET", "requests?after=1")).body).toHaveLength(1);

  expect((await control(sim, "POST", "truth/token", { token: refresh_token })).body).toMatchObject({
    live: true,
    family: "family_1",
  });
  sim.advance(31 * 60_000);
  expect((await control(sim, "POST", "truth/token", { token: access_token })).body.live).toBe(false);
  await control(sim, "DELETE", "counts");
  expect((await control(sim, "GET", "counts")).body.grant_types).toEqual({});
});

test("the clock is advanced, and by numbers only", async () => {
  const sim = await simulator();
  expect((await control(sim, "POST", "advance", { ms: 60_000 })).body.now).toBe("2026-11-20T12:01:00.000Z");
  expect((await control(sim, "POST", "advance", { ms: "soon" })).status).toBe(400);
  expect((await control(sim, "POST", "advance", { ms: -1 })).status).toBe(400);
});

test("documents are edited, tokens issued and families ended", async () => {
  const sim = await simulator();
  const edit = { library: "ACTIVE", id: "ACTIVE!1001.1", change: { name: "By curl" } };
  expect((await control(sim, "POST", "documents", edit)).body).toMatchObject({ action_type: "update" });
  expect((await control(sim, "POST", "documents", { ...edit, library: "NONE" })).status).toBe(400);

  const issued = await control(sim, "POST", "tokens", { client_id: CLIENT, user: "amelia.hart" });
  const document = `${LIBRARIES}/ACTIVE/documents/ACTIVE!1001.1`;
  expect((await api(sim, document, issued.body.access_token)).body.data.name).toBe("By curl");
  expect((await control(sim, "POST", "families/end", { user: "amelia.hart" })).body).toEqual({ ended: 1 });
  expect(sim.isRefreshTokenLive(issued.body.refresh_token)).toBe(false);
});

test("registrations are put, changed, read and removed", async () => {
  const sim = await simulator();
  const made = await control(sim, "PUT", "registrations/tracker", {
    name: "Tracker",
    allow_refresh_token: true,
  });
  expect(made.body).toMatchObject({
    client_id: "tracker",
    refresh_token_expiry_days: 365,
    access: "all_users",
  });
  await control(sim, "PATCH", "registrations/tracker", { access: ["amelia.hart"] });
  expect((await control(sim, "GET", "registrations/tracker")).body).toMatchObject({
    name: "Tracker",
    access: ["amelia.hart"],
  });
  await control(sim, "DELETE", "registrations/tracker");
  expect((await control(sim, "GET", "registrations/tracker")).status).toBe(404);
  expect((await control(sim, "PATCH", "registrations/tracker", {})).status).toBe(400);
  expect((await control(sim, "GET", "registrations")).body).toHaveLength(3);
});

test("users and libraries are put, changed, read and removed", async () => {
  const sim = await simulator();
  await control(sim, "PUT", "users/6021/new.joiner", { password: "joiner" });
  await control(sim, "PATCH", "users/6021/new.joiner", { locked: true });
  expect((await control(sim, "GET", "users/6021/new.joiner")).body.locked).toBe(true);
  await control(sim, "DELETE", "users/6021/new.joiner");
  expect((await control(sim, "GET", "users/6021/new.joiner")).status).toBe(404);

  await control(sim, "PUT", "libraries/6021/NEW", { is_hidden: true });
  await control(sim, "PATCH", "libraries/6021/NEW", { nrtadmin_group: ["s.castellan"] });
  expect((await control(sim, "GET", "libraries/6021/NEW")).body).toMatchObject({
    is_hidden: true,
    nrtadmin_group: ["s.castellan"],
  });
  await control(sim, "DELETE", "libraries/6021/NEW");
  expect((await control(sim, "GET", "libraries")).body).toHaveLength(4);
  expect((await control(sim, "GET", "users")).body).toHaveLength(8);
});

test("a control route that does not exist says so, and control calls are no traffic", async () => {
  const sim = await simulator();
  expect((await control(sim, "GET", "nothing")).status).toBe(404);
  expect(sim.requests()).toEqual([]);
  expect(sim.counts().routes).toEqual({});
});

test("a backup that is restored knows nothing of tokens issued since, and takes spent ones again", async () => {
  let now = Date.parse("2026-11-20T12:00:00.000Z");
  const sim = await simulator({ now: () => now });
  const first = await tokensFor(sim);
  now += 60_000;
  const second = (await refresh(sim, first.refresh_token)).body;
  const after = await tokensFor(sim, { username: "b.okafor", password: "okafor" });
  expect((await control(sim, "POST", "families/restore-backup", { ago_ms: 30_000 })).status).toBe(200);
  expect((await refresh(sim, second.refresh_token)).body.error).toBe("invalid_grant");
  expect((await refresh(sim, after.refresh_token)).body.error).toBe("invalid_grant");
  expect(sim.isAccessTokenLive(second.access_token)).toBe(false);
  expect(sim.isAccessTokenLive(first.access_token)).toBe(true);
  expect((await refresh(sim, first.refresh_token)).status).toBe(200);
  expect((await control(sim, "POST", "families/restore-backup", {})).status).toBe(400);
});
