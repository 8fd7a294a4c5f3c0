import type { Express } from "express";
import request from "supertest";
import { beforeEach, expect, test } from "vitest";
import type { UpstreamUser } from "../../src/domain/grant.ts";
import { days, minutes } from "../../src/domain/instant.ts";
import { answered, cookiesOf, serve, World } from "./kit.ts";

let world: World;
let app: Express;
let page: string;
beforeEach(async () => {
  world = await World.open();
  app = world.app();
  page = `/servers/${world.server.id}/libraries`;
});

const get = (path: string, cookie = "") => request(app).get(path).set("Cookie", cookie);
const post = (path: string, cookie: string, form: object | string) =>
  request(app).post(path).type("form").set("Cookie", cookie).set("Sec-Fetch-Site", "same-origin").send(form);

const PAT: UpstreamUser = {
  customerId: "5948",
  userId: "PGONE",
  name: "Pat Gone",
  email: "pat@firm.example",
};

/** Back from iManage in the same browser. */
async function comeBack(left: { text: string; headers: Record<string, unknown> }, cookie: string) {
  const link = /content="0;url=([^"]+)"/.exec(left.text)![1]!.replaceAll("&amp;", "&");
  const to = new URL(link);
  return request(app)
    .get(new URL(to.searchParams.get("redirect_uri")!).pathname)
    .query({ state: to.searchParams.get("state"), code: "c-1" })
    .set("Cookie", `${cookiesOf(left.headers)}; ${cookie}`);
}

const rowsOf = (html: string): string[] =>
  html.split('<tr role="row">').filter((part) => part.includes('scope="row"'));
const namesOf = (html: string): string[] => rowsOf(html).map((row) => /<bdi>([^<]*)<\/bdi>/.exec(row)![1]!);

test("a library is found by a part of its name or id, whatever its case", async () => {
  world.administers({ id: "LEGACY", displayName: "Old matters" }, "ACTIVE", "LITIGATION");
  const { cookie } = world.signIn();
  expect(namesOf((await get(`${page}?find=MATT`, cookie)).text)).toEqual(["Old matters"]);
  expect(namesOf((await get(`${page}?find=ti`, cookie)).text)).toEqual(["ACTIVE", "LITIGATION"]);
  const none = await get(`${page}?find=zzz`, cookie);
  expect(namesOf(none.text)).toEqual([]);
  expect(none.text).toContain("No library fits.");
  expect(none.text).toContain('value="zzz"');
});

test("each filter says how many it would show, and which one is on", async () => {
  world.administers("ACTIVE", "FREE", "GONE", "SOON");
  world.lend("ACTIVE");
  world.lend("GONE", PAT, { state: "reauthorization_required" });
  world.lend("SOON", { ...PAT, userId: "SLATE" }, { refreshTokenExpiresAt: world.now + days(9) });
  const { cookie } = world.signIn();
  const counts = (text: string) =>
    Object.fromEntries(
      [...text.matchAll(/>([A-Z][a-z ]+) <span class="quiet">\((\d+)\)/g)].map(([, name, n]) => [
        name,
        Number(n),
      ]),
    );
  const all = await get(page, cookie);
  expect(counts(all.text)).toEqual({
    All: 4,
    Unauthorized: 1,
    Authorized: 2,
    "Needs attention": 1,
    "Renew soon": 1,
  });
  for (const [show, names] of [
    ["unauthorized", ["FREE"]],
    ["authorized", ["ACTIVE", "SOON"]],
    ["needs_attention", ["GONE"]],
    ["renew_soon", ["SOON"]],
    ["constructor", ["ACTIVE", "FREE", "GONE", "SOON"]],
  ] as const) {
    const { text } = await get(`${page}?show=${show}`, cookie);
    expect([show, namesOf(text)]).toEqual([show, names]);
    expect(text.match(/aria-current="true"/g)).toHaveLength(1);
  }
  // Of what is looked for, not of all.
  expect(counts((await get(`${page}?find=o`, cookie)).text)).toMatchObject({ All: 2, Authorized: 1 });
});

test("hidden libraries, the security policy library and what is listed no more are set apart and explained", async () => {
  world.administers("ACTIVE", { id: "LEGACY", hidden: true }, { id: "POLICY", kind: "security_policy" });
  const { cookie } = world.signIn();
  const { text } = await get(page, cookie);
  expect(
    [...text.matchAll(/<caption><b>([^<]*)<\/b> \((\d+)\)/g)].map(([, title, n]) => `${title} ${n}`),
  ).toEqual(["Libraries 1", "Hidden in iManage 1", "Security policy library 1"]);
  expect(text).toContain("marks them as hidden");
  expect(text).toContain("leave it alone");
  const policy = rowsOf(text).find((row) => row.includes("POLICY"))!;
  expect(policy, "not one of many").not.toContain('type="checkbox"');
});

test("who depends on a library is said on the list, on its own page, and before its authorization is withdrawn", async () => {
  world.administers("ACTIVE");
  world.lend("ACTIVE");
  world.sync("ACTIVE");
  const { cookie } = world.signIn();
  expect((await get(page, cookie)).text).toContain("<bdi>Matter Checklists</bdi>");
  const words = "sync runs, complete 7 minutes ago";
  expect((await get(`${page}/ACTIVE/details`, cookie)).text).toContain(words);
  const asked = await get(`${page}/ACTIVE/withdraw`, cookie);
  expect(asked.text).toContain("1 application depends on it:");
  expect(asked.text).toContain(words);
  world.sync("ACTIVE", {
    client: world.another("Brief builder").id,
    state: "parked",
    lastCompleteAt: undefined,
  });
  const both = await get(`${page}/ACTIVE/details`, cookie);
  expect(both.text).toContain("sync waits for the authorization, never complete so far");
  expect((await get(page, cookie)).text).toContain("2 applications");
});

test("a library's own page says what is wrong, since when, who acts and how, and whether tokens stop", async () => {
  world.administers("GONE", "WELL");
  world.lend("GONE", PAT, {
    state: "reauthorization_required",
    lastProblem: { code: "reauthorization_required", at: world.now - minutes(90) },
  });
  const { cookie } = world.signIn();
  const { text } = await get(`${page}/GONE/details`, cookie);
  expect(text).toContain("<title>GONE, Firm &amp; Partners iManage");
  expect(text).toContain("iManage no longer accepts the authorization of Pat Gone");
  expect(text).toContain("Applications get no tokens for this library until then.");
  expect(text).toContain("Any admin of this library (NRTADMIN), on this page");
  expect(text).toContain("4 March 2026, 12:35 UTC");
  expect((await get(`${page}/WELL/details`, cookie)).text).not.toContain("What is wrong");
  expect((await get(`${page}/NOWHERE/details`, cookie)).status).toBe(404);
  expect((await get(`${page}/GONE/details`)).headers.location).toBe(page);
});

test("the last error of a sync is told with its remedy", async () => {
  world.administers("ACTIVE");
  world.lend("ACTIVE");
  world.sync("ACTIVE", {
    failures: 3,
    lastError: { code: "user_not_in_access", at: world.now - minutes(5) },
  });
  const { cookie } = world.signIn();
  expect((await get(page, cookie)).text).toContain(
    "Last sync failed: iManage does not let this user use the application.",
  );
  const { text } = await get(`${page}/ACTIVE/details`, cookie);
  expect(text).toContain("The last sync failed");
  expect(text).toContain("choose <b>All Users</b> or add the user");
});

test.each([
  [true, true, "iManage has NRTADMIN twice"],
  [true, false, "You have the role and are not in the group."],
  [false, true, "You are in the group, and iManage&#39;s operations do not show the role."],
])(
  "rights by operations %j and by group %j are explained",
  async (adminByOperations, adminByGroup, words) => {
    world.administers({ id: "ACTIVE", adminByOperations, adminByGroup });
    const { text } = await get(`${page}/ACTIVE/details`, world.signIn().cookie);
    expect(text).toContain(words);
  },
);

test("what is wrong with the server is said once, and not in two hundred rows", async () => {
  world.administers("ONE", "TWO");
  world.lend("ONE");
  world.lend("TWO");
  world.closed = { why: "upstream", since: world.now - minutes(3) };
  const { text } = await get(page, world.signIn().cookie);
  expect(text.match(/See whether iManage is up/g)).toHaveLength(1);
  expect(text).toContain("2 libraries are affected");
});

test("selected libraries are authorized by one sign-in, and the page says how many and names those that were refused", async () => {
  world.administers("ONE", "TWO", "THREE");
  const { cookie, csrf } = world.signIn();
  const listed = await get(`${page}?select=shown`, cookie);
  expect(listed.text.match(/type="checkbox" name="library" value="\w+" checked/g)).toHaveLength(3);
  expect((await get(page, cookie)).text).not.toContain(" checked>");

  const asked = await post(
    `${page}/authorize-selected`,
    cookie,
    `csrf=${csrf}&library=ONE&library=TWO&library=THREE`,
  );
  expect(asked.status).toBe(200);
  expect(asked.text).toContain("<h1>Authorize 3 libraries</h1>");
  expect(asked.headers["set-cookie"]).toBeUndefined();
  const fields = `csrf=${csrf}&library=ONE&library=TWO&library=THREE&email=`;
  for (const [email, fault] of [
    ["", "Enter your e-mail id."],
    ["somebody%40else.example", "This is not the e-mail id of Dana Taylor"],
  ]) {
    const refused = await post(`${page}/authorize-selected`, cookie, fields + email);
    expect([refused.status, refused.text.includes(fault!)]).toEqual([422, true]);
  }
  const left = await post(`${page}/authorize-selected`, cookie, `${fields}DTAYLOR`);
  // Meanwhile he lost the role in one of them.
  world.administers("ONE", "TWO", { id: "THREE", adminByOperations: false });
  const back = await comeBack(left, cookie);
  expect(back.headers.location).toBe(`${page}?authorized=`);
  expect(world.redemptions).toBe(1);
  const { text } = await get(back.headers.location!, cookiesOf(back.headers));
  expect(text).toContain("2 libraries are authorized.");
  expect(text).toContain("1 library was not authorized:");
  expect(text).toContain("<b><bdi>THREE</bdi></b>: You have no NRTADMIN access to it.");
  expect([...world.lent.keys()].toSorted()).toEqual(["ONE", "TWO"]);
  // The same address without this sign-in says nothing.
  expect((await get(`${page}?authorized=`, world.signIn().cookie)).text).not.toContain('role="status"');
});

test("nothing selected, or nothing of his, is told and leads nowhere", async () => {
  world.administers("ONE", { id: "OTHERS", adminByOperations: false });
  const { cookie, csrf } = world.signIn();
  for (const library of ["", "&library=OTHERS", "&library=NOWHERE"]) {
    const told = await post(`${page}/authorize-selected`, cookie, `csrf=${csrf}${library}&email=DTAYLOR`);
    expect(told.status).toBe(422);
    expect(told.text).not.toContain("NOWHERE");
  }
  expect(world.requests.size).toBe(0);
  expect((await get(`${page}/authorize-selected`, cookie)).headers.location).toBe(page);
});

test("T03 a selection without the session's own token, or from another site, changes nothing", async () => {
  world.administers("ONE");
  const { cookie, csrf } = world.signIn();
  for (const [form, site] of [
    ["", "same-origin"],
    [`csrf=${world.signIn(PAT).csrf}&`, "same-origin"],
    [`csrf=${csrf}&csrf=${csrf}&`, "same-origin"],
    [`csrf=${csrf}&`, "cross-site"],
  ] as const) {
    const answer = await request(app)
      .post(`${page}/authorize-selected`)
      .type("form")
      .set("Cookie", cookie)
      .set("Sec-Fetch-Site", site)
      .send(`${form}library=ONE&email=DTAYLOR`);
    expect([form, site, answer.status]).toEqual([form, site, 403]);
  }
  expect(world.requests.size).toBe(0);
});

test("T11 of many, another's libraries change hands only where he is ticked, owner by owner", async () => {
  const ada = { ...PAT, userId: "ADA", name: "Ada Else" };
  world.administers("ONE", "TWO", "THREE");
  world.lend("TWO", PAT);
  world.lend("THREE", ada);
  const { cookie, csrf } = world.signIn();
  const all = `csrf=${csrf}&library=ONE&library=TWO&library=THREE`;
  const asked = await post(`${page}/authorize-selected`, cookie, all);
  expect(asked.text).toContain("Replace the owner Pat Gone (PGONE) in 1 library");
  expect(asked.text).toContain("Replace the owner Ada Else (ADA) in 1 library");
  expect(asked.text).not.toContain(" checked>");

  const only = await post(`${page}/authorize-selected`, cookie, `csrf=${csrf}&library=TWO&email=DTAYLOR`);
  expect(only.status).toBe(422);
  expect(only.text).toContain("agree to replace an owner");

  const left = await post(`${page}/authorize-selected`, cookie, `${all}&email=DTAYLOR&replaces=PGONE`);
  await comeBack(left, cookie);
  const owners = [...world.lent].map(([library, { lentBy }]) => `${library} ${lentBy.userId}`).toSorted();
  expect(owners).toEqual(["ONE DTAYLOR", "THREE ADA", "TWO DTAYLOR"]);
});

test("T11 of a library that is not on his list nobody learns in a selection whether it is lent, or by whom", async () => {
  world.administers("ONE");
  world.lend("FOREIGN", PAT);
  const { cookie, csrf } = world.signIn();
  const answers = await Promise.all(
    ["FOREIGN", "NOWHERE"].map((library) =>
      post(
        `${page}/authorize-selected`,
        cookie,
        `csrf=${csrf}&library=ONE&library=${library}&email=DTAYLOR&replaces=PGONE`,
      ),
    ),
  );
  answers.push(
    await post(
      `${page}/authorize-selected`,
      cookie,
      `csrf=${csrf}&library=ONE&library=FOREIGN&email=DTAYLOR`,
    ),
  );
  for (const { status, text } of answers) {
    expect(status).toBe(200);
    expect(text).not.toMatch(/FOREIGN|p\*\*\*/);
  }
  await comeBack(answers[0]!, cookie);
  expect(world.lent.get("FOREIGN")?.lentBy.userId).toBe("PGONE");
});

test("replacing the owner says first what will happen; authorizing one's own again is called to renew", async () => {
  world.administers("HIS", "MINE");
  world.lend("HIS", PAT);
  world.lend("MINE");
  const { cookie, csrf } = world.signIn();
  expect((await get(`${page}/HIS/details`, cookie)).text).toContain(">Replace the owner<");
  const form = await get(`${page}/HIS/authorize`, cookie);
  expect(form.text).toContain("<h1>Replace the owner of HIS</h1>");
  expect(form.text).toContain(
    "HIS of Firm &amp; Partners iManage works with the authorization of Pat Gone (PGONE).",
  );
  expect(form.text).toContain("no request fails");
  expect(form.text).toContain('name="replaces" value="PGONE"');
  const left = await post(`${page}/HIS/authorize`, cookie, { csrf, email: "DTAYLOR", replaces: "PGONE" });
  await comeBack(left, cookie);
  expect(world.lent.get("HIS")?.lentBy.userId).toBe("DTAYLOR");
  const own = world.signIn().cookie;
  expect((await get(`${page}/MINE/details`, own)).text).toContain(">Renew<");
  const renew = await get(`${page}/MINE/authorize`, own);
  expect(renew.text).toContain("<h1>Renew MINE</h1>");
  expect(renew.text).not.toContain("replaces");
});

test("T11 a renewal by somebody else changes nothing, names both people masked, and shows the way to replace", async () => {
  world.administers("HIS");
  world.lend("HIS", PAT);
  const { cookie, csrf } = world.signIn();
  for (const replaces of [undefined, "SOMEBODY"]) {
    const told = await post(`${page}/HIS/authorize`, cookie, {
      csrf,
      email: "DTAYLOR",
      ...(replaces && { replaces }),
    });
    expect(told.status).toBe(409);
    expect(told.text).toContain("HIS is authorized by somebody else");
    expect(told.text).toContain("<bdi>p***@firm.example</bdi>");
    expect(told.text).toContain("<bdi>d***@firm.example</bdi>");
    expect(told.text).not.toMatch(/Pat Gone|PGONE/);
    expect(told.text).toContain(`href="${page}/HIS/authorize"`);
  }
  expect(world.requests.size).toBe(0);
  expect(world.lent.get("HIS")?.lentBy.userId).toBe("PGONE");
});

test("T11 who signs in at iManage as somebody else than on the page is told of both, masked", async () => {
  world.administers("ACTIVE");
  const { cookie, csrf } = world.signIn();
  world.atImanage = PAT;
  const back = await comeBack(
    await post(`${page}/ACTIVE/authorize`, cookie, { csrf, email: "DTAYLOR" }),
    cookie,
  );
  const { text } = await get(back.headers.location!);
  expect(text).toContain("<bdi>d***@firm.example</bdi>");
  expect(text).toContain("<bdi>p***@firm.example</bdi>");
  // Anybody may write such an address: what is not masked, or of another problem, is not shown.
  for (const address of [
    "/connect/error/upstream_user_mismatch?expected=Call+555-0100&signed_in_as=p***",
    "/connect/error/authorization_denied?expected=d***&signed_in_as=p***",
  ])
    expect((await get(address)).text).not.toMatch(/555-0100|p\*\*\*/);
});

test("T11 where somebody lent the library meanwhile, he is led to the form that says whose place he would take", async () => {
  world.administers("ACTIVE");
  const { cookie, csrf } = world.signIn();
  const left = await post(`${page}/ACTIVE/authorize`, cookie, { csrf, email: "DTAYLOR" });
  world.lend("ACTIVE", PAT);
  const back = await comeBack(left, cookie);
  expect(back.headers.location).toBe(`${page}/ACTIVE/authorize`);
  expect((await get(back.headers.location!, cookie)).text).toContain("Replace the owner of ACTIVE");
  expect(world.lent.get("ACTIVE")?.lentBy.userId).toBe("PGONE");
});

test("a library that he lent and administers no more can be withdrawn and not authorized", async () => {
  world.administers({ id: "LOST", adminByOperations: false });
  world.lend("LOST");
  const { cookie, csrf } = world.signIn();
  const [row] = rowsOf((await get(page, cookie)).text);
  expect(row).not.toContain("checkbox");
  expect(row).not.toContain("/authorize");
  expect((await get(`${page}/LOST/authorize`, cookie)).status).toBe(404);
  expect((await get(`${page}/LOST/details`, cookie)).text).toContain("What you lent you may withdraw.");
  const done = await post(`${page}/LOST/withdraw`, cookie, { csrf });
  expect(done.headers.location).toBe(`${page}?withdrawn=LOST`);
});

test("a page that iManage keeps waiting begins at once, says that it reads, and ends with the libraries or with what went wrong", async () => {
  world.administers("ACTIVE");
  const served = await serve(world, {});
  const { cookie } = world.signIn();
  world.patience = Promise.resolve();
  try {
    for (const [libraries, words] of [
      [world.imanageLibraries, "ACTIVE"],
      [{ kind: "unavailable", reason: "test" }, "Wait a minute and try again"],
    ] as const) {
      const answered = Promise.withResolvers<void>();
      world.reading = answered.promise;
      world.imanageLibraries = libraries;
      const response = await fetch(served.origin + page, { headers: { Cookie: cookie } });
      expect(response.status).toBe(200);
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      while (!text.includes("Reading your libraries at iManage")) text += (await reader.read()).value;
      expect(text).toContain("Dana Taylor");
      expect(text).not.toContain(words);
      answered.resolve();
      for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
      expect(text).toContain(words);
      expect(text).toMatch(/<\/html>\s*$/);
    }
  } finally {
    await served.close();
  }
});

test("T02 whoever came from a client is signed in here only as the iManage user that it named", async () => {
  world.administers("ACTIVE");
  const visit = world.visit({ upstreamUser: "dtaylor", displayName: "Dana Taylor" });
  const shown = await get(page, visit.cookie);
  expect(shown.text).toContain("You came from Matter Checklists as Dana Taylor.");
  const signIn = () =>
    request(app)
      .post(`${page}/sign-in`)
      .type("form")
      .set("Cookie", visit.cookie)
      .set("Sec-Fetch-Site", "same-origin")
      .send({});

  world.atImanage = PAT;
  const refused = await comeBack(await signIn(), visit.cookie);
  expect(refused.headers.location).toMatch(/^\/connect\/error\/asserted_user_mismatch\?server=srv_/);
  expect(cookiesOf(refused.headers)).toBe("");
  expect(world.grants.size, "what came was thrown away").toBe(0);

  world.atImanage = world.admin;
  const left = await signIn();
  expect(left.text).toContain("login_hint=dtaylor");
  const back = await comeBack(left, visit.cookie);
  const list = await get(back.headers.location!, `${visit.cookie}; ${cookiesOf(back.headers)}`);
  expect(list.text).toContain("1 library with NRTADMIN access");
  expect(list.text).toContain(`Return<span class="hidden"> to Matter Checklists</span>`);
});

test("T02 somebody else who is still signed in in this browser is not shown to whom a client sent", async () => {
  world.administers("ACTIVE");
  world.lend("ACTIVE", PAT);
  const pat = world.signIn(PAT);
  const cookie = `${pat.cookie}; ${world.visit({ upstreamUser: "DTAYLOR" }).cookie}`;
  const shown = await get(page, cookie);
  expect(shown.text).toContain("is not the one that Matter Checklists names");
  expect(shown.text).not.toMatch(/Pat Gone|ACTIVE/);
  const posted = await post(`${page}/ACTIVE/withdraw`, cookie, { csrf: pat.csrf });
  expect(posted.headers.location).toBe(`${page}?notice=session-over`);
  expect(world.lent.size).toBe(1);
  // Where the client said nothing, or is another firm's, whoever signed in at iManage is who he is.
  const anybody = `${pat.cookie}; ${world.visit().cookie}`;
  expect((await get(page, anybody)).text).toContain("Pat Gone");
});

test("the portal's navigation leads to the page of each server that the client's policy names", async () => {
  const link = `href="${page}"`;
  const shown = async (change: Parameters<World["visit"]>[0] = {}) =>
    (await get(change.role === undefined ? "/my-integrations" : "/settings", world.visit(change).cookie))
      .text;
  expect(await shown()).toContain(link);
  expect(await shown({ role: "organisation_admin" })).toContain(link);
  world.firm = { ...world.firm, members: { everyone: false, subjects: ["u-2"], claims: [] } };
  expect(await shown(), "no member").not.toContain(link);
  world.firm = { ...world.firm, enabled: false };
  expect(await shown(), "switched off").not.toContain(link);
});

test("two hundred libraries are one page", async () => {
  world.administers(
    ...Array.from({ length: 200 }, (_, n) => ({ id: `LIB${n}`, displayName: `Practice group ${n}` })),
  );
  for (let n = 0; n < 150; n++) world.lend(`LIB${n}`);
  const { cookie } = world.signIn();
  const { text } = await get(page, cookie);
  expect(rowsOf(text)).toHaveLength(200);
  console.log(`figure: two hundred libraries are ${Math.round(text.length / 1_024)} KiB of HTML`);
  expect(text.length).toBeLessThan(1_024 * 1_024);
});

test("five hundred libraries with long names fit into one selection", async () => {
  const ids = Array.from({ length: 480 }, (_, n) => `${"L".repeat(100)}${n}`);
  world.administers(...ids);
  const { cookie, csrf } = world.signIn();
  const form = new URLSearchParams([["csrf", csrf], ...ids.map((id) => ["library", id])]).toString();
  const asked = await post(`${page}/authorize-selected`, cookie, form);
  expect(asked.text).toContain("<h1>Authorize 480 libraries</h1>");
  world.redemption = answered("another");
  const left = await post(`${page}/authorize-selected`, cookie, `${form}&email=DTAYLOR`);
  const back = await comeBack(left, cookie);
  expect(back.headers.location!.length).toBeLessThan(200);
  expect(world.lent.size).toBe(480);
});

test("who leaves is signed out of Background service authorization too, unless another site sent the form", async () => {
  world.administers("ONE");
  const [visit, signedIn] = [world.visit(), world.signIn()];
  const leave = (cookie: string, csrf: string, site: string) =>
    request(app)
      .post("/portal/leave")
      .type("form")
      .set("Cookie", cookie)
      .set("Sec-Fetch-Site", site)
      .send({ csrf });
  expect((await leave(`${visit.cookie}; ${signedIn.cookie}`, visit.csrf, "cross-site")).status).toBe(403);
  expect((await leave(signedIn.cookie, "", "cross-site")).status).toBe(200);
  expect(namesOf((await get(page, signedIn.cookie)).text)).toEqual(["ONE"]);

  const left = await leave(`${visit.cookie}; ${signedIn.cookie}`, visit.csrf, "same-origin");
  expect(left.text).toContain("Nobody can go on here in your place.");
  expect(String(left.headers["set-cookie"])).toMatch(/__Host-imb-page=; .*Max-Age=0/);
  expect(namesOf((await get(page, signedIn.cookie)).text)).toEqual([]);

  // A visit that has run out meanwhile.
  const later = world.signIn();
  await leave(later.cookie, "", "same-origin");
  expect(namesOf((await get(page, later.cookie)).text)).toEqual([]);
});

test("T02 another person who is sent to this browser does not go on as the library admin who was there before", async () => {
  world.administers("ONE");
  const [visit, signedIn] = [world.visit(), world.signIn()];
  const open = (link: string) => get(`/portal/open/${link}`, `${visit.cookie}; ${signedIn.cookie}`);
  expect((await open(world.portalLink())).status).toBe(303);
  expect(namesOf((await get(page, signedIn.cookie)).text)).toEqual(["ONE"]);

  const again = world.visit();
  const another = world.portalLink({ subject: { type: "user", issuer: "client", id: "u-2" } });
  const opened = await get(`/portal/open/${another}`, `${again.cookie}; ${signedIn.cookie}`);
  expect(String(opened.headers["set-cookie"])).toMatch(/__Host-imb-page=; .*Max-Age=0/);
  expect(namesOf((await get(page, signedIn.cookie)).text)).toEqual([]);
});
