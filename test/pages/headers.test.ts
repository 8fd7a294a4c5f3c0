import { createHash } from "node:crypto";
import request, { type Response } from "supertest";
import { beforeEach, expect, test } from "vitest";
import { cookiesOf, World } from "./kit.ts";

let world: World;
beforeEach(async () => {
  world = await World.open();
});

function expectGuarded({ headers, text }: Response): void {
  const policy = Object.fromEntries(
    headers["content-security-policy"]!.split(";").map((part) => {
      const [name, ...sources] = part.split(" ");
      return [name, sources.join(" ")];
    }),
  );
  expect(policy).toEqual({
    "default-src": "'none'",
    "style-src": expect.stringMatching(/^'sha256-[\w+/]{43}='$/),
    "img-src": "'self' data:",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
  });
  expect(headers["referrer-policy"]).toBe("no-referrer");
  expect(headers["cache-control"]).toBe("no-store");
  expect(headers["x-frame-options"]).toBe("DENY");
  expect(headers["x-content-type-options"]).toBe("nosniff");
  expect(headers.etag).toBeUndefined();
  if (text === "" || text === undefined) return;
  const style = /<style>([\s\S]*?)<\/style>/.exec(text)![1]!;
  const hash = createHash("sha256").update(style).digest("base64");
  expect(policy["style-src"]).toBe(`'sha256-${hash}'`);
  // Nothing is loaded from anywhere, and no script is there at all.
  expect(text).not.toMatch(/<script|<iframe|<object|<img|@import|url\(|\son\w+=|\sstyle=|javascript:/i);
  expect(text.match(/<link[^>]*>/g)).toEqual(['<link rel="icon" href="data:,">']);
}

test("T08 every browser route answers with the headers, whatever it answers", async () => {
  world.administers("ACTIVE");
  world.lend("ACTIVE");
  const app = world.app();
  const { session, start } = world.begin();
  const { cookie, csrf } = world.signIn();
  const page = `/servers/${world.server.id}/libraries`;
  const get = (path: string) => request(app).get(path).set("Accept", "text/html").set("Cookie", cookie);
  const post = (path: string, form: object) =>
    request(app).post(path).type("form").set("Cookie", cookie).send(form);
  const answers = [
    await get(`/connect/start/${start}`),
    await get(`/connect/start/${start}`),
    await request(app).head(`/connect/start/${start}`),
    await get(`/oauth2/callback/${world.registration.id}?code=c&state=s`),
    await get("/oauth2/callback/x/y?code=c&state=s"),
    await get("/oauth2/callback/%E0%A4%A?code=c&state=s"),
    await get(`/connect/result/${session.id}`),
    await get("/connect/result/none"),
    await get("/connect/error/internal_error"),
    await get("/connect/error/none"),
    await request(app).get(page),
    await get(page),
    await get(`${page}/ACTIVE/authorize`),
    await get(`${page}/ACTIVE/withdraw`),
    await get(`${page}/ACTIVE/details`),
    await get(`${page}/NOWHERE/details`),
    await get(`${page}/authorize-selected`),
    await post(`${page}/authorize-selected`, { csrf: "x", library: "ACTIVE" }),
    await post(`${page}/authorize-selected`, { csrf }),
    await post(`${page}/authorize-selected`, { csrf, library: "ACTIVE" }),
    await post(`${page}/authorize-selected`, { csrf, library: "ACTIVE", email: "DTAYLOR" }),
    await get(`${page}/sign-in`),
    await get(`${page}/sign-out`),
    await post(`${page}/sign-in`, {}),
    await post(`${page}/sign-in`, {}).set("Sec-Fetch-Site", "same-origin"),
    await post(`${page}/ACTIVE/authorize`, { csrf, email: "DTAYLOR" }),
    await post(`${page}/ACTIVE/authorize`, { csrf, email: "x" }),
    await post(`${page}/ACTIVE/authorize`, { csrf, email: "x".repeat(5_000) }),
    await post(`${page}/ACTIVE/withdraw`, { csrf }),
    await post(`${page}/calendar`, { csrf, instead: "" }),
    await post(`${page}/calendar`, { csrf, instead: "" }),
    await post(`${page}/calendar`, { csrf: "x" }),
    await post(`${page}/calendar/revoke`, { csrf: "x" }),
    await post(`${page}/calendar/revoke`, { csrf }),
    await get(`${page}/calendar`),
    await get("/calendars/none.ics"),
    await get("/calendars/%E0%A4%A.ics"),
    await post(`${page}/sign-out`, { csrf: "x" }),
    await post(`${page}/sign-out`, { csrf }),
    await get("/servers/nowhere"),
    ...(await portalAnswers(app)),
    await get("/connect"),
  ];
  for (const answer of answers) expectGuarded(answer);
  expect(new Set(answers.map(({ status }) => status))).toEqual(
    new Set([200, 303, 400, 403, 404, 405, 409, 410, 422, 500]),
  );
  world.storeFault = new Error("away");
  expectGuarded(await get(page));
});

test("T09 the logo is a picture with a policy of its own, beside the name on every page; without one there is nothing", async () => {
  const bytes = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9v9z"/></svg>');
  const app = world.app({ logo: { type: "image/svg+xml", bytes } });
  const { headers, body, status } = await request(app).get("/brand/logo");
  expect(status).toBe(200);
  expect(Buffer.from(body).toString()).toBe(bytes.toString());
  expect(headers["content-type"]).toBe("image/svg+xml");
  expect(headers["content-security-policy"]).toBe("default-src 'none'; sandbox");
  expect(headers["x-content-type-options"]).toBe("nosniff");
  expect(headers["set-cookie"]).toBeUndefined();
  const page = await request(app).get("/connect/error/internal_error").set("Accept", "text/html");
  expect(page.text.match(/<img[^>]*>/g)).toEqual(['<img src="/brand/logo" alt="" height="32">']);
  const without = world.app();
  expect((await request(without).get("/brand/logo").set("Accept", "text/html")).status).toBe(404);
  expect((await request(without).get("/connect/error/internal_error")).text).not.toContain("<img");
});

async function portalAnswers(app: ReturnType<World["app"]>): Promise<Response[]> {
  world.bind();
  const other = world.another("Brief builder");
  world.bind(world.admin, "b-17", other.id);
  const { cookie, csrf } = world.visit({ upstreamUser: "dtaylor" });
  const home = "/my-integrations";
  const page = `${home}/${world.server.id}`;
  const get = (path: string) => request(app).get(path).set("Accept", "text/html").set("Cookie", cookie);
  const post = (path: string, form: object) =>
    request(app).post(path).type("form").set("Cookie", cookie).send(form);
  const link = `/portal/open/${world.portalLink()}`;
  return [
    await request(app).head(link),
    await get(link),
    await get(link),
    await get("/portal"),
    await request(app).get(home),
    await get(home),
    await get(`${page}/authorize`),
    await post(`${page}/authorize`, { csrf }),
    await post(`${page}/authorize`, { csrf: "x" }),
    await get(`${page}/disconnect`),
    await get(`${page}/applications/${other.id}`),
    await get(`${page}/applications/none`),
    await post(`${page}/applications/${other.id}`, { csrf }),
    await post(`${page}/disconnect`, { csrf: "x" }),
    await post(`${page}/disconnect`, { csrf }),
    await get(`${home}/none/disconnect`),
    ...(await settingsAnswers(app)),
  ];
}

async function settingsAnswers(app: ReturnType<World["app"]>): Promise<Response[]> {
  const { cookie, csrf } = world.visit({ role: "organisation_admin" });
  const server = `/settings/servers/${world.server.id}`;
  const added = { csrf, name: "new", address: "https://new.example", client_id: "x" };
  const get = (path: string) => request(app).get(path).set("Accept", "text/html").set("Cookie", cookie);
  const post = (path: string, form: object) =>
    request(app).post(path).type("form").set("Cookie", cookie).send(form);
  return [
    await request(app).get("/settings"),
    await get("/settings"),
    await get("/settings/access"),
    await post("/settings/access", { csrf, access: "off" }),
    await post("/settings/access", { csrf, access: "some" }),
    await post("/settings/access", { csrf: "x", access: "off" }),
    await get("/settings/new-server"),
    await post("/settings/new-server", { csrf }),
    await post("/settings/new-server", added),
    await get(server),
    await post(server, { csrf }),
    await post(server, { csrf, secret: "a-secret" }),
    await get("/settings/servers/none"),
    await get("/settings/nowhere"),
  ];
}

test("T08 code and state never stay in an address: every end of a callback is a 303 to one without them", async () => {
  const app = world.app();
  const ends: ((query: string) => string)[] = [
    (query) => `/oauth2/callback/${world.registration.id}?${query}`,
    (query) => `/oauth2/callback/${world.registration.id}/?${query}`,
    (query) => `/OAUTH2/Callback/${world.registration.id}?${query}`,
    (query) => `/oauth2/callback/reg_unknown?${query}`,
    (query) => `/oauth2/callback/?${query}`,
    (query) => `/oauth2/callback?${query}`,
    (query) => `/oauth2/callback/a/b/c?${query}`,
    (query) => `/oauth2/callback/%?${query}`,
  ];
  for (const end of ends)
    for (const members of [{}, { error: "access_denied" }, { error: "c-4711" }]) {
      const { start } = world.begin();
      const left = await request(app).get(`/connect/start/${start}`);
      const state = new URL(left.headers.location!).searchParams.get("state")!;
      const query = new URLSearchParams({ state, code: "c-4711", ...members }).toString();
      const back = await request(app).get(end(query)).set("Cookie", cookiesOf(left.headers));
      expect(back.status, end("")).toBe(303);
      expect(back.headers.location).not.toContain("4711");
      expect(back.headers.location).not.toContain(state);
      expectGuarded(back);
    }
});
