import { describe, expect, it } from "vitest";
import { type Visit, WalkingBrowser } from "../../scripts/walk/browser.ts";
import type { OrganisationId, ServerId } from "../../src/domain/id.ts";
import { days } from "../../src/domain/instant.ts";
import { expectPage, expectPrivate } from "../kit/connecting.ts";
import { enterPortal, submit } from "../kit/portal.ts";
import { put } from "../kit/put-records.ts";
import { AMELIA, MOREAU, world } from "../kit/world.ts";

type World = Awaited<ReturnType<typeof world>>;
const admin = (built: Pick<World, "client" | "organisation">) =>
  enterPortal(built, { role: "organisation_admin", subject: { type: "user", id: "u-admin" } });

/** The fields of a page's form besides its token, as a browser would send them. */
function held(page: Visit): Record<string, string> {
  const inputs = [...page.body.matchAll(/<input type="hidden" name="([\w]+)" value="([^"]*)">/g)];
  return Object.fromEntries(
    inputs.filter(([, name]) => name !== "csrf").map(([, name, value]) => [name!, value!]),
  );
}

const tokenStatus = async ({ client, server }: World, subject = AMELIA.subject) =>
  (await client.accessToken({ server, subject: { type: "user", id: subject } })).status;

describe("iManage settings", () => {
  it("shows an organisation admin for whom it is enabled, the servers and how many have authorized", async () => {
    const built = await world();
    const { page, browser } = await admin(built);
    expect(page.url).toBe(`${built.base}/settings`);
    expect(page.body).toContain("Enabled for everyone");
    expect(page.body).toContain("Nobody has authorized yet.");
    expect(page.body).toContain("Meridian DMS");
    expect(page.body).toContain(built.simulator.origin);
    expect(page.body).toContain("Ready");
    await built.connect();
    await built.connect(MOREAU);
    expect((await browser.get(page.url)).body).toContain("2 iManage users have authorized.");
  });

  it("is not shown to a user, nor to another organisation's admin, and none of its forms works for them", async () => {
    const built = await world();
    const elsewhere = await world();
    const user = await enterPortal(built);
    const csrf = /name="csrf" value="([^"]+)"/.exec(user.page.body)![1]!;
    for (const path of [
      "/settings",
      "/settings/access",
      "/settings/new-server",
      `/settings/servers/${built.server}`,
    ]) {
      const page = await user.browser.get(built.base + path);
      expect(page.status).toBe(403);
      expectPage(page, "portal_session_over");
      const posted = await user.browser.post(built.base + path, { csrf, access: "off", secret: "x" });
      expect([403, 404]).toContain(posted.status);
      expect((await new WalkingBrowser().get(built.base + path)).status).toBe(403);
    }
    const other = await admin(elsewhere);
    const token = /name="csrf" value="([^"]+)"/.exec(
      (await other.browser.get(`${elsewhere.base}/settings/access`)).body,
    )![1]!;
    const foreign = `${elsewhere.base}/settings/servers/${built.server}`;
    expect((await other.browser.get(foreign)).status).toBe(404);
    expect((await other.browser.post(foreign, { csrf: token, secret: "stolen" })).status).toBe(404);
    const registration = await registrationOf(built);
    expect(registration.secrets).toHaveLength(1);
  });

  it("switches iManage off and on: the difference first, then at once for everybody, and no authorization is lost", async () => {
    const built = await world();
    await built.connect();
    const { browser } = await admin(built);
    const to = `${built.base}/settings/access`;
    for (const [access, shown, status] of [
      ["off", "iManage enabled", 403],
      ["everyone", "iManage enabled", 200],
    ] as const) {
      const review = await submit(browser, await browser.get(to), "/settings/access", { access });
      expect(review.body).toContain("Nothing is changed yet.");
      expect(review.body).toContain(shown);
      const before = access === "off" ? 200 : 403;
      expect(await tokenStatus(built)).toBe(before);
      const done = await submit(browser, review, "/settings/access", held(review));
      expect((await browser.follow(done, [built.base])).body).toContain("It is changed.");
      expect(await tokenStatus(built)).toBe(status);
    }
    expect(built.lines.join()).toContain(`access by person:${built.client.id}/u-admin`);
  });

  it("enables it for persons by list or by what an application says of them; everybody else is refused at once", async () => {
    const built = await world();
    await built.connect();
    await built.connect(MOREAU);
    const { browser } = await admin(built);
    const form = await browser.get(`${built.base}/settings/access`);
    const wanted = {
      access: "some",
      subjects: `${MOREAU.subject}\r\n\r\n`,
      claims: "groups = imanage-users",
    };
    const review = await submit(browser, form, "/settings/access", wanted);
    expect(review.body).toContain("1 listed, groups=imanage-users");
    await submit(browser, review, "/settings/access", held(review));
    expect(await tokenStatus(built)).toBe(403);
    expect(await tokenStatus(built, MOREAU.subject)).toBe(200);
    const claimed = await built.client.accessToken({
      server: built.server,
      subject: { type: "user", id: AMELIA.subject, claims: { groups: ["imanage-users"] } },
    });
    expect(claimed.status).toBe(200);
    const page = await browser.get(`${built.base}/settings`);
    expect(page.body).toContain(
      "1 person who is listed, and everybody of whom an application says groups = imanage-users",
    );

    for (const [subjects, claims, told] of [
      ["", "", "Name a person or a group"],
      ["", "imanage-users", "is not of the form groups = imanage-users"],
    ] as const) {
      const refused = await submit(browser, form, "/settings/access", { access: "some", subjects, claims });
      expect(refused.status).toBe(422);
      expect(refused.body).toContain(told);
    }
  });

  it("what is confirmed is what was shown: if somebody else changed it meanwhile, it is shown anew", async () => {
    const built = await world();
    const { browser } = await admin(built);
    const form = await browser.get(`${built.base}/settings/access`);
    const review = await submit(browser, form, "/settings/access", { access: "some", subjects: "u-1" });
    const { configuration } = built.broker;
    const firm = (await configuration.findOrganisation(built.organisation as OrganisationId))!;
    await put.organisation(configuration, { ...firm, enabled: false });
    const again = await submit(browser, review, "/settings/access", held(review));
    expect(again.status).toBe(200);
    expect(again.body).toContain("Something has changed meanwhile, so look again.");
    expect((await configuration.findOrganisation(firm.id))!.members).toEqual({ everyone: true });
    const done = await submit(browser, again, "/settings/access", held(again));
    expect(done.status).toBe(303);
    expect((await configuration.findOrganisation(firm.id))!.enabled).toBe(true);
  });

  it("somebody who changes it between the last look and the write is not overwritten: it is shown anew", async () => {
    const built = await world();
    const { browser } = await admin(built);
    const form = await browser.get(`${built.base}/settings/access`);
    const review = await submit(browser, form, "/settings/access", { access: "some", subjects: "u-1" });
    const { configuration } = built.broker;
    const write = configuration.putOrganisation.bind(configuration);
    configuration.putOrganisation = async (...given) => {
      configuration.putOrganisation = write;
      const firm = (await configuration.findOrganisation(built.organisation as OrganisationId))!;
      await put.organisation(configuration, { ...firm, enabled: false });
      await write(...given);
    };
    const again = await submit(browser, review, "/settings/access", held(review));
    expect(again.status).toBe(200);
    expect(again.body).toContain("Something has changed meanwhile, so look again.");
    expect(await configuration.findOrganisation(built.organisation as OrganisationId)).toMatchObject({
      enabled: false,
      members: { everyone: true },
    });
  });

  it("adds a server: faults by field, the difference, then the values for Control Center and the client secret", async () => {
    const built = await world();
    const { browser } = await admin(built);
    const form = await browser.get(`${built.base}/settings/new-server`);
    const wanted = {
      name: "archive",
      display_name: "Archive",
      kind: "on-premises",
      address: "https://archive.hartlowell.example",
      client_id: "archive-broker",
      customer_id: "",
    };
    const refused = await submit(browser, form, "/settings/new-server", {
      ...wanted,
      name: "Archive!",
      address: "http://archive.hartlowell.example/login",
    });
    expect(refused.status).toBe(422);
    expect(refused.body).toContain("must be of lower-case letters");
    expect(refused.body).toContain("must begin with https://");
    expect(refused.body).toContain('value="archive-broker"');
    const taken = await submit(browser, form, "/settings/new-server", { ...wanted, name: "dms" });
    expect(taken.body).toContain("is the name of another server here");

    const review = await submit(browser, form, "/settings/new-server", wanted);
    expect(review.body).toContain("https://archive.hartlowell.example");
    const servers = () => built.broker.configuration.listServers(built.organisation as OrganisationId);
    expect(await servers()).toHaveLength(1);
    const done = await submit(browser, review, "/settings/new-server", held(review));
    expect(await servers()).toHaveLength(2);
    const page = await browser.get(done.location!);
    expect(page.body).toContain("Registration of Archive");
    expect(page.body).toMatch(
      /Redirect URL<\/dt><dd><bdi class="letters">http:\/\/127[^<]*\/oauth2\/callback\/reg_/,
    );
    const order = ({ body }: Visit) =>
      Math.sign(body.indexOf("Redirect URL") - body.indexOf('name="secret"'));
    // First what Control Center asks for, then what it shows in return.
    expect(order(page)).toBe(-1);
    expect((await browser.get(`${built.base}/settings`)).body).toContain("The client secret is missing");

    const zip = await browser.get(`${page.url}/package/control-center`);
    expect(zip.headers.get("content-type")).toBe("application/zip");
    expect(zip.headers.get("content-disposition")).toMatch(/^attachment; filename="[\w.-]+\.zip"$/);
    expect((await browser.get(`${page.url}/package/other`)).status).toBe(404);
    const action = new URL(page.url).pathname;
    const entered = await submit(browser, page, action, {
      secret: "sim_secret_archive",
      expires: "2027-06-30",
    });
    const home = await browser.follow(entered, [built.base]);
    expect(home.body).toContain("The client secret of Archive is stored");
    expect(home.body).toContain("It is sealed, valid until 30 June 2027, and nobody can read it here again.");
    expect(home.body).toContain('href="/my-integrations">My integrations</a>');
    const checked = await submit(browser, home, `${action}/diagnosis`);
    expect(checked.body).toContain("Checking Archive");
    // Of a server that is not his, or has none, nothing is said.
    for (const id of [`${built.server}x`, "srv_none"])
      expect((await browser.get(`${built.base}/settings?stored=${id}`)).body).not.toContain("is stored");
    expect(home.body).not.toContain("is missing");
    expect(order(await browser.get(page.url))).toBe(1);
  });

  it("a changed client secret is used at once, the one before stays beside it, and everything else of the server stays", async () => {
    const built = await world({ serverSettings: { rotation: "static", refreshTokenLifeMs: days(90) } });
    await built.connect();
    const { configuration } = built.broker;
    const before = (await configuration.findServer(built.server))!;
    const trustedCertificates = { pem: "of the firm", certificates: [] };
    await put.server(configuration, { ...before, trustedCertificates });
    const { browser } = await admin(built);
    const action = `/settings/servers/${built.server}`;
    const page = await browser.get(built.base + action);
    for (const [secret, expires, told] of [
      ["", "", "Enter the client secret."],
      ["two words", "", "This cannot be a client secret"],
      ["a-secret", "2027-06-31", "This is not a date"],
    ] as const) {
      const refused = await submit(browser, page, action, { secret, expires });
      expect(refused.status).toBe(422);
      expect(refused.body).toContain(told);
      expect(refused.body).not.toContain("a-secret");
    }
    const done = await submit(browser, page, action, { secret: "sim_secret_next", expires: "" });
    expect(done.status).toBe(303);
    expect((await registrationOf(built)).secrets).toHaveLength(2);
    const after = (await configuration.findServer(built.server))!;
    expect(after.settings).toEqual(before.settings);
    expect(after.trustedCertificates).toEqual(trustedCertificates);
    expect(after.configurationGeneration).toBe(before.configurationGeneration + 1);
    // The simulator knows the first alone; it is tried when the second is refused.
    built.advance(31 * 60_000);
    expect(await tokenStatus(built)).toBe(200);
    expect(built.lines.join()).not.toContain("sim_secret_next");
  });

  it("T08 its pages carry the headers of every page, and its forms a token", async () => {
    const built = await world();
    const { browser } = await admin(built);
    const pages = [
      "/settings",
      "/settings/access",
      "/settings/new-server",
      `/settings/servers/${built.server}`,
      `/settings/servers/${built.server}/diagnosis`,
    ];
    for (const path of pages) {
      const page = await browser.get(built.base + path);
      expect(page.status).toBe(200);
      expectPrivate({ ...page, body: page.body.replaceAll("<form", "<b") });
      if (path === "/settings") continue;
      expect((await browser.post(built.base + path, { access: "off", secret: "x" })).status).toBe(403);
    }
    const csrf = /name="csrf" value="([^"]+)"/.exec(
      (await browser.get(`${built.base}/settings/access`)).body,
    )![1]!;
    const stranger = await admin(built);
    expect(
      (await stranger.browser.post(`${built.base}/settings/access`, { csrf, access: "off" })).status,
    ).toBe(403);
  });
});

async function registrationOf({ broker, server }: World) {
  const { registration } = (await broker.configuration.findServer(server as ServerId))!;
  return (await broker.configuration.findRegistration(registration))!;
}
