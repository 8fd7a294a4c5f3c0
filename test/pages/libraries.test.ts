import type { Express } from "express";
import request from "supertest";
import { beforeEach, expect, test } from "vitest";
import { days } from "../../src/domain/instant.ts";
import { answered, BASE_URL, cookiesOf, IMANAGE, World } from "./kit.ts";

let world: World;
let app: Express;
let page: string;
beforeEach(async () => {
  world = await World.open();
  world.administers("ACTIVE", { id: "LEGACY", displayName: "Old matters", hidden: true });
  app = world.app();
  page = `/servers/${world.server.id}/libraries`;
});

const get = (path: string, cookie = "") => request(app).get(path).set("Cookie", cookie);
const post = (path: string, cookie = "", form: object = {}) =>
  request(app).post(path).type("form").set("Cookie", cookie).set("Sec-Fetch-Site", "same-origin").send(form);

/** The interstitial's address, as meta refresh and link agree on it. */
function leadsTo(html: string): URL {
  const link = /<a class="button" href="([^"]+)">Continue to iManage/.exec(html)![1]!;
  expect(html).toContain(`<meta http-equiv="refresh" content="0;url=${link}">`);
  return new URL(link.replaceAll("&amp;", "&"));
}

/** Back from iManage in the same browser. */
async function comeBack(left: { text: string; headers: Record<string, unknown> }, cookie = "") {
  const to = leadsTo(left.text);
  const callback = new URL(to.searchParams.get("redirect_uri")!).pathname;
  const cookies = [cookiesOf(left.headers), cookie].filter((each) => each !== "").join("; ");
  return request(app)
    .get(callback)
    .query({ state: to.searchParams.get("state"), code: "c-1" })
    .set("Cookie", cookies);
}

test("whoever is not signed in is told what the page is for, and signs in through iManage", async () => {
  const shown = await get(page);
  expect(shown.status).toBe(200);
  expect(shown.text).toContain("<h1>Background service authorization</h1>");
  expect(shown.text).toContain("Firm &amp; Partners iManage");
  expect(shown.text).not.toContain("ACTIVE");

  const left = await post(`${page}/sign-in`);
  expect(left.status).toBe(200);
  expect(leadsTo(left.text).origin).toBe(IMANAGE);
  expect(left.text).toContain("firm.cloudimanage.com");
  expect(left.headers["set-cookie"]).toEqual([expect.stringMatching(/^__Host-imb-connect-/)]);

  const back = await comeBack(left);
  expect(back.status).toBe(303);
  expect(back.headers.location).toBe(page);
  expect(cookiesOf(back.headers)).toMatch(/^__Host-imb-page=[\w-]{53}$/);
  const list = await get(back.headers.location!, cookiesOf(back.headers));
  expect(list.text).toContain("Dana Taylor");
  expect(list.text).toContain("2 libraries with NRTADMIN access: 0 authorized.");
});

test("a sign-in that another site asks for does not begin", async () => {
  const ask = (headers: Record<string, string>) =>
    request(app).post(`${page}/sign-in`).set(headers).type("form").send({});
  const cases: [Record<string, string>, number][] = [
    [{ "Sec-Fetch-Site": "same-origin" }, 200],
    [{ "Sec-Fetch-Site": "same-origin", Origin: "null" }, 200],
    [{ "Sec-Fetch-Site": "same-site" }, 403],
    [{ "Sec-Fetch-Site": "cross-site" }, 403],
    [{ "Sec-Fetch-Site": "none" }, 403],
    [{ "Sec-Fetch-Site": "cross-site", Origin: BASE_URL }, 403],
    [{ Origin: BASE_URL }, 200],
    [{ Origin: "null" }, 403],
    [{ Origin: `${BASE_URL}.evil.example` }, 403],
    [{ Origin: "https://evil.example", Host: "evil.example" }, 403],
    [{}, 403],
  ];
  for (const [headers, status] of cases)
    expect([headers, (await ask(headers)).status]).toEqual([headers, status]);
  expect(world.requests.size).toBe(3);
});

test("every status has its word, its owner and its times in UTC", async () => {
  const left = { customerId: "5948", userId: "PGONE", name: "Pat Gone", email: undefined };
  const soon = { customerId: "5948", userId: "SLATE", name: undefined, email: undefined };
  world.administers("ACTIVE", "FREE", "GONE", "SOON");
  world.lend("ACTIVE");
  world.lend("GONE", left, { state: "reauthorization_required" });
  world.lend("SOON", soon, { refreshTokenExpiresAt: world.now + days(9) });
  const { text } = await get(page, world.signIn().cookie);
  expect(text).toContain("4 libraries with NRTADMIN access: 2 authorized, 1 needing attention.");
  const rows = text.split('<tr role="row">').slice(2);
  expect(rows).toHaveLength(4);
  const [active, free, gone, late] = rows as [string, string, string, string];
  expect(active).toContain("Authorized</span>");
  expect(active).toContain("<bdi>DTAYLOR</bdi> (you)");
  expect(active).toContain('<time datetime="2026-01-23T14:05:00.000Z">23 January 2026</time>');
  expect(active).toContain(">4 March 2026, 11:05 UTC</time>");
  expect(active).toContain("3 hours ago");
  expect(active).toContain("in 11 months");
  expect(active).toContain("/libraries/ACTIVE/withdraw");
  expect(active).not.toContain("/authorize");
  expect(free).toContain("Unauthorized</span>");
  expect(free).toContain("/libraries/FREE/authorize");
  expect(free).not.toContain("/withdraw");
  expect(gone).toContain("Needs attention</span>");
  expect(gone).toContain("iManage no longer accepts the authorization of Pat Gone: either");
  expect(gone).toContain("Any library admin opens this page and authorizes again");
  expect(gone).toContain("/libraries/GONE/authorize");
  expect(gone).toContain("/libraries/GONE/withdraw");
  expect(late).toContain("Renew soon");
  expect(late).toContain("in 9 days");
});

test("libraries without NRTADMIN access are not shown, and none at all is explained", async () => {
  world.administers({ id: "OTHERS", adminByOperations: false }, { id: "MINE", adminByGroup: true });
  const { cookie } = world.signIn();
  const list = await get(page, cookie);
  expect(list.text).toContain("1 library with NRTADMIN access");
  expect(list.text).not.toContain("OTHERS");
  expect((await get(`${page}/OTHERS/authorize`, cookie)).status).toBe(404);
  world.administers({ id: "OTHERS", adminByOperations: false });
  expect((await get(page, cookie)).text).toContain("up to eight hours");
});

test("a library admin authorizes a library with his own credentials, and its row names him", async () => {
  const { cookie, csrf } = world.signIn();
  const form = await get(`${page}/ACTIVE/authorize`, cookie);
  expect(form.text).toContain("Use my credentials &amp; authorize</button>");
  expect(form.text).toContain("up to 365 days");

  const left = await post(`${page}/ACTIVE/authorize`, cookie, { csrf, email: " Dana.Taylor@firm.example " });
  expect(left.status).toBe(200);
  expect(leadsTo(left.text).searchParams.get("login_hint")).toBe("Dana.Taylor@firm.example");

  const back = await comeBack(left, cookie);
  expect(back.headers.location).toBe(`${page}?authorized=ACTIVE`);
  expect(world.pageSessions.size, "the session before is over").toBe(1);
  const list = await get(back.headers.location!, cookiesOf(back.headers));
  expect(list.text).toContain("ACTIVE is authorized.");
  expect(list.text).toContain("<bdi>DTAYLOR</bdi> (you)");
});

test.each(["", "   ", "somebody.else@firm.example"])(
  "the e-mail id %j is refused beside its field",
  async (email) => {
    const { cookie, csrf } = world.signIn();
    const { status, text, headers } = await post(`${page}/ACTIVE/authorize`, cookie, { csrf, email });
    expect(status).toBe(422);
    expect(text).toContain('aria-invalid="true"');
    expect(text).toContain(`value="${email}"`);
    expect(text).toMatch(/<title>Error: /);
    expect(headers["set-cookie"]).toBeUndefined();
    expect(world.requests.size).toBe(0);
  },
);

test("another person at iManage than the one on the page authorizes nothing", async () => {
  const { cookie, csrf } = world.signIn();
  world.atImanage = { customerId: "5948", userId: "ELSE", name: "Someone Else", email: undefined };
  const left = await post(`${page}/ACTIVE/authorize`, cookie, { csrf, email: "DTAYLOR" });
  const back = await comeBack(left, cookie);
  expect(back.headers.location).toMatch(/^\/connect\/error\/upstream_user_mismatch\?server=srv_/);
  expect(back.headers["set-cookie"]).toEqual([expect.stringContaining("Max-Age=0")]);
  expect(world.lent.size).toBe(0);
  const told = await get(back.headers.location!);
  expect(told.status).toBe(403);
  expect(told.text).toContain(`href="${page}"`);
});

test("withdrawing asks once more, then stops the library", async () => {
  world.lend("ACTIVE");
  const { cookie, csrf } = world.signIn();
  const asked = await get(`${page}/ACTIVE/withdraw`, cookie);
  expect(asked.text).toContain("Withdraw the authorization of ACTIVE?");
  expect(asked.text).toContain("Dana Taylor");
  expect(world.lent.size).toBe(1);
  const done = await post(`${page}/ACTIVE/withdraw`, cookie, { csrf });
  expect(done.headers.location).toBe(`${page}?withdrawn=ACTIVE`);
  expect(world.lent.size).toBe(0);
  expect((await get(done.headers.location!, cookie)).text).toContain(
    "The authorization of ACTIVE is withdrawn.",
  );
});

test("an address that claims what is not so is not repeated", async () => {
  const { cookie } = world.signIn();
  for (const query of [
    "?authorized=ACTIVE",
    "?withdrawn=NOWHERE",
    "?authorized=%3Cb%3E",
    "?notice=constructor",
  ])
    expect((await get(`${page}${query}`, cookie)).text).not.toContain('role="status"');
  expect((await get(`${page}?notice=constructor`)).text).not.toContain('role="status"');
});

test("T03 a form without the session's own token, or from another site, changes nothing", async () => {
  world.lend("ACTIVE");
  const { cookie, csrf } = world.signIn();
  const other = world.signIn({ ...world.admin, userId: "OTHER" });
  const attempts: [object, string][] = [
    [{}, "same-origin"],
    [{ csrf: "" }, "same-origin"],
    [{ csrf: other.csrf }, "same-origin"],
    [{ csrf: [csrf, csrf] }, "same-origin"],
    [{ csrf }, "cross-site"],
    [{ csrf }, "same-site"],
  ];
  for (const [form, site] of attempts)
    for (const path of ["ACTIVE/withdraw", "ACTIVE/authorize", "sign-out"]) {
      const answer = await request(app)
        .post(`${page}/${path}`)
        .type("form")
        .set("Cookie", cookie)
        .set("Sec-Fetch-Site", site)
        .send({ email: "DTAYLOR", ...form });
      expect([path, site, answer.status]).toEqual([path, site, 403]);
      expect(answer.text).toContain("This form is out of date");
    }
  expect(world.lent.size).toBe(1);
  expect(world.requests.size).toBe(0);
  expect(world.pageSessions.size).toBe(2);
});

test("signing out ends the session here and says that iManage's may go on", async () => {
  const { cookie, csrf } = world.signIn();
  const out = await post(`${page}/sign-out`, cookie, { csrf });
  expect(out.status).toBe(303);
  expect(out.headers["set-cookie"]).toEqual([expect.stringMatching(/^__Host-imb-page=; .*Max-Age=0/)]);
  expect(world.pageSessions.size).toBe(0);
  expect((await get(out.headers.location!, cookie)).text).toContain("still be signed in to iManage itself");
});

test("a session that is over, or of another server, signs nobody in", async () => {
  const { cookie, csrf } = world.signIn();
  world.now += 30 * 60_000;
  expect((await get(page, cookie)).text).toContain("Sign in with iManage</button>");
  const late = await post(`${page}/ACTIVE/withdraw`, cookie, { csrf });
  expect(late.headers.location).toBe(`${page}?notice=session-over`);
  expect((await get(late.headers.location!)).text).toContain("Your sign-in here is over");
  expect((await get(`${page}/ACTIVE/authorize`, cookie)).headers.location).toBe(page);
});

test.each([
  ["unauthorized", 409, "Sign in with iManage again"],
  ["forbidden", 403, "choose <b>All Users</b> or add the user"],
  ["throttled", 503, "Wait a minute and try again"],
  ["unavailable", 503, "Wait a minute and try again"],
] as const)("iManage says %s: the page keeps its frame and names the remedy", async (kind, status, words) => {
  const { cookie } = world.signIn();
  world.imanageLibraries = { kind, retryAfterMs: 7_000, reason: "canary" } as typeof world.imanageLibraries;
  const shown = await get(page, cookie);
  expect(shown.status).toBe(status);
  expect(shown.text).toContain(words);
  expect(shown.text).toContain("Dana Taylor");
  expect(shown.text).toContain("Sign out");
  expect(shown.text).not.toContain("canary");
  if (status === 503) expect(Number(shown.headers["retry-after"])).toBeGreaterThan(0);
});

test.each([
  ["form", "set <b>Allow Refresh Token</b> to <b>Yes</b>", "Allow Token Refresh"],
  ["package", "switch <b>Allow Token Refresh</b> on", "Allow Refresh Token"],
] as const)(
  "no refresh token came: the switch has the name that a registration by %s shows",
  async (registeredBy, named, other) => {
    world.server = { ...world.server, settings: { ...world.server.settings, registeredBy } };
    world.redemption = answered(undefined);
    const back = await comeBack(await post(`${page}/sign-in`));
    expect(back.headers.location).toMatch(/^\/connect\/error\/refresh_token_missing\?server=srv_/);
    const { text, status } = await get(back.headers.location!);
    expect(status).toBe(424);
    expect(text).toContain(named);
    expect(text).not.toContain(other);
  },
);

test("a library's name is one segment of an address, whatever is in it", async () => {
  const id = 'A/B "C"?#%';
  world.administers(id);
  const { cookie } = world.signIn();
  const { text } = await get(page, cookie);
  const link = /href="([^"]+\/authorize)"/.exec(text)![1]!;
  expect(link).toBe(`${page}/${encodeURIComponent(id)}/authorize`);
  expect((await get(link, cookie)).text).toContain("Authorize A/B &quot;C&quot;?#%</h1>");
});

test.each([
  "GET /connect",
  "GET /servers/x",
  "GET /servers/srv_x/libraries",
  "POST /connect/start/x",
  "GET /servers/%E0%A4%A/libraries",
])("%s leads nowhere and says so in HTML", async (line) => {
  const [method, path] = line.split(" ") as ["GET" | "POST", string];
  const asked = method === "GET" ? request(app).get(path) : request(app).post(path);
  const { status, text } = await asked.set("Accept", "text/html");
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
  expect(text).toContain("<!doctype html>");
});

test("whoever asks for JSON, or for a path that is no page, gets the API's own answer without the pages' headers", async () => {
  const json = await request(app).get("/servers/x").set("Accept", "application/json");
  expect(json.body).toEqual({ code: "not_found" });
  const other = await request(app).get("/v1/servers/x").set("Accept", "text/html");
  expect(other.body).toEqual({ code: "not_found" });
  expect(other.headers["content-security-policy"]).toBeUndefined();
});
