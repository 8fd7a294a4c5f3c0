import { describe, expect, it } from "vitest";
import { hours } from "../../src/domain/instant.ts";
import { expectPage } from "../kit/connecting.ts";
import { enterPortal, submit } from "../kit/portal.ts";
import { world } from "../kit/world.ts";

type World = Awaited<ReturnType<typeof world>>;
const admin = (built: Pick<World, "client" | "organisation">) =>
  enterPortal(built, { role: "organisation_admin", subject: { type: "user", id: "u-admin" } });
const pathOf = ({ server }: World) => `/settings/servers/${server}/diagnosis`;
/** Requests that iManage has seen so far. */
const askedOf = ({ simulator }: World) => simulator.events().filter(({ type }) => type === "arrived").length;

describe("Check this server", () => {
  it("an organisation admin presses it on iManage settings, reads every step, and finds the result again without a new one", async () => {
    const built = await world();
    const { browser, page } = await admin(built);
    expect(page.body).toContain("none yet");
    const told = await submit(browser, page, pathOf(built));
    expect(told.status).toBe(200);
    for (const words of ["DNS", "Client ID and Redirect URL", "Client Secret", "Work Token Grant Expiry"])
      expect(told.body).toContain(`<h3>${words}</h3>`);
    expect(told.body).toContain("Nothing is wrong, as far as can be seen.");
    expect(told.body).toContain("There is no good check from before to compare with.");
    const asked = askedOf(built);
    expect(asked).toBeGreaterThan(3);
    const kept = await browser.get(built.base + pathOf(built));
    expect(kept.body).toContain("Nothing is wrong, as far as can be seen.");
    expect(kept.body).toContain("<h3>Client Secret</h3>");
    const again = await submit(browser, kept, pathOf(built));
    expect(again.status).toBe(429);
    expect(again.body).toMatch(/It can be checked again in \d+ seconds?\./);
    expect(again.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(askedOf(built)).toBe(asked);
    expect(built.lines.join()).toContain(`check of ${built.server} by person:${built.client.id}/u-admin`);
  });

  it("it worked yesterday: what is otherwise today is named, with what was seen then and now, and who changes what where", async () => {
    const built = await world();
    const { browser, page } = await admin(built);
    await submit(browser, page, pathOf(built));
    built.advance(hours(20));
    built.simulator.registrations.patch("token-broker", { redirect_urls: ["https://other.example"] });
    const today = await admin(built);
    const told = await submit(today.browser, today.page, pathOf(built));
    expect(told.body).toContain("Something is wrong.");
    expect(told.body).toContain("This is otherwise since:");
    expect(told.body).toMatch(/<dt>What to do<\/dt><dd><bdi>[^<]*Authentication › Redirect URL/);
    expect(told.body).toContain("<dt>Who changes it</dt><dd>iManage administrator</dd>");
    const home = await today.browser.get(`${built.base}/settings`);
    expect(home.body).toContain("something is wrong");
    const kept = await today.browser.get(built.base + pathOf(built));
    expect(kept.body).toContain("This is otherwise since:");
    // After a change of ours the kept result is of what was.
    expect(kept.body).not.toContain("was changed here since this check");
    const form = `/settings/servers/${built.server}`;
    const before = await today.browser.get(built.base + form);
    await submit(today.browser, before, form, { secret: "sim_secret_next", expires: "" });
    expect((await today.browser.get(built.base + pathOf(built))).body).toContain(
      "was changed here since this check",
    );
  });

  it("the support bundle is a file with the last result and without a secret", async () => {
    const built = await world();
    await built.connect();
    const { browser, page } = await admin(built);
    await submit(browser, page, pathOf(built));
    const kept = await browser.get(built.base + pathOf(built));
    const link = /href="([^"]+support-bundle)"/.exec(kept.body)![1]!;
    const file = await browser.get(built.base + link);
    expect(file.status).toBe(200);
    expect(file.headers.get("content-disposition")).toBe(
      `attachment; filename="support-bundle-${built.server}.json"`,
    );
    const bundle = JSON.parse(file.body);
    expect(bundle.diagnosis.last.verdict).toBe("good");
    expect(bundle).toMatchObject({ registration: { client_id: "token-broker" } });
    const byApi = await built.client.call<object>("GET", `/v1/servers/${built.server}/support-bundle`);
    expect(Object.keys(bundle)).toEqual(Object.keys(byApi.body));
    expect(file.body).not.toContain("sim_secret");
  });

  it("for another firm's admin there is no such server, for a user no such page, and iManage is asked nothing", async () => {
    const built = await world();
    const elsewhere = await world();
    const before = askedOf(built);
    const other = await admin(elsewhere);
    const csrf = /name="csrf" value="([^"]+)"/.exec(other.page.body)![1]!;
    for (const path of [pathOf(built), `/settings/servers/${built.server}/support-bundle`]) {
      expect((await other.browser.get(elsewhere.base + path)).status).toBe(404);
      expect((await other.browser.post(elsewhere.base + path, { csrf })).status).toBe(404);
      const user = await enterPortal(built);
      const refused = await user.browser.get(built.base + path);
      expect(refused.status).toBe(403);
      expectPage(refused, "portal_session_over");
    }
    const user = await enterPortal(built);
    const own = /name="csrf" value="([^"]+)"/.exec(user.page.body)![1]!;
    expect((await user.browser.post(built.base + pathOf(built), { csrf: own })).status).toBe(403);
    expect(askedOf(built)).toBe(before);
  });
});
