import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { days, minutes } from "../../src/domain/instant.ts";
import { axeFindings, chromiumPath, type OpenChromium, openChromium, pictures } from "../kit/chromium.ts";
import { withRules } from "../kit/policies.ts";
import { hostileTexts } from "./hostile-text.ts";
import { IMANAGE, World } from "./kit.ts";
import { type State, settingsStates, type Tools } from "./settings-states.ts";

const SIZES = { desk: { width: 1280, height: 900 }, phone: { width: 360, height: 740 } } as const;

const TABLES: ReadonlySet<string> = new Set(["libraries", "settings-audit"]);

/** Text in so narrow a place that words break inside, or wider than its box: axe does not mind, readers do. */
const SQUEEZED = `[...document.querySelectorAll("caption,th,td,p,dd,a,button,bdi,time,span:not(.hidden)")]
  .filter((e) => e.textContent.trim().length > 1 && e.offsetParent && !e.closest("thead,.hidden"))
  .filter((e) => e.clientWidth > 0 && (e.clientWidth < 40 && e.clientHeight > 60 || e.scrollWidth > e.clientWidth + 1))
  .map((e) => e.outerHTML.slice(0, 120))`;

const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30" viewBox="0 0 90 30"><style>.a{fill:#1b4b72}</style><rect class="a" width="90" height="30" rx="6"/></svg>`;

describe.skipIf(chromiumPath === undefined)("in a real Chromium", () => {
  let chromium: OpenChromium;
  let context: BrowserContext;
  let world: World;
  /** One origin for all: at another one each page would get a process of Chromium's of its own. */
  let listener: Server;
  let served: { readonly origin: string };
  let settings: NonNullable<Parameters<World["app"]>[0]>;
  let page: Page;
  let libraries: string;
  /** What the browser was not allowed to do, and what it asked others for. */
  let complaints: string[] = [];

  beforeAll(async () => {
    chromium = await openChromium({ viewport: SIZES.desk });
    context = chromium.context;
    listener = createServer().listen(0, "127.0.0.1");
    await once(listener, "listening");
    served = { origin: `http://127.0.0.1:${(listener.address() as AddressInfo).port}` };
    page = await context.newPage();
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("dialog", (dialog) => void complaints.push(dialog.message()));
    // Nothing leaves this machine: iManage answers nothing, which keeps the page, and anybody else is a complaint.
    await context.route(
      (url) => url.origin !== served.origin,
      (route) => {
        if (!route.request().url().startsWith(`${IMANAGE}/auth/oauth2/authorize?`))
          complaints.push(route.request().url());
        return route.fulfill({ status: 204 });
      },
    );
  });
  afterAll(async () => {
    await chromium.close();
    listener.closeAllConnections();
    listener.close();
  });

  beforeEach(async () => {
    world = await World.open();
    world.administers(
      "ACTIVE",
      "EMPLOYMENT",
      { id: "LEGACY", displayName: "Old matters", hidden: true },
      "LITIGATION",
    );
    settings = { plainCookies: true };
    libraries = `${served.origin}/servers/${world.server.id}/libraries`;
    await context.clearCookies();
    // What the test before looked at may refresh itself: from here on it is gone.
    listener.removeAllListeners("request").on("request", (_request, response) => {
      response.setHeader("Content-Type", "text/html").setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.end("<!doctype html><title>Nothing</title>");
    });
    await page.goto(served.origin);
    await page.setViewportSize(SIZES.desk);
    listener.removeAllListeners("request").on("request", world.app(settings));
    complaints = [];
  });

  const signIn = async (): Promise<void> => {
    const [name, value] = world.signIn().cookie.replace("__Host-", "").split("=") as [string, string];
    await context.addCookies([{ name, value, url: served.origin }]);
  };

  /** A client's person, and what he and others have authorized. */
  const visit = async (change: Parameters<World["visit"]>[0] = {}): Promise<void> => {
    const [name, value] = world.visit(change).cookie.replace("__Host-", "").split("=") as [string, string];
    await context.addCookies([{ name, value, url: served.origin }]);
  };
  const authorizeAll = (change: Parameters<World["grantOf"]>[1] = {}): void => {
    const { id } = world.bind();
    world.bind(world.admin, "b-17", world.another("Brief builder").id);
    world.bindings.get(id)!.push({ type: "library", library: "ACTIVE", since: world.now });
    world.grantOf(world.admin, change);
  };
  const myIntegrations = "/my-integrations";
  const settingsPage = async (path: string): Promise<void> => {
    await visit({ role: "organisation_admin" });
    await page.goto(`${served.origin}/settings${path}`);
  };

  const at = (path: () => string) => async () => page.goto(served.origin + path());
  const result = (change: Parameters<World["begin"]>[0]) =>
    at(() => `/connect/result/${world.begin(change).session.id}`);
  const lendAll = (): void => {
    world.lend("ACTIVE");
    world.lend("LEGACY", user("PGONE", "Pat Gone"), { state: "reauthorization_required" });
    world.lend("LITIGATION", user("SLATE", "Sam Late"), { refreshTokenExpiresAt: world.now + days(9) });
  };
  const user = (userId: string, name: string) => ({ customerId: "5948", userId, name, email: undefined });

  const tools: Tools = {
    world: () => world,
    page: () => page,
    origin: () => served.origin,
    visit,
  };
  const states: State[] = [
    { name: "sign-in", open: () => page.goto(libraries) },
    { name: "signed-out", open: () => page.goto(`${libraries}?notice=signed-out`) },
    {
      name: "libraries",
      open: async () => {
        lendAll();
        await signIn();
        await page.goto(`${libraries}?authorized=ACTIVE`);
      },
    },
    {
      name: "libraries-groups",
      open: async () => {
        world.syncs.length = 0;
        world.administers(
          "ACTIVE",
          { id: "LEGACY", displayName: "Old matters", hidden: true },
          { id: "POLICY", displayName: "Security policies", kind: "security_policy" },
          { id: "EMPLOYMENT", adminByOperations: false },
        );
        for (const library of ["ACTIVE", "LEGACY", "EMPLOYMENT"]) world.lend(library);
        world.sync("ACTIVE", { failures: 1, lastError: { code: "user_not_in_access", at: world.now } });
        world.closed = { why: "upstream", since: world.now - minutes(3) };
        await visit({ upstreamUser: "dtaylor" });
        await signIn();
        await page.goto(`${libraries}?select=shown`);
      },
    },
    {
      name: "libraries-not-found",
      open: async () => {
        await signIn();
        await page.goto(`${libraries}?find=zzz&show=authorized`);
      },
    },
    {
      name: "sign-in-of-another",
      open: async () => {
        world.admin = user("PGONE", "Pat Gone");
        await visit({ upstreamUser: "dtaylor" });
        await signIn();
        await page.goto(libraries);
      },
    },
    {
      name: "library",
      open: async () => {
        lendAll();
        world.sync("LEGACY");
        await signIn();
        await page.goto(`${libraries}/LEGACY/details`);
      },
    },
    {
      name: "library-difference",
      open: async () => {
        world.administers({ id: "ACTIVE", adminByOperations: false, adminByGroup: true });
        world.lend("ACTIVE");
        world.sync("ACTIVE", { failures: 1, lastError: { code: "imanage_unavailable", at: world.now } });
        await signIn();
        await page.goto(`${libraries}/ACTIVE/details`);
      },
    },
    {
      name: "replace-owner",
      open: async () => {
        lendAll();
        await signIn();
        await page.goto(`${libraries}/LEGACY/authorize`);
      },
    },
    {
      name: "another-owner",
      open: async () => {
        lendAll();
        await signIn();
        await page.goto(`${libraries}/LEGACY/authorize`);
        // Somebody else lent it while he read.
        world.lend("LEGACY", user("SLATE", "Sam Late"));
        await page.getByLabel("E-mail id").fill("DTAYLOR");
        await page.getByRole("button", { name: "replace the owner" }).click();
        await page.getByText("is authorized by somebody else").first().waitFor();
      },
    },
    {
      name: "authorize-selected",
      open: async () => {
        lendAll();
        await signIn();
        await page.goto(`${libraries}?select=shown`);
        await page.getByRole("button", { name: "Authorize selected" }).first().click();
        await page.getByText("4 libraries").first().waitFor();
      },
    },
    {
      name: "authorize-selected-refused",
      open: async () => {
        lendAll();
        await signIn();
        await page.goto(libraries);
        await page.getByRole("checkbox", { name: "Select Old matters" }).check();
        await page.getByRole("button", { name: "Authorize selected" }).first().click();
        await page.getByLabel("E-mail id").fill("DTAYLOR");
        await page.getByRole("button", { name: "Use my credentials & authorize" }).click();
        await page.getByText("Error:").waitFor();
      },
    },
    {
      name: "authorize-selected-nothing",
      open: async () => {
        await signIn();
        await page.goto(libraries);
        await page.getByRole("button", { name: "Authorize selected" }).first().click();
        await page.getByText("No library is selected").waitFor();
      },
    },
    {
      name: "error-another-at-imanage",
      open: at(
        () =>
          `/connect/error/upstream_user_mismatch?server=${world.server.id}&expected=d***%40firm.example&signed_in_as=p***%40firm.example`,
      ),
    },
    {
      name: "libraries-none",
      open: async () => {
        world.administers();
        await signIn();
        await page.goto(libraries);
      },
    },
    {
      name: "libraries-unavailable",
      open: async () => {
        world.imanageLibraries = { kind: "unavailable", reason: "test" };
        await signIn();
        await page.goto(libraries);
      },
    },
    {
      name: "libraries-signed-out-upstream",
      open: async () => {
        world.imanageLibraries = { kind: "unauthorized" };
        await signIn();
        await page.goto(libraries);
      },
    },
    {
      name: "authorize",
      open: async () => {
        await signIn();
        await page.goto(`${libraries}/ACTIVE/authorize`);
      },
    },
    {
      name: "authorize-refused",
      open: async () => {
        await signIn();
        await page.goto(`${libraries}/ACTIVE/authorize`);
        await page.getByLabel("E-mail id").fill("somebody.else@firm.example");
        await page.getByRole("button", { name: "Use my credentials & authorize" }).click();
      },
    },
    {
      name: "withdraw",
      open: async () => {
        lendAll();
        await signIn();
        await page.goto(`${libraries}/LITIGATION/withdraw`);
      },
    },
    {
      name: "calendar-link",
      open: async () => {
        world.calendars.kept.clear();
        await signIn();
        await page.goto(libraries);
        await page.getByRole("button", { name: "Create a calendar link" }).click();
        await page.getByLabel("Calendar link").waitFor();
      },
    },
    {
      name: "libraries-reminders",
      open: async () => {
        world.calendars.kept.clear();
        lendAll();
        await signIn();
        await page.goto(libraries);
        await page.getByRole("button", { name: "Create a calendar link" }).click();
        await page.getByRole("link", { name: "Back to Background service authorization" }).click();
        await page.getByRole("button", { name: "Revoke the link" }).waitFor();
      },
    },
    {
      name: "leaving",
      open: async () => {
        await page.goto(libraries);
        await page.getByRole("button", { name: "Sign in with iManage" }).click();
        await page.waitForURL("**/sign-in");
      },
    },
    {
      name: "form-outdated",
      open: async () => {
        await signIn();
        await page.goto(`${libraries}/ACTIVE/authorize`);
        // He signed in anew in another tab: the form is the earlier session's.
        await page.locator("input[name=csrf]").evaluate((input) => input.setAttribute("value", "earlier"));
        await page.getByLabel("E-mail id").fill("DTAYLOR");
        await page.getByRole("button", { name: "Use my credentials & authorize" }).click();
      },
    },
    {
      name: "portal-link-used",
      open: async () => {
        await visit();
        await page.goto(`${served.origin}/portal/open/none`);
      },
    },
    { name: "portal-over", open: at(() => myIntegrations) },
    {
      name: "portal-left",
      open: async () => {
        await visit();
        await page.goto(served.origin + myIntegrations);
        await page.getByRole("button", { name: "Leave" }).click();
        await page.getByRole("heading", { name: "You have left" }).waitFor();
      },
    },
    {
      name: "integrations-none",
      open: async () => {
        await visit();
        await page.goto(served.origin + myIntegrations);
      },
    },
    {
      name: "integrations",
      open: async () => {
        world.bindings.clear();
        authorizeAll();
        await visit();
        await page.goto(`${served.origin}${myIntegrations}?connected=${world.server.id}`);
      },
    },
    {
      name: "integrations-sign-in-again",
      open: async () => {
        world.bindings.clear();
        authorizeAll({ state: "reauthorization_required", lastUsedAt: undefined });
        await visit({ role: "organisation_admin", displayName: undefined });
        await page.goto(served.origin + myIntegrations);
      },
    },
    {
      name: "integrations-switched-off",
      open: async () => {
        world.firm = { ...world.firm, enabled: false };
        await visit();
        await page.goto(served.origin + myIntegrations);
      },
    },
    {
      name: "integrations-no-server",
      open: async () => {
        world.policy = withRules(world.policy, { servers: [] });
        await visit();
        await page.goto(served.origin + myIntegrations);
      },
    },
    {
      name: "disconnect",
      open: async () => {
        world.bindings.clear();
        authorizeAll();
        await visit();
        await page.goto(`${served.origin}${myIntegrations}/${world.server.id}/disconnect`);
      },
    },
    {
      name: "switch-off",
      open: async () => {
        world.bindings.clear();
        authorizeAll();
        await visit();
        await page.goto(served.origin + myIntegrations);
        await page.getByRole("link", { name: "Switch off" }).click();
      },
    },
    ...settingsStates(tools),
    {
      name: "result-portal-failed",
      open: result({
        state: "failed",
        problem: "asserted_user_mismatch",
        portal: { upstreamUser: "DTAYLOR" },
      }),
    },
    { name: "result-connected", open: result({ state: "connected" }) },
    { name: "result-waiting", open: () => result({ state: "returned", returnedAt: world.now })() },
    { name: "result-started", open: result({ state: "started" }) },
    { name: "result-over", open: result({ state: "started", expiresAt: 0 }) },
    { name: "result-cancelled", open: result({ state: "failed", problem: "authorization_denied" }) },
    { name: "result-refused", open: result({ state: "failed", problem: "authorization_refused" }) },
    {
      name: "error-refresh-token",
      open: at(
        () => `/connect/error/refresh_token_missing?server=${world.server.id}&reference=req_0123456789`,
      ),
    },
    { name: "error-unknown", open: at(() => "/connect/error/nonsense") },
    {
      name: "logo",
      open: async () => {
        Object.assign(settings, { logo: { type: "image/svg+xml", bytes: Buffer.from(LOGO) } });
        await page.goto(libraries);
        expect(await page.evaluate("document.querySelector('.bar img').naturalWidth")).toBe(90);
      },
    },
    { name: "not-found", open: at(() => "/connect/nowhere") },
  ];

  test.each(states)(
    "$name: axe finds nothing, nothing is wider than a phone, nothing is asked of others",
    async ({ name, open }) => {
      await page.setViewportSize(SIZES.desk);
      await open();
      for (const [size, viewport] of Object.entries(SIZES)) {
        await page.setViewportSize(viewport);
        // A phone shows the same elements; only tables become something else there.
        if (size === "desk" || TABLES.has(name)) expect(await axeFindings(page)).toEqual([]);
        const wide = await page.evaluate(
          "document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
        expect(wide).toBe(0);
        expect(await page.locator("h1").count()).toBe(1);
        expect(await page.evaluate(SQUEEZED)).toEqual([]);
        if (pictures !== undefined)
          await page.screenshot({
            path: join(pictures, `${name}-${size}.png`),
            fullPage: name !== "libraries-200",
          });
      }
      // A 4xx is the state that was asked for, and Chromium notes it as a failed load.
      expect(
        complaints.filter((line) => !line.startsWith("Failed to load resource: the server responded")),
      ).toEqual([]);
    },
  );

  test("T09 five hundred libraries with hostile names run nothing in a browser", async () => {
    world.administers(...hostileTexts().map((text) => ({ id: text, displayName: text })));
    world.admin = { ...world.admin, name: `<img src=x onerror="document.title='owned'">` };
    await signIn();
    await page.goto(libraries);
    expect(await page.locator("tbody tr").count()).toBe(hostileTexts().length);
    expect(await page.locator("script, img, iframe, object, base").count()).toBe(0);
    // To sign out, to find, to authorize what is selected, to be reminded.
    expect(await page.locator("form").count()).toBe(4);
    expect(await page.title()).toBe(
      "Background service authorization, Firm & Partners iManage – Token Broker for iManage Work",
    );
    expect(complaints).toEqual([]);
  });

  test("signing in leads on to iManage by itself, in spite of form-action 'self', and comes back signed in", async () => {
    await page.goto(libraries);
    const asked = page.waitForRequest((request) => request.url().startsWith(IMANAGE));
    await page.getByRole("button", { name: "Sign in with iManage" }).click();
    const to = new URL((await asked).url());
    expect((await asked).headers().referer).toBeUndefined();

    // The link stays for whoever switched such refreshes off.
    const again = page.waitForRequest((request) => request.url().startsWith(IMANAGE));
    await page.getByRole("link", { name: "Continue to iManage" }).click();
    expect(new URL((await again).url()).searchParams.get("state")).toBe(to.searchParams.get("state"));

    const callback = new URL(to.searchParams.get("redirect_uri")!).pathname;
    await page.goto(`${served.origin}${callback}?code=c-1&state=${to.searchParams.get("state")}`);
    expect(page.url()).toBe(libraries);
    expect(await page.getByText("Dana Taylor").count()).toBe(1);
  });

  test("T08 after a callback neither code nor state is in the address bar or the history", async () => {
    await page.goto(libraries);
    const callback = `/oauth2/callback/${world.registration.id}?code=c-4711&state=s-4711`;
    await page.evaluate(`location.assign(${JSON.stringify(callback)})`);
    await page.waitForURL("**/connect/error/authorization_response_invalid?*");
    const debug = await context.newCDPSession(page);
    const { entries } = await debug.send("Page.getNavigationHistory");
    expect(entries.map(({ url }) => new URL(url).pathname)).toContain(
      "/connect/error/authorization_response_invalid",
    );
    expect(entries.map(({ url, title }) => url + title).join()).not.toContain("4711");
  });

  const focused = () => page.evaluate("document.activeElement.textContent.trim()");
  const tabTo = async (text: string) => {
    for (let at = 0; at < 20 && (await focused()) !== text; at++) await page.keyboard.press("Tab");
    expect(await focused()).toBe(text);
    expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
  };

  test("My integrations by keyboard alone, from the link on: authorize, switch another application off, disconnect", async () => {
    await page.goto(`${served.origin}/portal/open/${world.portalLink({ upstreamUser: "dtaylor" })}`);
    expect(page.url()).toBe(served.origin + myIntegrations);
    await tabTo("Authorize Firm & Partners iManage");
    const asked = page.waitForRequest((request) => request.url().startsWith(IMANAGE));
    await page.keyboard.press("Enter");
    const to = new URL((await asked).url());
    const callback = new URL(to.searchParams.get("redirect_uri")!).pathname;
    await page.goto(`${served.origin}${callback}?code=c-1&state=${to.searchParams.get("state")}`);
    expect(await page.getByRole("status").innerText()).toContain("is authorized. You can close this window.");

    world.bind(world.admin, "b-17", world.another("Brief builder").id);
    await page.reload();
    await tabTo("Switch off Brief builder");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/applications/*");
    await tabTo("Switch off");
    await page.keyboard.press("Enter");
    await page.waitForURL(`**${myIntegrations}`);
    expect(await page.getByText("Brief builder").count()).toBe(0);

    await tabTo("Disconnect Firm & Partners iManage");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/disconnect");
    await tabTo("Disconnect");
    await page.keyboard.press("Enter");
    await page.waitForURL("**?disconnected=*");
    expect(await page.getByRole("status").innerText()).toContain("is disconnected.");
    expect(complaints).toEqual([]);
  });

  test("iManage settings by keyboard alone: enable for some persons, see the difference, confirm", async () => {
    await settingsPage("");
    await tabTo("Change Who may use iManage");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/settings/access");
    const id = () => page.evaluate("document.activeElement.id || document.activeElement.value");
    for (let at = 0; at < 20 && (await id()) !== "everyone"; at++) await page.keyboard.press("Tab");
    await page.keyboard.press("ArrowDown");
    expect(await id()).toBe("some");
    await page.keyboard.press("Tab");
    expect(await id()).toBe("subjects");
    await page.keyboard.type("u-1\nu-2");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByText("2 listed").waitFor();
    await tabTo("Change it");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/settings?changed=");
    expect((await world.store.findOrganisation(world.firm.id))!.members).toEqual({
      everyone: false,
      subjects: ["u-1", "u-2"],
      claims: [],
    });
    expect(complaints).toEqual([]);
  });

  test("by keyboard alone: find libraries, select two, and go to iManage once for both", async () => {
    await signIn();
    await page.goto(libraries);
    const id = () => page.evaluate("document.activeElement.id || document.activeElement.value");
    const tabUntil = async (name: string) => {
      for (let at = 0; at < 30 && (await id()) !== name; at++) await page.keyboard.press("Tab");
      expect(await id()).toBe(name);
    };
    await tabUntil("find");
    await page.keyboard.type("ti");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/libraries?find=ti");
    for (const library of ["ACTIVE", "LITIGATION"]) {
      await tabUntil(library);
      await page.keyboard.press("Space");
    }
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Authorize 2 libraries" }).waitFor();
    await tabUntil("email");
    await page.keyboard.type("dtaylor");
    const asked = page.waitForRequest((request) => request.url().startsWith(IMANAGE));
    await page.keyboard.press("Enter");
    const to = new URL((await asked).url());
    const callback = new URL(to.searchParams.get("redirect_uri")!).pathname;
    await page.goto(`${served.origin}${callback}?code=c-1&state=${to.searchParams.get("state")}`);
    expect(await page.getByRole("status").innerText()).toContain("2 libraries are authorized.");
    expect(complaints).toEqual([]);
  });

  test("on a screen of 1280 by 800 an admin sees his servers without scrolling", async () => {
    await page.setViewportSize({ width: 1280, height: 800 });
    await settingsPage("");
    const { y, height } = (await page.getByRole("button", { name: "Check this server" }).boundingBox())!;
    expect(y + height).toBeLessThanOrEqual(800);
    const line = (await page.getByRole("region", { name: "You are here as" }).boundingBox())!;
    expect(line.height).toBeLessThan(40);
  });

  test("the tick of a notice stands on the line of its words", async () => {
    await settingsPage("?changed=");
    const middle = async (selector: string) => {
      const { y, height } = (await page.locator(selector).boundingBox())!;
      return y + height / 2;
    };
    expect(Math.abs((await middle("p.note")) - (await middle("p.note svg")))).toBeLessThan(1.5);
  });

  test("the sheet's values stand in one column, the redirect URL on one line, and one click selects all of it", async () => {
    Object.assign(settings, { publicBaseUrl: "https://imanage-broker.vendor.example" });
    await settingsPage(`/servers/${world.server.id}`);
    const url = page.locator("dt:text-is('Redirect URL') + dd bdi");
    expect(
      await page.evaluate("document.querySelectorAll('.sheet .letters')[1].getClientRects().length"),
    ).toBe(1);
    const columns = "[...new Set([...document.querySelectorAll('dl dd')].map((e) => e.offsetLeft))]";
    expect(await page.evaluate(columns)).toHaveLength(1);
    await url.click();
    expect(await page.evaluate("getSelection().toString()")).toBe(await url.innerText());
    expect(await url.innerText()).toMatch(
      /^https:\/\/imanage-broker\.vendor\.example\/oauth2\/callback\/reg_/,
    );
  });

  test("the whole of it by keyboard alone: authorize a library, and withdraw it", async () => {
    world.administers("ACTIVE");
    await signIn();
    await page.goto(libraries);
    await tabTo("Authorize ACTIVE");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/ACTIVE/authorize");
    await page.keyboard.press("Tab");
    await page.keyboard.type("dana.taylor@firm.example");
    const asked = page.waitForRequest((request) => request.url().startsWith(IMANAGE));
    await page.keyboard.press("Enter");
    const to = new URL((await asked).url());
    const callback = new URL(to.searchParams.get("redirect_uri")!).pathname;
    await page.goto(`${served.origin}${callback}?code=c-1&state=${to.searchParams.get("state")}`);
    expect(await page.getByRole("status").innerText()).toMatch(/^\s?ACTIVE is authorized\.$/);
    await tabTo("Withdraw ACTIVE");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/ACTIVE/withdraw");
    await tabTo("Withdraw the authorization");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/libraries?withdrawn=ACTIVE");
    expect(await page.getByText("The authorization of ACTIVE is withdrawn.").count()).toBe(1);
  });
});
