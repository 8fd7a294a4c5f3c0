import { describe, expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import type { OrganisationId } from "../../src/domain/id.ts";
import { firmWithOperators, land, signInOperator, untilCallback } from "../kit/operators.ts";
import { put } from "../kit/put-records.ts";
import { world } from "../kit/world.ts";

describe("operators and support sign in by the firm's own identity provider", () => {
  it("an operator sees every organisation, and is out again when he signs out", async () => {
    const { here, provider } = await firmWithOperators();
    const { browser, landed } = await signInOperator(here, provider, "olga");
    const page = landed;
    expect(page.url).toBe(`${here.base}/operators`);
    expect(page.body).toContain("olga of the firm");
    expect(page.body).toContain("Meridian Legal");
    const csrf = /name="csrf" value="([^"]+)"/.exec(page.body)![1]!;
    expect((await browser.post(`${here.base}/operators/sign-out`, { csrf: "made-up" })).status).toBe(403);
    const left = await browser.post(`${here.base}/operators/sign-out`, { csrf });
    expect((await browser.follow(left, [here.base])).body).toContain("You are signed out here.");
    expect((await browser.get(`${here.base}/operators`)).body).not.toContain("olga");
  });

  it("support sees the organisations that are named for it, and no other", async () => {
    const { here, provider, other, supported } = await firmWithOperators();
    const before = await signInOperator(here, provider, "sam");
    expect(before.landed.body).toContain("No organisation is named for you.");
    const { configuration } = here.broker;
    const one = (await configuration.findOrganisation(other as OrganisationId))!;
    await put.organisation(configuration, { ...one, name: supported, displayName: "Supported LLP" });
    const { body } = await before.browser.get(`${here.base}/operators`);
    expect(body).toContain("support, for the organisations below");
    expect(body).toContain("Supported LLP");
    expect(body).not.toContain("Meridian Legal");
  });

  it("whoever is in no such group is refused by name of what is missing, and has no session", async () => {
    const { here, provider } = await firmWithOperators();
    const { browser, landed } = await signInOperator(here, provider, "guest");
    expect(landed.body).toContain("operator_not_allowed");
    expect((await browser.get(`${here.base}/operators`)).body).not.toContain("guest");
  });

  it("a code that another browser came back with signs nobody in (T03), nor does the same one twice", async () => {
    const { here, provider } = await firmWithOperators();
    const victim = new WalkingBrowser();
    await victim.post(`${here.base}/operators/sign-in`, {});
    const attacker = new WalkingBrowser();
    const callback = await untilCallback(here, provider, attacker, "olga");
    const failed = async (browser: WalkingBrowser) =>
      expect((await land(here, browser, callback)).body).toContain("operator_sign_in_failed");
    await failed(victim);
    await failed(new WalkingBrowser());
    expect((await land(here, attacker, callback)).body).toContain("olga of the firm");
    await failed(attacker);
  });

  it("a provider that does not answer is said so, and one that nobody set up has no page to sign in", async () => {
    const { here } = await firmWithOperators();
    const silent = await world({
      settings: {
        ...Object.fromEntries(
          Object.entries(here.environment).filter(([name]) => name.startsWith("OPERATORS")),
        ),
        OPERATORS_ISSUER: "http://127.0.0.1:9",
      },
    });
    expect((await new WalkingBrowser().post(`${silent.base}/operators/sign-in`, {})).body).toContain(
      "operator_sign_in_unavailable",
    );
    const without = await world();
    expect((await new WalkingBrowser().get(`${without.base}/operators`)).status).toBe(404);
    expect((await new WalkingBrowser().post(`${without.base}/operators/sign-in`, {})).status).toBe(404);
  });
});
