import { describe, expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { expectPage, expectPrivate } from "../kit/connecting.ts";
import { enterPortal, submit } from "../kit/portal.ts";
import { RETURN_URL, world } from "../kit/world.ts";

describe("Leave", () => {
  it("ends the visit at the server, clears the cookie, says so, and shows the way back to the application", async () => {
    const built = await world();
    const { browser, page } = await enterPortal(built);
    const [name] = browser.cookieNames(built.base);
    const csrf = /name="csrf" value="([^"]+)"/.exec(page.body)![1]!;
    // Somebody kept the cookie.
    const kept = await enterPortal(built);
    const left = await submit(kept.browser, kept.page, "/portal/leave");
    expect(left.status).toBe(200);
    expect(left.body).toContain("You have left");
    expect(left.body).toContain(`href="${RETURN_URL.replaceAll("&", "&amp;")}"`);
    expect(left.headers.getSetCookie().join()).toMatch(new RegExp(`^${name}=; .*Max-Age=0`));
    expectPrivate(left);
    expect(kept.browser.cookieNames(built.base)).toEqual([]);
    expectPage(await kept.browser.get(`${built.base}/my-integrations`), "portal_session_over");
    // The other visit goes on, and its token never was this one's.
    expect((await browser.post(`${built.base}/portal/leave`, { csrf: "made-up" })).status).toBe(403);
    expect((await browser.get(`${built.base}/my-integrations`)).status).toBe(200);
    expect((await browser.post(`${built.base}/portal/leave`, { csrf })).status).toBe(200);
    expect((await browser.get(`${built.base}/my-integrations`)).status).toBe(403);
  });

  it("a cookie that somebody copied before opens nothing afterwards", async () => {
    const built = await world();
    const { browser, page, entered } = await enterPortal(built);
    const cookie = entered.headers.getSetCookie()[0]!.split(";")[0]!;
    const asked = () => fetch(`${built.base}/my-integrations`, { headers: { cookie, accept: "text/html" } });
    expect((await asked()).status).toBe(200);
    await submit(browser, page, "/portal/leave");
    expect((await asked()).status).toBe(403);
  });

  it("said again, or without a visit, it is no error; an organisation admin leaves the settings by the same button", async () => {
    const built = await world();
    const again = await new WalkingBrowser().post(`${built.base}/portal/leave`, {});
    expect(again.status).toBe(200);
    expect(again.body).toContain("You have left");
    expect(again.body).not.toContain("Return to");
    const admin = await enterPortal(built, { role: "organisation_admin" });
    await submit(admin.browser, admin.page, "/portal/leave");
    expectPage(await admin.browser.get(`${built.base}/settings`), "portal_session_over");
  });
});
