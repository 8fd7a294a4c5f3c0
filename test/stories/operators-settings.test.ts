import { describe, expect, it } from "vitest";
import { type Visit, WalkingBrowser } from "../../scripts/walk/browser.ts";
import { changeAccess, enterClientSecret, findServerView } from "../../src/broker/portal/settings.ts";
import { operatorAt } from "../../src/broker/portal/settings-visitor.ts";
import type { OrganisationId, ServerId } from "../../src/domain/id.ts";
import { Secret } from "../../src/domain/secret.ts";
import { addOrganisation } from "../kit/additions.ts";
import { firmWithOperators, signInOperator } from "../kit/operators.ts";
import { enterPortal, submit } from "../kit/portal.ts";
import type { World } from "../kit/world.ts";

const csrfOf = ({ body }: Visit) => /name="csrf" value="([^"]+)"/.exec(body)![1]!;
const firmOf = async ({ broker }: World, id: string) =>
  (await broker.configuration.findOrganisation(id as OrganisationId))!;
const secretsOf = async ({ broker }: World, server: ServerId) => {
  const { registration } = (await broker.configuration.findServer(server))!;
  return (await broker.configuration.findRegistration(registration))!.secrets;
};

/** Beside the world's own organisation, one that is named for support. */
async function supportedFirm() {
  const built = await firmWithOperators();
  const { here } = built;
  const { organisation, servers } = await addOrganisation(here, {
    name: built.supported,
    servers: { dms: { simulator: here.simulator } },
  });
  const home = `/operators/${organisation}/settings`;
  return { ...built, organisation, id: servers.dms.id, home, server: `${home}/servers/${servers.dms.id}` };
}

describe("operators at iManage settings", () => {
  it("an operator goes from the list to any organisation's settings and changes them, and is named where that is recorded", async () => {
    const { here, provider, home, server, organisation, id } = await supportedFirm();
    const { browser, landed } = await signInOperator(here, provider, "olga");
    for (const each of [here.organisation, organisation])
      expect(landed.body).toContain(`href="/operators/${each}/settings"`);
    const page = await browser.get(here.base + home);
    expect(page.status).toBe(200);
    expect(page.body).toContain("olga of the firm");
    expect(page.body).toContain("iManage dms");
    expect(page.body).toContain('href="/operators"');

    const form = await browser.get(`${here.base}${home}/access`);
    const review = await submit(browser, form, `${home}/access`, { access: "off" });
    const confirm = /name="confirm" value="([^"]+)"/.exec(review.body)![1]!;
    const done = await submit(browser, review, `${home}/access`, { access: "off", confirm });
    expect(done.location).toBe(`${here.base}${home}?changed=`);
    expect((await firmOf(here, organisation)).enabled).toBe(false);
    const by = `by operator:${provider.origin} olga`;
    expect(here.lines.join()).toContain(`access ${by}`);
    const entries = await here.broker.auditBuffer.read(organisation as OrganisationId, 0, 1_000);
    expect(entries.at(-1)!.fields).toMatchObject({
      actor: `operator:${provider.origin} olga`,
      action: "organisation.changed",
      fields: "enabled",
    });

    const before = await browser.get(here.base + server);
    const saved = await submit(browser, before, server, { secret: "sim_secret_next", expires: "" });
    expect(saved.location).toBe(`${here.base}${home}?stored=${id}`);
    const told = (await browser.get(saved.location!)).body;
    expect(told).toContain("The client secret of iManage dms is stored");
    // His are the people of no application.
    expect(told).not.toContain('href="/my-integrations"');
    expect(await secretsOf(here, id)).toHaveLength(2);
    expect(here.lines.join()).toContain(`client secret ${by}`);

    const added = {
      name: "archive",
      kind: "on-premises",
      address: "https://archive.firm.example",
      client_id: "archive",
    };
    const asked = await browser.get(`${here.base}${home}/new-server`);
    const shown = await submit(browser, asked, `${home}/new-server`, added);
    const fit = /name="confirm" value="([^"]+)"/.exec(shown.body)![1]!;
    const made = await submit(browser, shown, `${home}/new-server`, { ...added, confirm: fit });
    expect(made.location).toContain(`${home}/servers/srv_`);
    expect((await browser.get(made.location!)).body).toContain("Registration of archive");
  });

  it("support reads, checks a server and takes the bundle along, and whatever it sends to a form changes nothing", async () => {
    const { here, provider, home, server, organisation, id } = await supportedFirm();
    const { browser } = await signInOperator(here, provider, "sam");
    const page = await browser.get(here.base + home);
    expect(page.body).toContain("As support you see these settings");
    expect(page.body).not.toContain(`${home}/access`);
    expect(page.body).not.toContain("new-server");
    expect((await browser.get(here.base + server)).body).not.toContain('name="secret"');
    expect((await browser.get(`${here.base}${server}/package/work`)).status).toBe(200);

    const checked = await submit(browser, page, `${server}/diagnosis`);
    expect(checked.body).toContain("Nothing is wrong, as far as can be seen.");
    expect(here.lines.join()).toContain(`by support:${provider.origin} sam`);
    const bundle = await browser.get(`${here.base}${server}/support-bundle`);
    expect(JSON.parse(bundle.body).diagnosis.last.verdict).toBe("good");

    const csrf = csrfOf(page);
    for (const path of [`${home}/access`, `${home}/new-server`, server]) {
      if (path !== server) expect((await browser.get(here.base + path)).status).toBe(403);
      const fields = { csrf, access: "off", name: "x", secret: "taken-over", confirm: "" };
      const answer = await browser.post(here.base + path, fields);
      expect(answer.status).toBe(403);
      expect(answer.body).toContain("Support may look only");
    }
    expect((await firmOf(here, organisation)).enabled).toBe(true);
    expect(await secretsOf(here, id)).toHaveLength(1);
  });

  it("the stories themselves refuse support a change, whatever a page would let through", async () => {
    const { here, provider, supported, organisation, id } = await supportedFirm();
    const { portal } = here.broker;
    const session = {
      v: 1 as const,
      issuer: provider.origin,
      subject: "sam",
      name: "Sam",
      role: "support" as const,
      organisations: [supported],
      startedAt: 0,
      expiresAt: Number.MAX_SAFE_INTEGER,
    };
    const sam = await operatorAt(portal, { session, formToken: "" }, organisation as OrganisationId);
    const view = (await findServerView(portal, sam!, id))!;
    const note = { requestId: "req_test" };
    const refused = { code: "not_allowed" };
    await expect(
      changeAccess(portal, sam!, { enabled: false }, { dryRun: false, note }),
    ).rejects.toMatchObject(refused);
    await expect(
      enterClientSecret(portal, sam!, view, { secret: new Secret("x"), expiresAt: undefined }, note),
    ).rejects.toMatchObject(refused);
  });

  it("another organisation is not there for support, nor a server under an organisation that is not its own", async () => {
    const { here, provider, home, server, organisation, id } = await supportedFirm();
    const { browser, landed } = await signInOperator(here, provider, "sam");
    const csrf = csrfOf(landed);
    const none = `/operators/org_${"0".repeat(26)}/settings`;
    for (const path of [`/operators/${here.organisation}/settings`, none, "/operators/else/settings"]) {
      for (const rest of ["", "/access", "/new-server", `/servers/${id}`]) {
        expect((await browser.get(here.base + path + rest)).status, path + rest).toBe(404);
        if (rest === "") continue;
        expect((await browser.post(here.base + path + rest, { csrf, access: "off" })).status).toBe(404);
      }
    }
    const olga = await signInOperator(here, provider, "olga");
    const crossed = server.replace(organisation, here.organisation);
    expect((await olga.browser.get(here.base + crossed)).status).toBe(404);
    expect((await olga.browser.get(here.base + home)).status).toBe(200);
  });

  it("T03 without a sign-in it leads to where one signs in, a portal session does not help, and each form carries its own token", async () => {
    const { here, provider, home, server, organisation } = await supportedFirm();
    const admin = await enterPortal(here, {
      role: "organisation_admin",
      subject: { type: "user", id: "u-admin" },
    });
    for (const browser of [new WalkingBrowser(), admin.browser])
      for (const path of [home, `${home}/access`, server, `${server}/diagnosis`, `${server}/support-bundle`])
        expect(await browser.get(here.base + path)).toMatchObject({
          status: 303,
          location: `${here.base}/operators`,
        });
    const olga = await signInOperator(here, provider, "olga");
    expect((await olga.browser.get(`${here.base}/settings`)).status).toBe(403);
    for (const csrf of ["", csrfOf(admin.page)])
      for (const path of [`${home}/access`, `${home}/new-server`, server, `${server}/diagnosis`])
        expect((await olga.browser.post(here.base + path, { csrf, access: "off" })).status).toBe(403);
    expect((await firmOf(here, organisation)).enabled).toBe(true);
  });
});
