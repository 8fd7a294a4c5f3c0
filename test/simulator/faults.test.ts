import { describe, expect, test } from "vitest";
import type { Fault } from "../../src/simulator/start-simulator.ts";
import { api, CLIENT, failure, LIBRARIES, redeem, refresh, SECRET, simulator, tokensFor } from "./visitor.ts";

const onRefresh = { route: "token", grant_type: "refresh_token" } as const;

async function signedIn() {
  const sim = await simulator();
  return { sim, ...(await tokensFor(sim)) };
}

describe("before the server acts", () => {
  test("a hold keeps the request until it is released, and nothing has happened yet", async () => {
    const { sim, refresh_token } = await signedIn();
    const fault = sim.addFault({ on: onRefresh, do: { hold_before: true } });
    const answer = refresh(sim, refresh_token);
    const event = await sim.waitFor((event) => event?.type === "held" || sim.held().length === 1);
    expect(sim.held()).toMatchObject([{ fault, stage: "before", route: "token", user: "amelia.hart" }]);
    expect(event === undefined || event.type === "held").toBe(true);
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(true);
    expect(sim.release(fault)).toBe(1);
    expect((await answer).status).toBe(200);
  });

  test("a delay is over once the clock was advanced by as much", async () => {
    const { sim, refresh_token } = await signedIn();
    sim.addFault({ on: onRefresh, do: { delay_before_ms: 600_000 } });
    const answer = refresh(sim, refresh_token);
    await sim.waitFor(() => sim.events().some(({ type }) => type === "delayed"));
    sim.advance(599_999);
    // A whole request later it would have acted, had the delay been over.
    await fetch(`${sim.origin}/api`);
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(true);
    sim.advance(1);
    expect((await answer).status).toBe(200);
  });

  test("a delay is also over when real time has passed", async () => {
    const { sim, refresh_token } = await signedIn();
    sim.addFault({ on: onRefresh, do: { delay_before_ms: 5 } });
    expect((await refresh(sim, refresh_token)).status).toBe(200);
  });

  test("a request whose client hung up is not acted on", async () => {
    const { sim, refresh_token } = await signedIn();
    sim.addFault({ on: onRefresh, do: { hold_before: true } });
    const gaveUp = new AbortController();
    const answer = fetch(`${sim.origin}/auth/oauth2/token`, {
      method: "POST",
      signal: gaveUp.signal,
      body: new URLSearchParams({
        grant_type: "refresh_token",
        refresh_token,
        client_id: CLIENT,
        client_secret: SECRET,
      }),
    });
    await sim.waitFor(() => sim.held().length === 1);
    gaveUp.abort();
    expect(await failure(answer)).toBe(20);
    await sim.waitFor(() => sim.counts().aborted === 1);
    expect(sim.held()).toEqual([]);
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(true);
    expect(sim.requests().at(-1)?.ended).toBe("aborted_before_acting");
  });

  test("or is acted on all the same, by switch", async () => {
    const { sim, refresh_token } = await signedIn();
    sim.setSwitches({ aborted_before_acting: "acted_on" });
    sim.addFault({ on: onRefresh, do: { hold_before: true } });
    const gaveUp = new AbortController();
    const answer = fetch(`${sim.origin}/auth/oauth2/token`, {
      method: "POST",
      signal: gaveUp.signal,
      body: new URLSearchParams({
        grant_type: "refresh_token",
        refresh_token,
        client_id: CLIENT,
        client_secret: SECRET,
      }),
    });
    await sim.waitFor(() => sim.held().length === 1);
    gaveUp.abort();
    await failure(answer);
    sim.release();
    await sim.waitFor(() => sim.truth().families[0]?.refreshes === 1);
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(false);
  });

  test.each([
    ["reset", "ECONNRESET"],
    ["close", "UND_ERR_SOCKET"],
  ] as const)("a dropped socket (%s) leaves the token alone", async (how, code) => {
    const { sim, refresh_token } = await signedIn();
    sim.addFault({ on: onRefresh, do: { drop_before: how } });
    expect(await failure(refresh(sim, refresh_token))).toBe(code);
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(true);
    expect(sim.requests().at(-1)).toMatchObject({ ended: "dropped", status: null, fault: "fault_1" });
  });
});

describe("after the server acted", () => {
  test("a held answer has rotated the token already", async () => {
    const { sim, refresh_token } = await signedIn();
    sim.addFault({ on: onRefresh, do: { hold_after: true } });
    const answer = refresh(sim, refresh_token);
    await sim.waitFor(() => sim.held().length === 1);
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(false);
    sim.release("hold_1");
    expect(sim.isRefreshTokenLive((await answer).body.refresh_token)).toBe(true);
  });

  test("a delayed answer has rotated the token already", async () => {
    const { sim, refresh_token } = await signedIn();
    sim.addFault({ on: onRefresh, do: { delay_after_ms: 600_000 } });
    const answer = refresh(sim, refresh_token);
    await sim.waitFor(() => sim.events().some(({ type }) => type === "delayed"));
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(false);
    sim.advance(600_000);
    expect((await answer).status).toBe(200);
  });

  test("a connection dropped after rotation loses the new token", async () => {
    const { sim, refresh_token } = await signedIn();
    sim.addFault({ on: onRefresh, do: { drop_after: "reset" } });
    expect(await failure(refresh(sim, refresh_token))).toBe("ECONNRESET");
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(false);
    expect(sim.truth().families[0]).toMatchObject({ refreshes: 1, can_refresh: true });
    expect((await refresh(sim, refresh_token)).body.error).toBe("invalid_grant");
    expect(sim.truth().families[0]?.ended_because).toBe("reuse_detected");
  });
});

describe("the answer", () => {
  const scripted = async (what: Fault["do"]) => {
    const { sim, refresh_token } = await signedIn();
    sim.addFault({ on: onRefresh, do: what });
    return { sim, refresh_token, answer: await refresh(sim, refresh_token) };
  };

  test.each([
    ["invalid_grant", { status: 400, body: { error: "invalid_grant" } }],
    ["invalid_client", { status: 401, body: { error: "invalid_client" } }],
    ["503", { status: 503, body: "" }],
    ["429", { status: 429, headers: { "Retry-After": "7" }, body: "" }],
    ["HTML", { status: 502, body: "<html><h1>Bad Gateway</h1></html>" }],
  ])("can be a scripted %s without acting", async (_, answer) => {
    const { sim, refresh_token, answer: got } = await scripted({ answer });
    expect(got.status).toBe(answer.status);
    if (typeof answer.body === "object") expect(got.body).toEqual(answer.body);
    else expect(got.text).toBe(answer.body);
    if (answer.status === 429) expect(got.headers.get("retry-after")).toBe("7");
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(true);
  });

  test("can be an error after the token was rotated", async () => {
    const { sim, refresh_token, answer } = await scripted({ answer: { status: 500, acts: true } });
    expect(answer.status).toBe(500);
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(false);
  });

  test("can be malformed JSON that holds tokens really issued", async () => {
    const body = '{"access_token":"{{access_token}}","refresh_token":"{{refresh_token}}",,,';
    const { sim, answer } = await scripted({
      answer: { body, headers: { "Content-Type": "application/json" } },
    });
    const [token] = /sim_rt_[\w-]+/.exec(answer.text) ?? [];
    expect(answer.body).toBeUndefined();
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(sim.isRefreshTokenLive(token!)).toBe(true);
  });

  test.each([0, -1, "1800", 1e12, null])("can have expires_in %j", async (expires_in) => {
    const { answer } = await scripted({ set: { expires_in } });
    expect(answer.body.expires_in).toBe(expires_in);
  });

  test("can lack fields and have others", async () => {
    const { answer } = await scripted({
      omit: ["expires_in", "token_type"],
      set: { extra: { deep: true } },
      set_headers: { date: "Thu, 01 Jan 1970 00:00:00 GMT" },
    });
    expect(Object.keys(answer.body).sort()).toEqual(["access_token", "extra", "refresh_token", "scope"]);
    expect(answer.headers.get("date")).toBe("Thu, 01 Jan 1970 00:00:00 GMT");
  });

  test("can be cut short in the body, after rotation", async () => {
    const { sim, refresh_token } = await signedIn();
    sim.addFault({ on: onRefresh, times: 2, do: { cut_body_after_bytes: 20 } });
    expect(await failure(refresh(sim, refresh_token))).toBe("UND_ERR_SOCKET");
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(false);
    expect(sim.requests().at(-1)?.ended).toBe("cut");
  });

  test("can be cut before its first byte", async () => {
    const { sim, refresh_token } = await signedIn();
    sim.addFault({ on: onRefresh, do: { cut_body_after_bytes: 0 } });
    expect(await failure(refresh(sim, refresh_token))).toBe("UND_ERR_SOCKET");
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(false);
  });

  test("can drip, and is whole in the end", async () => {
    const { answer } = await scripted({ drip: { bytes: 50, every_ms: 1 } });
    expect(answer.body.access_token).toMatch(/^sim_at_/);
  });

  test("can be huge, and JSON still", async () => {
    const { answer } = await scripted({ pad_body_bytes: 3_000_000 });
    expect(answer.text.length).toBeGreaterThan(3_000_000);
    expect(answer.body.access_token).toMatch(/^sim_at_/);
  });
});

describe("which request a fault befalls", () => {
  const teapot = { answer: { status: 418, body: {} } };

  test("is once, unless times says otherwise", async () => {
    const { sim, access_token } = await signedIn();
    sim.addFault({ on: { route: "api" }, do: teapot });
    const statuses = [];
    for (let call = 0; call < 3; call += 1) statuses.push((await api(sim, LIBRARIES, access_token)).status);
    expect(statuses).toEqual([418, 200, 200]);
  });

  test("begins at the nth and lasts for times", async () => {
    const { sim, access_token } = await signedIn();
    sim.addFault({ on: { route: "api", nth: 2 }, times: 2, do: teapot });
    const statuses = [];
    for (let call = 0; call < 4; call += 1) statuses.push((await api(sim, LIBRARIES, access_token)).status);
    expect(statuses).toEqual([200, 418, 418, 200]);
    expect(sim.counts().faults_fired).toEqual({ fault_1: 2 });
  });

  test("is always with times always, until it is cleared", async () => {
    const { sim, access_token } = await signedIn();
    const id = sim.addFault({ on: { route: "any" }, times: "always", do: teapot });
    expect((await api(sim, "/api", access_token)).status).toBe(418);
    expect((await api(sim, LIBRARIES, access_token)).status).toBe(418);
    sim.clearFaults(id);
    expect((await api(sim, "/api", access_token)).status).toBe(200);
  });

  test.each<[string, Fault["on"]]>([
    ["the user whose refresh token it is", { route: "token", refresh_token_of_user: "amelia.hart" }],
    ["the user of whatever token it is", { route: "token", user: "5948/amelia.hart" }],
  ])("can be told by %s", async (_, on) => {
    const { sim, refresh_token } = await signedIn();
    const other = await tokensFor(sim, { username: "b.okafor", password: "okafor" });
    sim.addFault({ on, times: "always", do: { ...teapot } });
    expect((await refresh(sim, other.refresh_token)).status).toBe(200);
    expect((await refresh(sim, refresh_token)).status).toBe(418);
  });

  test.each<[string, Fault["on"]]>([
    ["library", { route: "api", library: "LITIGATION" }],
    ["path", { route: "api", path_starts_with: `${LIBRARIES}/LITIGATION` }],
  ])("can be told by %s", async (_, on) => {
    const { sim, access_token } = await signedIn();
    sim.addFault({ on, times: "always", do: teapot });
    expect((await api(sim, `${LIBRARIES}/ACTIVE/documents`, access_token)).status).toBe(200);
    expect((await api(sim, `${LIBRARIES}/LITIGATION/documents`, access_token)).status).toBe(418);
  });

  test("can be told by client and method", async () => {
    const { sim, access_token } = await signedIn();
    sim.addFault({ on: { route: "any", client_id: CLIENT, method: "post" }, do: teapot });
    expect((await api(sim, LIBRARIES, access_token)).status).toBe(200);
    expect((await redeem(sim, "sim_code_none")).status).toBe(418);
  });

  test.each([
    ["authorize", "GET", "/auth/oauth2/authorize"],
    ["sign-in", "POST", "/auth/oauth2/authorize"],
    ["token", "POST", "/auth/oauth2/token"],
    ["revoke", "POST", "/auth/oauth2/revoke-token"],
    ["logout", "GET", "/auth/logout"],
    ["discovery", "GET", "/api"],
    ["api", "GET", LIBRARIES],
  ] as const)("can be any of route %s", async (route, method, path) => {
    const sim = await simulator();
    sim.addFault({ on: { route }, do: teapot });
    expect((await fetch(sim.origin + path, { method })).status).toBe(418);
    expect(sim.counts().routes).toEqual({ [route]: 1 });
  });

  test("does not include one with an unknown field or a taken id", async () => {
    const sim = await simulator();
    expect(() => sim.addFault({ on: { route: "token", nht: 2 } as never, do: {} })).toThrow();
    sim.addFault({ id: "mine", on: { route: "token" }, do: {} });
    expect(() => sim.addFault({ id: "mine", on: { route: "token" }, do: {} })).toThrow("mine");
  });
});

test("clearing faults releases what they hold", async () => {
  const { sim, access_token } = await signedIn();
  sim.addFault({ on: { route: "api" }, do: { hold_before: true } });
  const answer = api(sim, LIBRARIES, access_token);
  await sim.waitFor(() => sim.held().length === 1);
  sim.clearFaults();
  expect((await answer).status).toBe(200);
});

test("closing ends held requests without acting on them", async () => {
  const { sim, refresh_token } = await signedIn();
  sim.addFault({ on: onRefresh, do: { hold_before: true } });
  const answer = failure(refresh(sim, refresh_token));
  await sim.waitFor(() => sim.held().length === 1);
  await sim.close();
  expect(await answer).toMatch(/UND_ERR_SOCKET|ECONNRESET/);
  expect(sim.isRefreshTokenLive(refresh_token)).toBe(true);
});

test("waitFor gives up with a sentence when nothing of the kind happens", async () => {
  const sim = await simulator();
  await expect(sim.waitFor(() => false, 5)).rejects.toThrow("within 5 ms");
});
