import request from "supertest";
import { beforeEach, expect, test } from "vitest";
import { Problem } from "../../src/domain/problem.ts";
import { cookiesOf, IMANAGE, RETURN_URL, World } from "./kit.ts";

let world: World;
beforeEach(async () => {
  world = await World.open();
});

/** Follows a start link as far as iManage's door. */
async function start(app = world.app()) {
  const { session, start: link } = world.begin();
  const left = await request(app).get(`/connect/start/${link}`);
  const location = new URL(left.headers.location!);
  return {
    app,
    session,
    link,
    left,
    state: location.searchParams.get("state")!,
    cookie: cookiesOf(left.headers),
    callback: new URL(location.searchParams.get("redirect_uri")!).pathname,
  };
}

test("a start link leads to iManage once, with a cookie that only this host can set and only this browser has", async () => {
  const { app, left, link } = await start();
  expect(left.status).toBe(303);
  expect(left.headers.location).toMatch(`${IMANAGE}/auth/oauth2/authorize?`);
  const [cookie] = left.headers["set-cookie"] as unknown as string[];
  expect(cookie).toMatch(
    /^__Host-imb-connect-[\w-]{8}=[\w-]{53}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/,
  );
  expect(left.text).toBe("");

  const again = await request(app).get(`/connect/start/${link}`);
  expect(again.status).toBe(410);
  expect(again.text).toContain("The connect session is over.");
  expect(again.headers["set-cookie"]).toBeUndefined();
});

test("on a loopback base URL cookies have plain names, since browsers refuse __Host- without https", async () => {
  const { left } = await start(world.app({ plainCookies: true, publicBaseUrl: "http://127.0.0.1:8080" }));
  const [cookie] = left.headers["set-cookie"] as unknown as string[];
  expect(cookie).toMatch(/^imb-connect-[\w-]{8}=[\w-]{53}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/);
});

test("a scanner's HEAD and a browser's prefetch do not use a start link up", async () => {
  const { start: link } = world.begin();
  const app = world.app();
  expect((await request(app).head(`/connect/start/${link}`)).status).toBe(405);
  expect(
    (await request(app).get(`/connect/start/${link}`).set("Sec-Purpose", "prefetch;prerender")).status,
  ).toBe(503);
  expect((await request(app).get(`/connect/start/${link}`)).status).toBe(303);
});

test("T06 the callback returns to the registered URL, whatever the request says about where to go", async () => {
  const { app, session, state, cookie, callback } = await start();
  const back = await request(app)
    .get(callback)
    .query({ state, code: "c-1", redirect_uri: "https://evil.example", return_to: "//evil.example" })
    .set("Cookie", cookie)
    .set("Host", "evil.example")
    .set("X-Forwarded-Host", "evil.example");
  expect(back.status).toBe(303);
  const location = new URL(back.headers.location!);
  expect(location.origin + location.pathname).toBe("https://app.example/imanage/back");
  expect([...location.searchParams.keys()]).toEqual(["from", "connect_session", "completion"]);
  expect(location.searchParams.get("connect_session")).toBe(session.id);
  expect(back.text).toBe("");
  expect(back.headers["set-cookie"]).toEqual([
    expect.stringMatching(/^__Host-imb-connect-[\w-]{8}=; Path=\/; Max-Age=0;/),
  ]);
  expect(world.redemptions).toBe(0);
});

test("T03 a callback without the cookie, or with another browser's, ends in a 400 page, takes nothing and leaves the sign-in to its owner", async () => {
  const { app, state, cookie, callback } = await start();
  const stranger = await start(app);
  for (const sent of [undefined, stranger.cookie, `${cookie}; ${cookie}`]) {
    const asked = request(app).get(callback).query({ state, code: "c-1" });
    const back = await (sent === undefined ? asked : asked.set("Cookie", sent));
    expect(back.status).toBe(303);
    expect(back.headers.location).toMatch(/^\/connect\/error\/authorization_response_invalid\?/);
    expect(back.headers["set-cookie"]).toBeUndefined();
    const page = await request(app).get(back.headers.location!);
    expect(page.status).toBe(400);
    expect(page.text).toContain("authorization_response_invalid");
  }
  expect(world.requests.size).toBe(2);
  expect(world.pending.size).toBe(0);
  expect(world.redemptions).toBe(0);

  const owner = await request(app).get(callback).query({ state, code: "c-1" }).set("Cookie", cookie);
  expect(owner.headers.location).toMatch(RETURN_URL);
});

test("T03 a second callback with the same state is refused", async () => {
  const { app, state, cookie, callback } = await start();
  const ask = () => request(app).get(callback).query({ state, code: "c-1" }).set("Cookie", cookie);
  const answers = await Promise.all(Array.from({ length: 20 }, ask));
  const returned = answers.filter(({ headers }) => headers.location!.startsWith("https://app.example/"));
  expect(returned).toHaveLength(1);
  expect(world.pending.size).toBe(1);
});

test.each([
  ["state twice", "state=STATE&state=STATE&code=c"],
  ["state as an array", "state[]=STATE&code=c"],
  ["code twice", "state=STATE&code=a&code=b"],
  ["error twice", "state=STATE&error=a&error=b"],
  ["no state", "code=c"],
  ["an overlong state", `state=${"s".repeat(201)}&code=c`],
  ["an overlong code", `state=STATE&code=${"c".repeat(4_097)}`],
  ["an overlong error", `state=STATE&error=${"e".repeat(257)}`],
  ["nothing", ""],
])("a response with %s is invalid and takes nothing (RFC 6749 §3.1)", async (_, query) => {
  const { app, state, cookie, callback } = await start();
  const back = await request(app)
    .get(`${callback}?${query.replaceAll("STATE", state)}`)
    .set("Cookie", cookie);
  expect(back.headers.location).toMatch(/^\/connect\/error\/authorization_response_invalid\?/);
  expect(world.requests.size).toBe(1);
});

test("T01 a response at another registration's redirect URI takes nothing", async () => {
  const { app, state, cookie, callback } = await start();
  const other = `${callback.slice(0, -4)}0000`;
  const back = await request(app).get(other).query({ state, code: "c" }).set("Cookie", cookie);
  expect(back.headers.location).toMatch(/^\/connect\/error\/authorization_server_mismatch\?/);
  expect(world.requests.size).toBe(1);
  const page = await request(app).get(back.headers.location!);
  expect(page.text).toContain("This can be an attack");
});

test("Cancel at iManage leads to a page that says so and a way back to the application", async () => {
  const { app, session, state, cookie, callback } = await start();
  const back = await request(app)
    .get(callback)
    .query({ state, error: "access_denied", error_description: "<b>prose</b>" })
    .set("Cookie", cookie);
  expect(back.headers.location).toBe(`/connect/result/${session.id}`);
  const page = await request(app).get(back.headers.location!);
  expect(page.status).toBe(200);
  expect(page.text).toContain("The sign-in at iManage was cancelled.");
  expect(page.text).toContain("<code>authorization_denied</code>");
  expect(page.text).toContain(
    `href="https://app.example/imanage/back?from=profile&amp;connect_session=${session.id}&amp;error=authorization_denied"`,
  );
  expect(page.text).not.toContain("prose");
});

test("T06 a return URL that the application no longer registers is not offered", async () => {
  const { session } = world.begin({ state: "failed", problem: "authorization_denied" });
  world.client = { ...world.client, returnUrls: ["https://app.example/other"] };
  const page = await request(world.app()).get(`/connect/result/${session.id}`);
  expect(page.text).not.toContain("app.example");
});

test.each([
  ["created", {}, "The sign-in is not finished"],
  ["started", {}, "The sign-in is not finished"],
  ["started", { expiresAt: 0 }, "The sign-in was not finished in time"],
  ["returned", {}, "Waiting for Matter Checklists"],
  ["returned", { returnedAt: 0 }, "completed too late"],
  ["connected", {}, "iManage is connected"],
  ["failed", { problem: "user_not_in_access" }, "does not let this user use the application"],
  ["failed", { problem: undefined }, "Something unforeseen happened."],
] as const)("a session that is %s %j reads: %s", async (state, change, title) => {
  const { session } = world.begin({ state, ...change });
  const page = await request(world.app()).get(`/connect/result/${session.id}`);
  expect(page.status).toBe(200);
  expect(page.text).toContain(title);
  expect(page.text).toContain("it-help@firm.example");
  expect(page.text).not.toContain("u-1");
});

test.each(["cns_unknown", "srv_x", "__proto__", "%00", "a/b"])(
  "no session %s: a page of ours, 404",
  async (id) => {
    const page = await request(world.app()).get(`/connect/result/${id}`).set("Accept", "text/html");
    expect(page.status).toBe(404);
    expect(page.text).toContain("There is no such page");
  },
);

test("what nobody foresaw is told opaquely, logged by name and place, and never by its message", async () => {
  const { app, state, cookie, callback } = await start();
  world.storeFault = new TypeError("canary c-4711");
  const back = await request(app).get(callback).query({ state, code: "c-4711" }).set("Cookie", cookie);
  expect(back.headers.location).toBe("/connect/error/internal_error?reference=req_0123456789");
  const page = await request(app).get(`${back.headers.location!}&server=${world.server.id}`);
  expect(page.status).toBe(500);
  expect(page.text).toContain("<code>req_0123456789</code>");
  expect(JSON.stringify(world.logged)).toMatch(/TypeError .*connect\.test\.ts/);
  expect(JSON.stringify(world.logged)).not.toContain("4711");
});

test("a store that is away asks for time, with Retry-After", async () => {
  world.storeFault = new Problem("store_unavailable", { retryAfterMs: 1_500 });
  const page = await request(world.app()).get(`/servers/${world.server.id}/libraries`);
  expect(page.status).toBe(503);
  expect(page.headers["retry-after"]).toBe("2");
  expect(page.text).toContain("Wait a minute and try again.");
});

test("an unknown code gets a general page, and words of Object are no codes", async () => {
  for (const code of ["nonsense", "constructor", "__proto__", "toString"]) {
    const page = await request(world.app()).get(`/connect/error/${code}`);
    expect(page.status).toBe(404);
    expect(page.text).toContain("Something did not work");
    expect(page.text).not.toContain(code);
  }
});

test("a fault of iManage is told as 424, so that a proxy does not put its own page in its place", async () => {
  const page = await request(world.app()).get("/connect/error/code_expired_at_imanage");
  expect(page.status).toBe(424);
  expect(page.text).toContain("Work Token Grant Expiry");
});
