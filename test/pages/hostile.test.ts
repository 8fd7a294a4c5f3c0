import { afterEach, beforeEach, expect, test } from "vitest";
import type { UpstreamUser } from "../../src/domain/grant.ts";
import { hostileTexts } from "./hostile-text.ts";
import { type Served, serve, World } from "./kit.ts";

const texts = hostileTexts();

let world: World;
let served: Served;
/** Read at every request, so that one server shows every word. */
const settings = { productName: "", supportContact: "" };
beforeEach(async () => {
  Object.assign(settings, { productName: "Broker", supportContact: "help" });
  world = await World.open();
  served = await serve(world, settings);
});
afterEach(() => served.close());

/** What a browser would take for markup: tags with the names of their attributes. Text cannot add to it. */
const skeleton = (html: string): string =>
  (html.match(/<[^>]*>/g) ?? []).map((tag) => tag.replaceAll(/"[^"]*"/g, '""')).join("\n");

/** The page of hostile words has the very tags of the page of harmless ones, and no address of theirs. */
function expectHarmless(hostile: string, harmless: string): void {
  expect(skeleton(hostile)).toBe(skeleton(harmless));
  for (const [, address] of hostile.matchAll(/(?:href|action|src)="([^"]*)"|url=([^"]*)"/g))
    expect(address ?? "").toMatch(
      /^$|^#$|^data:,$|^\/(?![/\\])|^https:\/\/(firm\.cloudimanage\.com|app\.example)\//,
    );
  expect(hostile).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/);
}

test("T09 the corpus has five hundred strings or more, all different", () => {
  expect(new Set(texts).size).toBeGreaterThanOrEqual(500);
});

test("T09 names of people, libraries, servers and applications stay text on every page", async () => {
  const html = async (word: string) => {
    const user: UpstreamUser = { customerId: "5948", userId: word, name: word, email: word };
    world.client = { ...world.client, displayName: word };
    world.server = { ...world.server, displayName: word };
    world.lent.clear();
    world.grants.clear();
    // The first letter keeps the rows in one order.
    world.administers(
      { id: word, displayName: `A${word}` },
      { id: "GONE", displayName: `B${word}`, hidden: true },
    );
    world.lend(word, user);
    world.lend("GONE", { ...user, userId: `${word}2` }, { state: "reauthorization_required" });
    const { cookie, csrf } = world.signIn(user);
    const failed = world.begin({ state: "failed", problem: "authorization_refused" });
    const waiting = world.begin({ state: "returned", returnedAt: world.now });
    Object.assign(settings, { productName: word, supportContact: word });
    const page = `/servers/${world.server.id}/libraries`;
    const library = encodeURIComponent(word);
    const form = `${page}/${library}/authorize`;
    const answers = await Promise.all([
      served.get(page, cookie),
      served.get(page),
      served.get(`${page}?authorized=${library}`, cookie),
      served.get(`${page}/${library}/withdraw`, cookie),
      served.get(form, cookie),
      served.post(form, cookie, { csrf, email: `${word}!` }),
      served.get(`/connect/result/${failed.session.id}`),
      served.get(`/connect/result/${waiting.session.id}`),
      served.get(`/connect/error/refresh_token_missing?server=${world.server.id}`),
    ]);
    world.sessions.clear();
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 422, 200, 200, 424]);
    return answers.map(({ text }) => text);
  };
  const harmless = await html("word");
  for (const word of texts) {
    const hostile = await html(word);
    hostile.forEach((page, at) => void expectHarmless(page, harmless[at]!));
  }
}, 120_000);

test("T09 names stay text on the pages of the portal too, and what is typed into their forms", async () => {
  const html = async (word: string) => {
    const user: UpstreamUser = { customerId: "5948", userId: word, name: word, email: word };
    for (const map of [world.grants, world.bindings, world.others, world.portalVisits]) map.clear();
    world.client = { ...world.client, displayName: word };
    world.server = { ...world.server, displayName: word, customerId: word };
    world.registration = { ...world.registration, clientId: word };
    const members = { everyone: false as const, subjects: [word], claims: [{ name: word, value: word }] };
    world.firm = { ...world.firm, displayName: word, members };
    const { id } = world.bind(user);
    const other = world.another(word);
    world.bind(user, word, other.id);
    world.bindings.get(id)!.push({ type: "library", library: word, since: world.now });
    const { cookie } = world.visit({ displayName: word });
    const admin = world.visit({ role: "organisation_admin", displayName: word });
    const form = { csrf: admin.csrf, access: "some", subjects: word };
    const mine = `/my-integrations/${world.server.id}`;
    // With an @: the sheet says something else where there is none.
    Object.assign(settings, { productName: word, supportContact: `@${word}` });
    const answers = await Promise.all([
      served.get(`/my-integrations?connected=${world.server.id}`, cookie),
      served.get(`${mine}/disconnect`, cookie),
      served.get(`${mine}/applications/${other.id}`, cookie),
      served.get("/settings", admin.cookie),
      served.get("/settings/access", admin.cookie),
      served.post("/settings/access", admin.cookie, { ...form, claims: word.replaceAll("=", "-") }),
      served.get(`/settings/servers/${world.server.id}`, admin.cookie),
      served.post("/settings/new-server", admin.cookie, {
        csrf: admin.csrf,
        name: "Not a name",
        address: `${word}/x`,
      }),
    ]);
    // A firm that the store would take, so that the difference is shown.
    world.firm = { ...world.firm, displayName: "Firm" };
    answers.push(await served.post("/settings/access", admin.cookie, form));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 422, 200, 422, 200]);
    return answers.map(({ text }) => text);
  };
  const harmless = await html("word");
  // The corpus' first third holds every way in; the others differ in what a script would do.
  for (const word of texts.slice(0, texts.length / 3)) {
    const hostile = await html(word);
    hostile.forEach((page, at) => void expectHarmless(page, harmless[at]!));
  }
}, 120_000);

test("T09 names stay text on a library's own page and where many are authorized, and what is looked for stays in its field", async () => {
  const html = async (word: string) => {
    // He types his id into the form, which knows no space at either end of it.
    const user: UpstreamUser = { customerId: "5948", userId: "DTAYLOR", name: word, email: undefined };
    const pat: UpstreamUser = { ...user, userId: word, email: word };
    for (const map of [world.grants, world.lent]) map.clear();
    world.syncs.length = 0;
    world.client = { ...world.client, displayName: word };
    world.server = { ...world.server, displayName: word };
    world.administers({ id: word, displayName: `A${word}` }, { id: "HIS", displayName: `B${word}` });
    world.lend(word, user);
    world.lend("HIS", pat, { state: "reauthorization_required" });
    world.sync(word);
    const { cookie: own, csrf } = world.signIn(user);
    const cookie = `${own}; ${world.visit({ displayName: word }).cookie}`;
    const asserted = world.visit({ upstreamUser: `${word}.`, displayName: word }).cookie;
    const page = `/servers/${world.server.id}/libraries`;
    const answers = await Promise.all([
      served.get(`${page}/${encodeURIComponent(word)}/details`, cookie),
      served.get(`${page}/HIS/details`, cookie),
      served.get(`${page}/HIS/authorize`, cookie),
      served.post(`${page}/HIS/authorize`, cookie, { csrf, email: "DTAYLOR", replaces: "nobody" }),
      served.post(`${page}/authorize-selected`, cookie, { csrf, library: "HIS" }),
      served.post(`${page}/authorize-selected`, cookie, { csrf, library: word, email: `${word}!` }),
      served.get(`${page}?find=${encodeURIComponent(`${word} ~`)}`, cookie),
      served.get(page, asserted),
      served.get(page, `${own}; ${asserted}`),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 409, 200, 422, 200, 200, 200]);
    return answers.map(({ text }) => text);
  };
  const harmless = await html("word");
  // The corpus' first third holds every way in; the others differ in what a script would do.
  for (const word of texts.slice(0, texts.length / 3)) {
    const hostile = await html(word);
    hostile.forEach((page, at) => void expectHarmless(page, harmless[at]!));
  }
}, 120_000);

test("T09 nothing that comes through an address is shown, let alone as markup", async () => {
  const page = `/servers/${world.server.id}/libraries`;
  world.administers("ACTIVE");
  world.bind();
  const cookie = `${world.signIn().cookie}; ${world.visit().cookie}`;
  const mine = "/my-integrations";
  const paths = (word: string): string[] => {
    const hostile = encodeURIComponent(word);
    return [
      `/connect/error/${hostile}`,
      `/connect/error/internal_error?reference=${hostile}&server=${hostile}`,
      `/connect/result/${hostile}`,
      `/connect/start/${hostile}`,
      `/servers/${hostile}/libraries`,
      `${page}?authorized=${hostile}&withdrawn=${hostile}&notice=${hostile}`,
      `${page}?show=${hostile}&select=${hostile}`,
      `${page}/${hostile}/authorize`,
      `${page}/${hostile}/details`,
      `${page}/${hostile}/withdraw`,
      `/connect/error/upstream_user_mismatch?expected=${hostile}&signed_in_as=${hostile}`,
      `/portal/open/${hostile}`,
      `${mine}?connected=${hostile}&disconnected=${hostile}`,
      `${mine}/${hostile}/disconnect`,
      `${mine}/${world.server.id}/applications/${hostile}`,
    ];
  };
  const load = (path: string) => served.get(path, cookie);
  const harmless = await Promise.all(paths("~").map(load));
  for (const word of texts) {
    const answers = await Promise.all(paths(word).map(load));
    answers.forEach(({ text, status }, at) => {
      expect(status).toBe(harmless[at]!.status);
      expect(text).toBe(harmless[at]!.text);
    });
  }
}, 120_000);

test("T09 what iManage sends as error, description and code is neither shown nor logged", async () => {
  for (const word of texts) {
    const { session, start } = world.begin();
    const left = await served.get(`/connect/start/${start}`);
    const to = new URL(left.location);
    const query = new URLSearchParams({
      state: to.searchParams.get("state")!,
      error: word,
      error_description: word,
      error_uri: word,
      code: word,
    });
    const callback = new URL(to.searchParams.get("redirect_uri")!).pathname;
    const back = await served.get(`${callback}?${query}`, left.cookies);
    expect(back.location).toBe(`/connect/result/${session.id}`);
    const page = await served.get(back.location);
    expect(page.text).toContain("<code>authorization_refused</code>");
    expect(page.text.includes(word)).toBe(false);
  }
  expect(JSON.stringify(world.logged)).not.toMatch(/alert|evil|owned|script/);
}, 120_000);
