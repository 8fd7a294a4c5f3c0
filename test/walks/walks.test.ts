import { X509Certificate } from "node:crypto";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { days } from "../../src/domain/instant.ts";
import { egressTo, startSimulators } from "../kit/additions.ts";
import { issue, makeAuthority } from "../kit/certificates.ts";
import { chromiumPath, type OpenChromium, openChromium } from "../kit/chromium.ts";
import type { DiagnosisAnswer } from "../kit/diagnosing.ts";
import { simulatorBehindTls } from "../kit/tls-front.ts";
import { AMELIA, MOREAU, world } from "../kit/world.ts";
import {
  ADMIN,
  arrives,
  asserted,
  declareFirm,
  enterInControlCenter,
  type Firm,
  portalLink,
  readSheet,
  registered,
  SUPPORT,
  signsIn,
  takesPicture,
  tokenOf,
} from "./kit.ts";

const OUTSIDE = { subject: "u-outside", username: "outside.counsel", password: "counsel" };
const CASTELLAN = { subject: "u-castellan", username: "s.castellan", password: "castellan" };

/** The composed product on a real Redis, a simulated iManage, and people at a browser. */
describe.skipIf(chromiumPath === undefined)("walks in a real Chromium", { timeout: 60_000 }, () => {
  let chromium: OpenChromium;
  let context: BrowserContext;
  let page: Page;
  /** What the browser was not allowed to do. */
  let complaints: string[];

  beforeAll(async () => {
    // A firm's machines know the firm's own certificate authority; this one has to be told not to ask.
    chromium = await openChromium({ viewport: { width: 1280, height: 800 }, ignoreHTTPSErrors: true });
    context = chromium.context;
    context.setDefaultTimeout(15_000);
  });
  afterAll(() => chromium.close());

  beforeEach(async () => {
    complaints = [];
    await context.clearCookies();
    page = await watched(context.newPage());
    return async () => {
      for (const each of context.pages().slice(1)) await each.close();
      // A refusal is what was asked for, and Chromium notes it as a failed load.
      // Refusals are told on the page; and a walker is quicker than the focus that the page would give.
      const loads = /^(Failed to load resource: the server responded|Autofocus processing was blocked)/;
      expect(complaints.filter((line) => !loads.test(line))).toEqual([]);
    };
  });
  const watched = async (opening: Promise<Page>): Promise<Page> => {
    const opened = await opening;
    opened.on("console", (message) => complaints.push(message.text()));
    opened.on("pageerror", (error) => complaints.push(error.message));
    return opened;
  };

  /** Whoever is sent here by the vendor's product arrives on the page for him. */
  const enters = async (firm: Firm, body: object, heading: string) => {
    await page.goto(await portalLink(firm, body));
    await arrives(page, heading);
  };
  const authorizes = async (server: string, person: Parameters<typeof signsIn>[1], at = page) => {
    await at.getByRole("button", { name: `Authorize ${server}` }).click();
    await signsIn(at, person);
  };

  describe("cloud, with the operator's default configuration", () => {
    const open = async () => {
      const here = await world({ settings: SUPPORT });
      const firm = await declareFirm(here, {
        displayName: "Brightwater LLP",
        sharedAt: here.simulator.origin,
        servers: [
          {
            name: "cloud",
            display_name: "iManage Cloud",
            kind: "cloud",
            address: here.simulator.origin,
            customer_id: 5948,
          },
        ],
      });
      registered(here.simulator, firm.servers.cloud!.redirectUri);
      return { here, firm, server: firm.servers.cloud!.id };
    };

    test("its admin sees that nothing is left to enter, a user authorizes at iManage, and the client has a token for him", async () => {
      const { firm, server } = await open();
      await enters(firm, ADMIN, "iManage settings");
      const card = page.getByRole("region", { name: "iManage Cloud" });
      expect(await card.innerText()).toContain("Ready");
      expect(await card.getByText("kept by the operator").count()).toBe(2);
      await card.getByRole("link", { name: "Registration and client secret" }).click();
      await arrives(page, "Registration of iManage Cloud");
      expect(await page.getByText("there is nothing to enter").count()).toBe(1);
      expect(await page.getByLabel("Client secret").count()).toBe(0);
      expect((await tokenOf(firm, server, AMELIA.subject)).code).toBe("authorization_required");

      await enters(firm, asserted(AMELIA), "My integrations");
      await authorizes("iManage Cloud", AMELIA);
      await page.waitForURL("**/my-integrations?connected=*");
      await arrives(page, "My integrations");
      expect(await page.getByRole("status").innerText()).toContain(
        "iManage Cloud is authorized. You can close",
      );
      expect(await page.getByRole("region", { name: "iManage Cloud" }).innerText()).toContain("amelia.hart");
      const { status, body } = await tokenOf(firm, server, AMELIA.subject);
      expect([status, body.customer_id]).toEqual([200, "5948"]);
      const api = await fetch(`${body.api_base_url}/api`, { headers: { "X-Auth-Token": body.access_token } });
      expect(await api.json()).toMatchObject({ data: { user: { name: "Amelia Hart" } } });
    });

    test("T10 somebody of another iManage customer is turned away in words, and the client gets no token", async () => {
      const { firm, server } = await open();
      await enters(firm, asserted(CASTELLAN), "My integrations");
      await authorizes("iManage Cloud", CASTELLAN);
      await arrives(page, "The person signed in to another iManage customer than this organisation.");
      expect(await page.getByText("sign in with your account of this firm").count()).toBe(1);
      expect(await page.getByText("You, or the operator of this service").count()).toBe(1);
      expect(await page.getByText("You can close this window.").count()).toBe(0);
      expect((await tokenOf(firm, server, CASTELLAN.subject)).code).toBe("authorization_required");
    });
  });

  test("an own subdomain: its admin enters address and client secret, iManage's own admin what the page says, and a user authorizes", async () => {
    const here = await world({ settings: SUPPORT });
    const firm = await declareFirm(here, { displayName: "Harcourt Rees" });
    await enters(firm, ADMIN, "iManage settings");
    expect(await page.getByText("There is none yet.").count()).toBe(1);
    await page.getByRole("link", { name: "Add a server" }).click();
    await arrives(page, "Add an iManage server");
    await page.getByLabel("Short name").fill("cloud");
    await page.getByLabel("Name", { exact: true }).fill("Harcourt iManage");
    await page.getByLabel("iManage Cloud, the firm's own subdomain").check();
    await page.getByLabel("Address").fill(`${here.simulator.origin}/login`);
    await page.getByLabel("Client ID").fill("harcourt-broker");
    await page.getByRole("button", { name: "Continue" }).click();
    // A path, as it is copied from a browser: told with the address that would do.
    const fault = page.locator(".fault");
    await fault.waitFor();
    expect(await fault.innerText()).toContain("Error: Address ");
    await page.getByLabel("Address").fill(here.simulator.origin);
    await page.getByRole("button", { name: "Continue" }).click();
    await arrives(page, "What will change");
    await page.getByRole("button", { name: "Change it" }).click();
    await arrives(page, "Registration of Harcourt iManage");
    await takesPicture(page, "registration-sheet", {
      height: 820,
      width: 1280,
      from: page.locator("section", { hasText: "Redirect URL" }),
    });

    const secret = "sim_secret_harcourt";
    enterInControlCenter(here.simulator, await readSheet(page), secret);
    await page.getByRole("textbox", { name: "Client secret", exact: true }).fill(secret);
    await page.getByRole("button", { name: "Save the client secret" }).click();
    await arrives(page, "iManage settings");
    const stored = page.getByRole("region", { name: "The client secret of Harcourt iManage is stored" });
    expect(await stored.getByRole("button", { name: "Check this server" }).count()).toBe(1);
    expect(await page.getByRole("region", { name: "Harcourt iManage", exact: true }).innerText()).toContain(
      "Ready",
    );
    const server = new URL(
      (await page.getByRole("link", { name: "Registration and client secret" }).getAttribute("href"))!,
      here.base,
    ).pathname.split("/")[3]!;

    await enters(firm, asserted(MOREAU), "My integrations");
    await authorizes("Harcourt iManage", MOREAU);
    await page.waitForURL("**/my-integrations?connected=*");
    await arrives(page, "My integrations");
    expect((await tokenOf(firm, server, MOREAU.subject)).status).toBe(200);
  });

  test("T17 on premises with a certificate authority of its own: it is named as unknown until it is entered, then all is well", async () => {
    const authority = makeAuthority("Meridian Root CA");
    const { certificate, key } = issue(authority, { hosts: ["localhost"], until: Date.now() + days(90) });
    const { simulator, origin } = await simulatorBehindTls({
      cert: certificate + authority.certificate,
      key,
    });
    const here = await world({ settings: { ...SUPPORT, EGRESS_LOOPBACK_ORIGINS: origin } });
    const dms = { display_name: "Meridian DMS", kind: "on-premises", address: origin, customer_id: "5948" };
    const firm = await declareFirm(here, {
      displayName: "Meridian Legal",
      servers: [{ name: "dms", ...dms }],
    });
    const { id, redirectUri } = firm.servers.dms!;
    registered(simulator, redirectUri);
    const diagnosed = async () =>
      (await firm.client.call<DiagnosisAnswer>("POST", `/v1/servers/${id}/diagnose`)).body;

    // The firm's machines know the authority, so its people get through to iManage; we do not.
    await enters(firm, asserted(AMELIA), "My integrations");
    await authorizes("Meridian DMS", AMELIA);
    await page.waitForURL("**/connect/result/*");
    await arrives(page, "The certificate of the iManage server is not believed.");
    expect((await tokenOf(firm, id, AMELIA.subject)).code).toBe("authorization_required");
    expect(simulator.counts().routes.token ?? 0).toBe(0);

    await enters(firm, ADMIN, "iManage settings");
    await page.getByRole("button", { name: "Check this server" }).click();
    await arrives(page, "Checking Meridian DMS");
    await page.getByRole("link", { name: "Open the result" }).click();
    await arrives(page, "Check of Meridian DMS");
    await takesPicture(page, "diagnosis", {
      height: 1000,
      from: page.getByRole("region", { name: "Step by step" }),
    });
    const told = await page.getByRole("region", { name: "Step by step" }).innerText();
    expect(told).toContain("The chain ends in “Meridian Root CA”, which is not known here.");
    expect(told).toContain("Trust “Meridian Root CA” for this server");

    await page.getByRole("link", { name: "Certificate authorities of Meridian DMS" }).click();
    await arrives(page, "Certificate authorities of Meridian DMS");
    await page.getByLabel("Certificate authorities", { exact: true }).fill(authority.certificate);
    await page.getByRole("button", { name: "Continue" }).click();
    await arrives(page, "What will change");
    const shown = await page.getByText("Meridian Root CA until").innerText();
    const { fingerprint256 } = new X509Certificate(authority.certificate);
    expect(shown).toContain(fingerprint256);
    await page.getByRole("button", { name: "Change it" }).click();
    await arrives(page, "Certificate authorities of Meridian DMS");
    expect(await page.getByRole("region", { name: "Trusted for this server" }).innerText()).toContain(
      fingerprint256,
    );
    here.advance(61_000);
    expect((await diagnosed()).verdict).toBe("good");
    await enters(firm, asserted(AMELIA), "My integrations");
    await page.getByRole("button", { name: "Authorize Meridian DMS" }).click();
    await page.getByRole("button", { name: "Continue as Amelia Hart" }).click();
    await page.waitForURL("**/my-integrations?connected=*");
    await arrives(page, "My integrations");
    expect((await tokenOf(firm, id, AMELIA.subject)).status).toBe(200);
    await enters(firm, ADMIN, "iManage settings");
    const card = await page.getByRole("region", { name: "Meridian DMS" }).innerText();
    expect(card).toContain("nothing is wrong");
    await takesPicture(page, "imanage-settings", { height: 1120 });
  });

  test("two servers of one organisation are authorized one by one, and disconnecting one leaves the other", async () => {
    const simulators = await startSimulators(2);
    const here = await world({ settings: { ...SUPPORT, ...egressTo(simulators) } });
    const names = ["London", "Zurich"];
    const firm = await declareFirm(here, {
      displayName: "Castor & Pell",
      servers: names.map((name, at) => ({
        name: name.toLowerCase(),
        display_name: name,
        kind: "hosted",
        address: simulators[at]!.origin,
      })),
    });
    const ids = names.map((name) => firm.servers[name.toLowerCase()]!);
    for (const at of [0, 1]) registered(simulators[at]!, ids[at]!.redirectUri);
    const tokens = async () => {
      const given = await Promise.all(ids.map(({ id }) => tokenOf(firm, id, AMELIA.subject)));
      return given.map(({ status, code }) => code ?? status);
    };

    await enters(firm, asserted(AMELIA), "My integrations");
    await authorizes("London", AMELIA);
    await page.waitForURL("**/my-integrations?connected=*");
    expect(await tokens()).toEqual([200, "authorization_required"]);
    await authorizes("Zurich", AMELIA);
    await page.waitForURL(`**/my-integrations?connected=${ids[1]!.id}`);
    await arrives(page, "My integrations");
    await takesPicture(page, "my-integrations", { height: 1000 });
    expect(await tokens()).toEqual([200, 200]);

    await page.getByRole("link", { name: "Disconnect London" }).click();
    await arrives(page, "Disconnect London?");
    await page.getByRole("button", { name: "Disconnect" }).click();
    await page.waitForURL("**/my-integrations?disconnected=*");
    await arrives(page, "My integrations");
    expect(await page.getByRole("status").innerText()).toContain("London is disconnected.");
    expect(await page.getByRole("region", { name: "Zurich" }).innerText()).toContain("Authorized");
    expect(await tokens()).toEqual(["authorization_required", 200]);
  });

  describe("from a vendor's product on another origin", () => {
    const open = async (members?: unknown) => {
      const here = await world({ settings: SUPPORT });
      const firm = await declareFirm(here, {
        displayName: "Meridian Legal",
        members,
        servers: [
          { name: "dms", display_name: "Meridian DMS", kind: "on-premises", address: here.simulator.origin },
        ],
      });
      registered(here.simulator, firm.servers.dms!.redirectUri);
      return { here, firm, server: firm.servers.dms!.id };
    };
    const begin = async (firm: Firm, server: string, subject: string) => {
      const begun = await firm.client.call<{ start_url: string; page: string }>(
        "POST",
        "/v1/connect-sessions",
        {
          server,
          subject: { type: "user", id: subject },
          return_url: firm.app.returnUrl,
        },
      );
      firm.app.completeFor(firm.client, subject);
      firm.app.leadTo(begun.body.start_url);
      await page.goto(firm.app.origin);
      return begun.body;
    };

    test("a popup shows My integrations, finishes the authorization, and says that it can be closed", async () => {
      const { firm, server } = await open();
      firm.app.leadTo(await portalLink(firm, asserted(AMELIA)));
      await page.goto(firm.app.origin);
      const opening = page.waitForEvent("popup");
      await page.getByRole("button", { name: "In a popup" }).click();
      const popup = await watched(opening);
      await arrives(popup, "My integrations");
      await authorizes("Meridian DMS", AMELIA, popup);
      await popup.waitForURL("**/my-integrations?connected=*");
      await arrives(popup, "My integrations");
      expect(await popup.getByRole("status").innerText()).toContain("You can close this window.");
      // Whoever opened it has no hold on it, and it has none on him.
      expect(await popup.evaluate("window.opener")).toBe(null);
      expect((await tokenOf(firm, server, AMELIA.subject)).status).toBe(200);
      await popup.getByRole("link", { name: "Return to Matter tracker" }).click();
      await popup.waitForURL(firm.app.returnUrl);
    });

    test("a popup that goes to iManage directly comes back to the product, which finishes it", async () => {
      const { firm, server } = await open();
      await begin(firm, server, AMELIA.subject);
      const opening = page.waitForEvent("popup");
      await page.getByRole("button", { name: "In a popup" }).click();
      const popup = await watched(opening);
      await signsIn(popup, AMELIA);
      await popup.getByText("connected").waitFor();
      await popup.getByRole("link", { name: "How it ended" }).click();
      await arrives(popup, "iManage is connected");
      expect(await popup.getByText("You can close this window.").count()).toBe(1);
      expect((await tokenOf(firm, server, AMELIA.subject)).status).toBe(200);
    });

    test("in the ordinary tab it comes back to the product, and the result page leads back there too", async () => {
      const { firm, server } = await open();
      const { page: result } = await begin(firm, server, MOREAU.subject);
      await page.getByRole("link", { name: "Here" }).click();
      await signsIn(page, MOREAU);
      await page.waitForURL(`${firm.app.returnUrl}?*`);
      await page.getByText("connected").waitFor();
      await page.goto(result);
      await arrives(page, "iManage is connected");
      await takesPicture(page, "result", { height: 360 });
      await page.getByRole("link", { name: "Return to Matter tracker" }).click();
      await page.waitForURL(`${firm.app.returnUrl}?*`);
      expect((await tokenOf(firm, server, MOREAU.subject)).status).toBe(200);
    });

    test("whoever presses Cancel at iManage is told that nothing was connected, and how to go on", async () => {
      const { firm, server } = await open();
      await enters(firm, asserted(AMELIA), "My integrations");
      await page.getByRole("button", { name: "Authorize Meridian DMS" }).click();
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.waitForURL("**/connect/result/*");
      await arrives(page, "The sign-in at iManage was cancelled.");
      await page.getByRole("link", { name: "Back to My integrations" }).click();
      await arrives(page, "My integrations");
      expect((await tokenOf(firm, server, AMELIA.subject)).code).toBe("authorization_required");
    });

    test("T02 whoever signs in at iManage as somebody else than the product said is refused in words, and nothing is kept", async () => {
      const { here, firm, server } = await open();
      await enters(firm, asserted(AMELIA), "My integrations");
      await authorizes("Meridian DMS", MOREAU);
      await page.waitForURL("**/connect/result/*");
      await arrives(page, "Another iManage user signed in than the one the application named.");
      expect(await page.getByText("sign in as yourself").count()).toBe(1);
      for (const { subject } of [AMELIA, MOREAU])
        expect((await tokenOf(firm, server, subject)).code).toBe("authorization_required");
      // Of what was thrown away nothing works any more.
      const live = () =>
        here.simulator
          .truth()
          .families.flatMap((family) => family.access_tokens.filter((token) => token.live));
      await expect.poll(live, { timeout: 5_000 }).toEqual([]);
    });

    test("whoever may not use the application at iManage is told so by iManage, and by us where iManage sends him back", async () => {
      const { here, firm, server } = await open();
      await enters(firm, asserted(OUTSIDE), "My integrations");
      await authorizes("Meridian DMS", OUTSIDE);
      await page.getByRole("heading", { name: "Access refused" }).waitFor();
      here.simulator.setSwitches({ not_in_access: "api_403" });
      await context.clearCookies();
      await enters(firm, asserted(OUTSIDE), "My integrations");
      await authorizes("Meridian DMS", OUTSIDE);
      await page.waitForURL("**/connect/result/*");
      await arrives(page, "iManage does not let this user use the application.");
      await takesPicture(page, "error", { height: 620 });
      expect(await page.getByText("choose All Users or add the user").count()).toBe(1);
      expect((await tokenOf(firm, server, OUTSIDE.subject)).code).toBe("authorization_required");
    });

    test("whoever is no member sees why, and finds nothing to authorize", async () => {
      const { firm, server } = await open({ subjects: [MOREAU.subject] });
      await enters(firm, asserted(AMELIA), "My integrations");
      expect(await page.getByRole("heading", { name: "iManage is not enabled for you" }).count()).toBe(1);
      expect(await page.getByRole("button", { name: /^Authorize/ }).count()).toBe(0);
      expect((await tokenOf(firm, server, AMELIA.subject)).code).toBe("not_a_member");
    });
  });
});
