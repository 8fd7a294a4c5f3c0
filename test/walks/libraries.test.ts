import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Person } from "../../scripts/walk/connect.ts";
import { days, hours, minutes, seconds } from "../../src/domain/instant.ts";
import { chromiumPath, type OpenChromium, openChromium } from "../kit/chromium.ts";
import { OKAFOR, VOSS } from "../kit/library-admin.ts";
import { AMELIA, MOREAU, type World, world } from "../kit/world.ts";
import {
  arrives,
  asserted,
  declareFirm,
  type Firm,
  portalLink,
  registered,
  SUPPORT,
  signsIn,
  signsInAgain,
  takesPicture,
} from "./kit.ts";

const PAGE = "Background service authorization";
/** How long clients ask for tokens while the owner is replaced, again and again. */
const REPLACING_SECONDS = Number(process.env.TEST_REPLACING_SECONDS ?? "3");

/** The composed product on a real Redis, a simulated iManage, and library admins at a browser. */
describe.skipIf(chromiumPath === undefined)(
  "library admins in a real Chromium",
  { timeout: 90_000 + REPLACING_SECONDS * 1_000 },
  () => {
    let chromium: OpenChromium;
    let context: BrowserContext;
    let page: Page;
    /** What the browser was not allowed to do. */
    let complaints: string[];
    let here: World;
    let firm: Firm;
    let server: string;

    beforeAll(async () => {
      chromium = await openChromium({ viewport: { width: 1280, height: 900 } });
      context = chromium.context;
      context.setDefaultTimeout(15_000);
    });
    afterAll(() => chromium.close());

    beforeEach(async () => {
      here = await world({ settings: SUPPORT });
      firm = await declareFirm(here, {
        displayName: "Hart Lowell",
        servers: [
          {
            name: "dms",
            display_name: "Hart Lowell iManage",
            kind: "on-premises",
            address: here.simulator.origin,
            customer_id: 5948,
          },
        ],
      });
      registered(here.simulator, firm.servers.dms!.redirectUri);
      server = firm.servers.dms!.id;
      complaints = [];
      await context.clearCookies();
      page = await context.newPage();
      page.on("console", (message) => complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(error.message));
      return async () => {
        await page.close();
        // Refusals are told on the page; and a walker is quicker than the focus that the page would give.
        const loads = /^(Failed to load resource: the server responded|Autofocus processing was blocked)/;
        expect(complaints.filter((line) => !loads.test(line))).toEqual([]);
      };
    });

    const libraries = () => `${here.base}/servers/${server}/libraries`;
    const row = (library: string) => page.getByRole("row", { name: new RegExp(library) });
    const notice = () => page.getByRole("status").first();
    const tokenFor = (library: string) =>
      firm.client.accessToken({ server, subject: { type: "library", id: library } });
    const statusFor = async (library: string) => {
      const { status, body } = await tokenFor(library);
      return body.code ?? status;
    };

    /** Bad news is believed when it was seen three times (F04). */
    const isOver = async (library: string) => {
      for (let look = 1; look < 3; look++) {
        expect(await statusFor(library)).toBe("imanage_unavailable");
        here.advance(seconds(62));
      }
      expect(await statusFor(library)).toBe("reauthorization_required");
    };

    /** From Control Center's Extensions, without a portal session. */
    const comes = async (person: Person) => {
      await context.clearCookies();
      await page.goto(libraries());
      await arrives(page, PAGE);
      await page.getByRole("button", { name: "Sign in with iManage" }).click();
      await signsIn(page, person);
      await page.waitForURL(`${libraries()}`);
      await arrives(page, PAGE);
    };
    const fillsIn = async (person: Person, button = "Use my credentials & authorize") => {
      await page.getByLabel("E-mail id").fill(`${person.username}@hartlowell.example`);
      await page.getByRole("button", { name: button }).click();
    };
    const authorizes = async (library: string, person: Person) => {
      await page.getByRole("link", { name: `Authorize ${library}`, exact: true }).click();
      await arrives(page, `Authorize ${library}`);
      await fillsIn(person);
      await signsInAgain(page, person);
      await page.waitForURL("**/libraries?authorized=*");
      await arrives(page, PAGE);
    };
    const replaces = async (library: string, person: Person) => {
      await page.goto(libraries());
      await page.getByRole("link", { name: `Details ${library}` }).click();
      await arrives(page, library);
      await page.getByRole("link", { name: `Replace the owner ${library}` }).click();
      await arrives(page, `Replace the owner of ${library}`);
      await takesPicture(page, "replace-owner", { height: 700 });
      await fillsIn(person, "Use my credentials & replace the owner");
      await signsInAgain(page, person);
      await page.waitForURL("**/libraries?authorized=*");
      await arrives(page, PAGE);
    };

    test("from the client's portal a library admin authorizes his first library, and its background service has a token", async () => {
      await page.goto(await portalLink(firm, asserted(AMELIA)));
      await arrives(page, "My integrations");
      await page.getByRole("link", { name: PAGE }).click();
      await arrives(page, PAGE);
      expect(await page.getByText("You came from Matter tracker as Amelia Hart.").count()).toBe(1);
      await page.getByRole("button", { name: "Sign in with iManage" }).click();
      expect(await page.getByLabel("User name or e-mail").inputValue()).toBe("amelia.hart");
      await signsIn(page, AMELIA);
      await page.waitForURL(libraries());
      await arrives(page, PAGE);
      expect(await row("Active matters").innerText()).toContain("Unauthorized");
      expect(await statusFor("ACTIVE")).toBe("authorization_required");

      await authorizes("Active matters", AMELIA);
      expect(await notice().innerText()).toContain("Active matters is authorized.");
      expect(await row("Active matters").innerText()).toMatch(/Authorized[\s\S]*amelia\.hart \(you\)/);
      const { status, body } = await tokenFor("ACTIVE");
      expect(status).toBe(200);
      const api = await fetch(`${body.api_base_url}/api`, { headers: { "X-Auth-Token": body.access_token } });
      expect(await api.json()).toMatchObject({ data: { user: { name: "Amelia Hart" } } });
      await page.getByRole("link", { name: "Return to Matter tracker" }).click();
      await page.waitForURL(firm.app.returnUrl);
    });

    test("T02 whom the client sent is not signed in as somebody else", async () => {
      await page.goto(await portalLink(firm, asserted(AMELIA)));
      await page.getByRole("link", { name: PAGE }).click();
      await page.getByRole("button", { name: "Sign in with iManage" }).click();
      await signsIn(page, OKAFOR);
      await arrives(page, "Another iManage user signed in than the one the application named.");
      await page.goto(libraries());
      await arrives(page, PAGE);
      expect(await page.getByRole("button", { name: "Sign in with iManage" }).count()).toBe(1);
    });

    test("many libraries are authorized by one sign-in; the page says how many, and names the one that iManage refused", async () => {
      const admins = { nrtadmin_group: ["amelia.hart"], nrtadmin_role: ["amelia.hart"] };
      for (const [id, display_name] of [
        ["BANKING", "Banking and finance"],
        ["CORPORATE", "Corporate"],
        ["EMPLOYMENT", "Employment"],
        ["ESTATES", "Estates and trusts"],
        ["TAX", "Tax"],
      ] as const)
        here.simulator.libraries.put({ customer_id: 5948, id, display_name, ...admins });
      await comes(AMELIA);
      await page.getByRole("link", { name: /^Unauthorized/ }).click();
      await page.getByRole("link", { name: /^Select all \d+ shown/ }).click();
      expect(await page.getByRole("checkbox", { checked: true }).count()).toBe(7);
      await page.getByRole("checkbox", { name: "Select Templates" }).uncheck();
      await page.getByRole("button", { name: "Authorize selected" }).first().click();
      await arrives(page, "Authorize 6 libraries");
      await page.getByLabel("E-mail id").fill("amelia.hart@hartlowell.example");
      await takesPicture(page, "authorize-many", { height: 760 });
      here.simulator.libraries.patch(5948, "TAX", { nrtadmin_group: [], nrtadmin_role: [] });
      await page.getByRole("button", { name: "Use my credentials & authorize" }).click();
      await signsInAgain(page, AMELIA);
      await page.waitForURL("**/libraries?authorized=");
      await arrives(page, PAGE);
      expect(await notice().innerText()).toContain("5 libraries are authorized.");
      const refused = page.getByRole("status").nth(1);
      expect(await refused.innerText()).toMatch(
        /1 library was not authorized:\s+TAX: You have no NRTADMIN access/,
      );
      const asked = ["ACTIVE", "BANKING", "CORPORATE", "EMPLOYMENT", "ESTATES", "TAX", "TEMPLATES"];
      expect(await Promise.all(asked.map(statusFor))).toEqual([
        ...Array.from({ length: 5 }, () => 200),
        "authorization_required",
        "authorization_required",
      ]);
      // One sign-in to the page, one for five libraries.
      expect(here.simulator.counts().routes.token).toBe(2);

      await page.getByRole("link", { name: "Withdraw Corporate" }).click();
      await arrives(page, "Withdraw the authorization of Corporate?");
      await page.getByRole("button", { name: "Withdraw the authorization" }).click();
      await page.waitForURL("**/libraries?withdrawn=CORPORATE");
      expect(await Promise.all(["CORPORATE", "BANKING"].map(statusFor))).toEqual([
        "authorization_required",
        200,
      ]);
    });

    test("a wrong e-mail id is refused beside its field, and another person at iManage is refused with both named, masked", async () => {
      await comes(AMELIA);
      await page.getByRole("link", { name: "Authorize Active matters" }).click();
      await fillsIn(OKAFOR);
      const fault = page.locator(".fault");
      await fault.waitFor();
      expect(await fault.innerText()).toContain("This is not the e-mail id of Amelia Hart");
      await arrives(page, "Authorize Active matters");
      await fillsIn(AMELIA);
      await page.getByRole("button", { name: "Use another account" }).click();
      await signsIn(page, OKAFOR);
      await arrives(page, "The iManage user is not the one named on the page.");
      expect(await page.getByText("a***@hartlowell.example").count()).toBe(1);
      expect(await page.getByText("b***@hartlowell.example").count()).toBe(1);
      expect(await statusFor("ACTIVE")).toBe("authorization_required");
    });

    test("a user without NRTADMIN sees no library, and whom to ask", async () => {
      await comes(MOREAU);
      expect(await page.getByRole("heading", { name: "No library with NRTADMIN access" }).count()).toBe(1);
      expect(await page.getByText("up to eight hours").count()).toBe(1);
      expect(await page.getByRole("table").count()).toBe(0);
    });

    test("who has the group without the role is told what differs", async () => {
      await comes(OKAFOR);
      await page.getByRole("link", { name: "Details Litigation" }).click();
      await arrives(page, "Litigation");
      expect(
        await page.getByText("You are in the group, and iManage's operations do not show the role.").count(),
      ).toBe(1);
    });

    test("T11 a second admin takes over while clients ask for tokens all the time, and no request fails", async () => {
      await comes(AMELIA);
      await authorizes("Active matters", AMELIA);

      const answers: Record<string, number> = {};
      const dead: string[] = [];
      let over = false;
      const caller = async () => {
        while (!over) {
          const { status, body } = await tokenFor("ACTIVE");
          answers[body.code ?? status] = (answers[body.code ?? status] ?? 0) + 1;
          if (status === 200 && !here.simulator.isAccessTokenLive(body.access_token))
            dead.push(body.fingerprint);
        }
      };
      const callers = Promise.all([caller(), caller()]);
      const until = performance.now() + REPLACING_SECONDS * 1_000;
      let replaced = 0;
      do {
        const person = [OKAFOR, AMELIA][replaced % 2]!;
        await comes(person);
        await replaces("Active matters", person);
        expect(await row("Active matters").innerText()).toContain(`${person.username} (you)`);
        await here.broker.revoker.revokeAll();
        replaced += 1;
      } while (performance.now() < until);
      over = true;
      await callers;
      const asked = Object.values(answers).reduce((a, b) => a + b, 0);
      console.log(
        `figure: ${asked} calls for a token while the owner was replaced ${replaced} times in ${REPLACING_SECONDS} s: ${JSON.stringify(answers)}`,
      );
      expect(Object.keys(answers)).toEqual(["200"]);
      expect(dead).toEqual([]);
    });

    test("an authorization that has reached its end says so, and another admin takes its place", async () => {
      await comes(AMELIA);
      await authorizes("Active matters", AMELIA);
      here.advance(days(366));
      await isOver("ACTIVE");
      await comes(OKAFOR);
      await page.getByRole("link", { name: /^Needs attention/ }).click();
      expect(await row("Active matters").innerText()).toContain("has reached its end");
      await page.getByRole("link", { name: "Details Active matters" }).click();
      await arrives(page, "Active matters");
      expect(await page.getByText("Applications get no tokens for this library until then.").count()).toBe(1);
      await replaces("Active matters", OKAFOR);
      expect(await statusFor("ACTIVE")).toBe(200);
    });

    test("a lost role parks the library with that reason, its owner can only withdraw it, and another admin takes his place", async () => {
      await comes(AMELIA);
      await authorizes("Active matters", AMELIA);
      here.simulator.libraries.patch(5948, "ACTIVE", {
        nrtadmin_group: ["b.okafor"],
        nrtadmin_role: ["b.okafor"],
      });
      // Looked at every two hours, and believed when it is seen again.
      for (const later of [hours(2), minutes(5)]) {
        here.advance(later);
        await here.broker.workerStories.checkStandings();
      }
      expect(await statusFor("ACTIVE")).toBe("library_role_lost");
      await comes(AMELIA);
      expect(await row("Active matters").innerText()).toContain("Amelia Hart has no NRTADMIN access");
      expect(await row("Active matters").getByRole("checkbox").count()).toBe(0);
      expect(await row("Active matters").getByRole("link", { name: "Withdraw" }).count()).toBe(1);

      await comes(OKAFOR);
      await page.getByRole("link", { name: "Details Active matters" }).click();
      await arrives(page, "Active matters");
      expect(await page.getByText("Another library admin authorizes in his place").count()).toBe(1);
      await replaces("Active matters", OKAFOR);
      expect(await row("Active matters").innerText()).toMatch(/Authorized[\s\S]*b\.okafor \(you\)/);
      expect(await statusFor("ACTIVE")).toBe(200);
    });

    test("what was revoked at iManage is told with every cause there may be, and its owner's sign-in mends it", async () => {
      here.simulator.libraries.patch(5948, "LITIGATION", {
        nrtadmin_group: ["amelia.hart", "b.okafor"],
        nrtadmin_role: ["amelia.hart", "b.okafor"],
      });
      here.simulator.libraries.put({
        customer_id: 5948,
        id: "CORPORATE",
        display_name: "Corporate",
        nrtadmin_group: ["b.okafor"],
        nrtadmin_role: ["b.okafor"],
      });
      await comes(AMELIA);
      await page.getByRole("link", { name: /^Select all \d+ shown/ }).click();
      await page.getByRole("button", { name: "Authorize selected" }).first().click();
      await fillsIn(AMELIA);
      await signsInAgain(page, AMELIA);
      await page.waitForURL("**/libraries?authorized=");
      const { body } = await firm.client.call<{ id: string }>("POST", "/v1/syncs", {
        server,
        library: "ACTIVE",
      });
      await here.broker.workerStories.runSync(body.id as never, new AbortController().signal, async () => {});

      await comes(OKAFOR);
      await replaces("Litigation", OKAFOR);
      here.simulator.endFamilies({ user: "amelia.hart" });
      here.advance(minutes(31));
      await isOver("ACTIVE");
      await comes(OKAFOR);
      expect(await row("Active matters").innerText()).toContain("iManage does not say which");
      await takesPicture(page, "libraries", { height: 1_087, width: 1_280 });
      await page.getByRole("link", { name: "Details Active matters" }).click();
      await arrives(page, "Active matters");
      await takesPicture(page, "library-trouble", { height: 1_150 });
      expect(await page.getByText("sync runs, complete").count()).toBe(1);

      await comes(AMELIA);
      expect(await row("Active matters").innerText()).toMatch(/Authorized[\s\S]*amelia\.hart \(you\)/);
      expect(await statusFor("ACTIVE")).toBe(200);
      expect(await statusFor("LITIGATION")).toBe(200);
    });

    test("several servers whose libraries are called alike are told apart by the server's name on every page", async () => {
      await comes(VOSS);
      for (const [link, heading] of [
        ["Details Litigation", "Litigation"],
        ["Authorize Litigation", "Authorize Litigation"],
      ] as const) {
        await page.goto(libraries());
        await page.getByRole("link", { name: link }).click();
        await arrives(page, heading);
        expect(await page.getByText("Hart Lowell iManage").count()).toBeGreaterThan(0);
      }
    });
  },
);
