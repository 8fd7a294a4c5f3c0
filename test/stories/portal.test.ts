import { describe, expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { lendLibrary } from "../../scripts/walk/lend-library.ts";
import type { ClientId, OrganisationId } from "../../src/domain/id.ts";
import { everyone } from "../../src/domain/members.ts";
import type { ClientAction } from "../../src/domain/policy.ts";
import { expectPage, expectProblem, storedNouns, tokenRequests } from "../kit/connecting.ts";
import { withRules } from "../kit/policies.ts";
import {
  anotherClient,
  authorizeOnPage,
  completeReturn,
  enterPortal,
  openPortal,
  submit,
} from "../kit/portal.ts";
import { put } from "../kit/put-records.ts";
import { keysOf } from "../kit/redis.ts";
import { AMELIA, MOREAU, RETURN_URL, world } from "../kit/world.ts";

const AMELIA_AT_IMANAGE = "Amelia.Hart";
const tokenFor = (subject: string, server: string) => ({ server, subject: { type: "user", id: subject } });

describe("a client opens the portal for its person", () => {
  it("the link works once, sets a cookie of its own and leads to the page; opened again it says what to do", async () => {
    const built = await world();
    const { browser, page, url, entered } = await enterPortal(built, { display_name: "Amelia Hart" });
    expect(entered.status).toBe(303);
    expect(entered.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^imb-portal=[\w-]{53}; Path=\/; Max-Age=1800; HttpOnly; SameSite=Lax$/),
    ]);
    expect(page).toMatchObject({ url: `${built.base}/my-integrations`, status: 200 });
    expect(page.body).toContain("<b><bdi>Amelia Hart</bdi></b>");
    expect(page.body).toContain("Matter tracker");

    const stranger = await new WalkingBrowser().get(url);
    expect(stranger.status).toBe(410);
    expectPage(stranger, "portal_link_used");
    expect(stranger.body).not.toContain("Go on where you were");
    const again = await browser.get(url);
    expect(again.status).toBe(410);
    expect(again.body).toContain('<a class="button" href="/my-integrations">Go on where you were</a>');
    expect((await browser.get(`${built.base}/my-integrations`)).status).toBe(200);
  });

  it("of twenty browsers that open one link at once, one gets in", async () => {
    const built = await world();
    const { body } = await openPortal(built);
    const visits = await Promise.all(Array.from({ length: 20 }, () => new WalkingBrowser().get(body.url!)));
    expect(visits.map(({ status }) => status).sort()).toEqual([303, ...Array(19).fill(410)]);
  });

  it("a link is over after five minutes, a visit after half an hour, and neither is kept readable", async () => {
    const built = await world();
    const late = await openPortal(built);
    built.advance(5 * 60_000 + 1);
    expect((await new WalkingBrowser().get(late.body.url!)).status).toBe(410);

    const { browser, url } = await enterPortal(built);
    const nouns = await storedNouns(built, built.organisation);
    expect(nouns).toMatchObject({ "portal-visit": 1 });
    const redis = built.broker.stores.fast;
    const keys = (await redis.call((connection) => keysOf(connection, "b1:"))).filter((key) =>
      key.includes(":portal-"),
    );
    expect(keys.join()).not.toContain(url.split("/").at(-1));
    built.advance(30 * 60_000);
    const over = await browser.get(`${built.base}/my-integrations`);
    expect(over.status).toBe(403);
    expectPage(over, "portal_session_over");
  });

  it("a repeated Idempotency-Key opens one portal session, and tells its link once", async () => {
    const { client, organisation } = await world();
    const body = {
      organisation,
      subject: { type: "user", id: AMELIA.subject },
      role: "user",
      return_url: RETURN_URL,
    };
    const post = () => client.call("POST", "/v1/portal-sessions", body, { "idempotency-key": "k" });
    const first = await post();
    const again = await post();
    expect(first.body.url).toBeDefined();
    expect(again).toMatchObject({ status: 201, body: { id: first.body.id } });
    expect(again.body.url).toBeUndefined();
  });

  it("is refused what its policy does not allow, an organisation it does not know, and a return URL that is not registered", async () => {
    const built = await world();
    expectProblem(
      await openPortal(built, { return_url: "https://evil.example/" }),
      "return_url_not_registered",
    );
    expectProblem(await openPortal(built, { organisation: "org_0000000000" }), "not_found");
    expect(await openPortal(built, { page: "settings" })).toMatchObject({
      status: 400,
      body: { code: "invalid_request", faults: [{ field: "page" }] },
    });
    await allow(built, ["connect"]);
    expectProblem(await openPortal(built, { role: "organisation_admin" }), "not_allowed");
    expect((await openPortal(built)).status).toBe(201);
    await allow(built, ["configure"]);
    expectProblem(await openPortal(built), "not_allowed");
  });

  it("a visit ends with the client that opened it, and with its policy", async () => {
    const built = await world();
    const { browser } = await enterPortal(built);
    await allow(built, ["token"]);
    expect((await browser.get(`${built.base}/my-integrations`)).status).toBe(403);
    await allow(built, ["connect"]);
    expect((await browser.get(`${built.base}/my-integrations`)).status).toBe(200);
    const client = (await built.broker.configuration.findClient(built.client.id as ClientId))!;
    await put.client(built.broker.configuration, {
      ...client,
      state: "stopped",
      generation: client.generation + 1,
    });
    expect((await browser.get(`${built.base}/my-integrations`)).status).toBe(403);
  });
});

describe("My integrations", () => {
  it("a person whose iManage user the application named authorizes, sees it, disconnects, and the grant ends at iManage", async () => {
    const built = await world();
    const { base, server, client } = built;
    const { browser, page } = await enterPortal(built, { upstream_user: AMELIA_AT_IMANAGE });
    expect(page.body).toContain("Not authorized");

    const back = await authorizeOnPage(browser, page, server);
    expect(back).toBe(`${base}/my-integrations?connected=${server}`);
    const shown = await browser.get(back);
    expect(shown.body).toContain("Meridian DMS is authorized. You can close this window.");
    expect(shown.body).toContain("amelia.hart");
    expect(shown.body).toContain("not yet");
    const token = await client.accessToken(tokenFor(AMELIA.subject, server));
    expect(token.status).toBe(200);
    expect((await browser.get(`${base}/my-integrations`)).body).not.toContain("not yet");

    const asked = await browser.get(`${base}/my-integrations/${server}/disconnect`);
    expect(asked.body).toContain("it is also ended at iManage");
    const off = await submit(browser, asked, `/my-integrations/${server}/disconnect`);
    const home = await browser.follow(off, [base]);
    expect(home.body).toContain("Meridian DMS is disconnected.");
    expect((await client.accessToken(tokenFor(AMELIA.subject, server))).body.code).toBe(
      "authorization_required",
    );
    await built.broker.revoker.settled();
    expect(built.simulator.counts().routes.revoke).toBeGreaterThan(0);
  });

  it("T02 whoever signs in at iManage as another than the named one gets nothing, and nothing is kept", async () => {
    const built = await world();
    const { browser, page } = await enterPortal(built, { upstream_user: AMELIA_AT_IMANAGE });
    const back = await authorizeOnPage(browser, page, built.server, MOREAU);
    expect(back).toMatch(`${built.base}/connect/result/cns_`);
    const result = await browser.get(back);
    expectPage(result, "asserted_user_mismatch");
    expect(result.body).toContain("Back to My integrations");
    // He is told to start again, so not that there is nothing left to do.
    expect(result.body).not.toContain("You can close this window.");
    const nouns = await storedNouns(built, built.organisation);
    expect(nouns).not.toHaveProperty("grant");
    expect(nouns).not.toHaveProperty("binding");
    expect(built.simulator.counts().routes.revoke).toBeGreaterThan(0);
    expect((await browser.get(`${built.base}/my-integrations`)).body).toContain("Not authorized");
    // Nor can the client complete what the page did not.
    const session = back.split("/").at(-1)!;
    const tried = await built.client.call("POST", `/v1/connect-sessions/${session}/complete`, {
      completion: "x",
      subject: { type: "user", id: AMELIA.subject },
    });
    expect(tried.body.code).toBe("connect_session_used");
  });

  it("T02 a grant that the other one has already survives his mistake", async () => {
    const built = await world({
      prepare: (simulator) => simulator.setSwitches({ new_consent: "ends_earlier_refresh_token" }),
    });
    await built.connect(MOREAU);
    const { browser, page } = await enterPortal(built, { upstream_user: AMELIA_AT_IMANAGE });
    await authorizeOnPage(browser, page, built.server, MOREAU);
    built.advance(31 * 60_000);
    expect((await built.client.accessToken(tokenFor(MOREAU.subject, built.server))).status).toBe(200);
    expect((await built.client.accessToken(tokenFor(AMELIA.subject, built.server))).status).toBe(409);
  });

  it("without a named iManage user the authorization ends at the application, which says who finished", async () => {
    const built = await world();
    const { browser, page } = await enterPortal(built);
    const back = await authorizeOnPage(browser, page, built.server);
    expect(back).toMatch(`${RETURN_URL}?connect_session=cns_`);
    expect(tokenRequests(built.simulator)).toBe(0);
    expect((await completeReturn(built.client, back)).body).toMatchObject({ state: "connected" });
    const shown = await browser.get(`${built.base}/my-integrations`);
    expect(shown.body).toContain("amelia.hart");
  });

  it("T02 a portal link that somebody sent on ends in session_user_mismatch, and the code stays unused", async () => {
    const built = await world();
    // Mallory's own link, opened by Moreau, who then comes back to the application as himself.
    const { browser, page } = await enterPortal(built, { subject: { type: "user", id: "u-mallory" } });
    const back = await authorizeOnPage(browser, page, built.server, MOREAU);
    expectProblem(await completeReturn(built.client, back, MOREAU.subject), "session_user_mismatch");
    expect(tokenRequests(built.simulator)).toBe(0);
  });

  it("T11 one who is bound to an iManage user stays so when another signs in", async () => {
    const built = await world();
    await built.connect();
    // He has changed his mind about who he is: the button is not there, the form all the same is tried.
    const { browser, page } = await enterPortal(built, { upstream_user: "E.MOREAU" });
    const way = `/my-integrations/${built.server}`;
    expect(page.body).not.toContain(`${way}/authorize`);
    const asked = await browser.get(`${built.base}${way}/disconnect`);
    const form = { ...asked, body: asked.body.replaceAll(`${way}/disconnect`, `${way}/authorize`) };
    const back = await authorizeOnPage(browser, form, built.server, MOREAU);
    expectPage(await browser.get(back), "upstream_user_changed");
    const shown = await browser.get(`${built.base}/my-integrations`);
    expect(shown.body).toContain("amelia.hart");
    expect(shown.body).not.toContain("e.moreau");
  });

  it("lists who else uses the authorization; each is switched off alone, and the last one ends the grant", async () => {
    const built = await world();
    const { base, server, client } = built;
    await built.connect();
    const other = await anotherClient(built, "Brief builder");
    await other.connect({ ...AMELIA, subject: "b-17" });
    const stranger = await anotherClient(built, "Somebody else's");
    await stranger.connect(MOREAU);
    await lendLibrary(`${base}/servers/${server}/libraries`, "ACTIVE", {
      ...AMELIA,
      email: "amelia.hart@hartlowell.example",
    });

    const { browser, page } = await enterPortal(built);
    expect(page.body).toContain("Brief builder");
    expect(page.body).toContain("Background service of the library ACTIVE");
    expect(page.body).not.toContain("Somebody else");
    expect(page.body).not.toContain("b-17");

    const way = `/my-integrations/${server}/applications/${other.client.id}`;
    const asked = await browser.get(base + way);
    expect(asked.body).toContain("Switch Brief builder off?");
    expect(asked.body).toContain("Not touched: Matter tracker, Background service of the library ACTIVE.");
    await submit(browser, asked, way);
    expect((await other.client.accessToken(tokenFor("b-17", server))).body.code).toBe(
      "authorization_required",
    );
    expect((await client.accessToken(tokenFor(AMELIA.subject, server))).status).toBe(200);
    expect((await stranger.client.accessToken(tokenFor(MOREAU.subject, server))).status).toBe(200);
    expect((await browser.get(base + way)).location).toBe(`${base}/my-integrations`);

    const leave = await browser.get(`${base}/my-integrations/${server}/disconnect`);
    await submit(browser, leave, `/my-integrations/${server}/disconnect`);
    expect((await client.accessToken(tokenFor(AMELIA.subject, server))).status).toBe(409);
    // The library still works with it.
    const library = await client.accessToken({ server, subject: { type: "library", id: "ACTIVE" } });
    expect(library.status).toBe(200);
  });

  it("never shows or changes what is another person's, another client's or another organisation's", async () => {
    const built = await world();
    const { base, server } = built;
    await built.connect();
    const elsewhere = await world();
    const mine = await enterPortal(built, { subject: { type: "user", id: "u-nobody" } });
    expect(mine.page.body).toContain("Not authorized");
    expect(mine.page.body).not.toContain("amelia");

    // Another's application id, and another firm's server, in addresses of one's own.
    const form = { csrf: /name="csrf" value="([^"]+)"/.exec(mine.page.body)![1]! };
    for (const path of [
      `/my-integrations/${server}/disconnect`,
      `/my-integrations/${server}/applications/${built.client.id}`,
    ])
      expect((await mine.browser.post(base + path, form)).status).toBe(303);
    expect((await built.client.accessToken(tokenFor(AMELIA.subject, server))).status).toBe(200);
    for (const path of [
      `/my-integrations/${elsewhere.server}/disconnect`,
      `/my-integrations/${elsewhere.server}/applications/${elsewhere.client.id}`,
      `/my-integrations/${elsewhere.server}/authorize`,
      "/my-integrations/srv_nonsense/authorize",
    ])
      expect((await mine.browser.post(base + path, form)).status).toBe(404);

    // The same person id at another client is another person.
    const other = await anotherClient(built, "Brief builder");
    const theirs = await enterPortal({ client: other.client, organisation: built.organisation });
    expect(theirs.page.body).toContain("Not authorized");
    expect(theirs.page.body).not.toContain("amelia.hart");
  });

  it("shows only servers that the client's policy names", async () => {
    const built = await world();
    await allow(built, ["connect"], []);
    const { browser, page } = await enterPortal(built);
    expect(page.body).toContain("No iManage server");
    const way = `${built.base}/my-integrations/${built.server}/disconnect`;
    expect((await browser.get(way)).status).toBe(404);
  });

  it("where iManage is switched off, or not enabled for him, he is told so, may still disconnect and not authorize", async () => {
    const built = await world();
    await built.connect();
    const { broker, base, server } = built;
    const firm = (await broker.configuration.findOrganisation(built.organisation as OrganisationId))!;
    for (const [change, told] of [
      [{ enabled: false }, "iManage is switched off here"],
      [
        { members: { everyone: false as const, subjects: ["u-somebody"], claims: [] } },
        "iManage is not enabled for you",
      ],
    ] as const) {
      await put.organisation(broker.configuration, { ...firm, members: everyone, ...change });
      const { browser, page } = await enterPortal(built, { subject: { type: "user", id: "u-new" } });
      expect(page.body).toContain(told);
      expect(page.body).not.toContain(`/authorize"`);
      const csrf = (await enterPortal(built, {}, browser)).page;
      expect(csrf.body).toContain("Disconnect");
    }
    const { browser } = await enterPortal(built);
    const asked = await browser.get(`${base}/my-integrations/${server}/disconnect`);
    await submit(browser, asked, `/my-integrations/${server}/disconnect`);
    expect(await storedNouns(built, built.organisation)).not.toHaveProperty("grant");
  });

  it("a form of another visit, or without its token, changes nothing", async () => {
    const built = await world();
    await built.connect();
    const way = `${built.base}/my-integrations/${built.server}/disconnect`;
    const first = await enterPortal(built);
    const earlier = await first.browser.get(way);
    const csrf = /name="csrf" value="([^"]+)"/.exec(earlier.body)![1]!;
    const { browser } = await enterPortal(built, {}, first.browser);
    for (const form of [{ csrf }, { csrf: "" }, {}]) {
      const refused = await browser.post(way, form as Record<string, string>);
      expect(refused.status).toBe(403);
      expect(refused.body).toContain("This form is out of date");
    }
    expect((await built.client.accessToken(tokenFor(AMELIA.subject, built.server))).status).toBe(200);
  });
});

async function allow(
  { broker, client, organisation }: Awaited<ReturnType<typeof world>>,
  actions: readonly ClientAction[],
  servers?: readonly never[],
): Promise<void> {
  const id = client.id as ClientId;
  const { policy } = await broker.configuration.findPolicy(id, organisation as OrganisationId);
  await put.policy(broker.configuration, withRules(policy, { actions, servers }));
}
