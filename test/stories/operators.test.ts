import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Visit, WalkingBrowser } from "../../scripts/walk/browser.ts";
import type { OrganisationId } from "../../src/domain/id.ts";
import { addOrganisation } from "../kit/additions.ts";
import { type IdentityProvider, startIdentityProvider } from "../kit/identity-provider.ts";
import { put } from "../kit/put-records.ts";
import { type World, world } from "../kit/world.ts";

const GROUPS = { olga: ["dms-operators"], sam: ["staff", "dms-support"], guest: ["staff"] };

async function firm(): Promise<{ here: World; provider: IdentityProvider; other: string }> {
  const provider = await startIdentityProvider(GROUPS);
  const folder = await mkdtemp(join(tmpdir(), "operators-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const secret = join(folder, "secret");
  await writeFile(secret, provider.clientSecret);
  const here = await world({
    settings: {
      OPERATORS_ISSUER: provider.origin,
      OPERATORS_CLIENT_ID: provider.clientId,
      OPERATORS_CLIENT_SECRET_FILE: secret,
      OPERATORS_VALUES: "dms-operators",
      OPERATORS_SUPPORT: "dms-support=supported",
    },
  });
  await provider.open(`${here.base}/operators/callback`);
  const { organisation: other } = await addOrganisation(here, {
    servers: { dms: { simulator: here.simulator } },
  });
  return { here, provider, other };
}

/** Up to where the browser comes back with a code. */
async function untilCallback(
  here: World,
  provider: IdentityProvider,
  browser: WalkingBrowser,
  username: string,
): Promise<string> {
  const left = await browser.post(`${here.base}/operators/sign-in`, {});
  let at: Visit = await browser.get(
    /href="(http[^"]+authorize?[^"]*|http[^"]+auth\?[^"]*)"/.exec(left.body)![1]!.replaceAll("&amp;", "&"),
  );
  for (let steps = 0; steps < 10; steps++) {
    const to = at.location!;
    if (to.startsWith(here.base)) return to;
    at = new URL(to).pathname.startsWith("/interaction/")
      ? await browser.post(to, { username })
      : await browser.get(to);
  }
  throw new Error(`never came back: ${at.url} at ${provider.origin}`);
}

async function signIn(here: World, provider: IdentityProvider, username: string) {
  const browser = new WalkingBrowser();
  const callback = await untilCallback(here, provider, browser, username);
  return { browser, landed: await land(here, browser, callback) };
}

/** The page behind the callback: it is never the callback's own address, which holds the code (T08). */
async function land(here: World, browser: WalkingBrowser, callback: string): Promise<Visit> {
  const answer = await browser.get(callback);
  expect(answer).toMatchObject({ status: 303, body: "" });
  expect(answer.location).not.toContain("code=");
  return browser.follow(answer, [here.base]);
}

describe("operators and support sign in by the firm's own identity provider", () => {
  it("an operator sees every organisation, and is out again when he signs out", async () => {
    const { here, provider } = await firm();
    const { browser, landed } = await signIn(here, provider, "olga");
    const page = landed;
    expect(page.url).toBe(`${here.base}/operators`);
    expect(page.body).toContain("olga of the firm");
    expect(page.body).toContain("Meridian Legal");
    const csrf = /name="csrf" value="([^"]+)"/.exec(page.body)![1]!;
    expect((await browser.post(`${here.base}/operators/sign-out`, { csrf: "made-up" })).status).toBe(403);
    await browser.post(`${here.base}/operators/sign-out`, { csrf });
    expect((await browser.get(`${here.base}/operators`)).body).not.toContain("olga");
  });

  it("support sees the organisations that are named for it, and no other", async () => {
    const { here, provider, other } = await firm();
    const before = await signIn(here, provider, "sam");
    expect(before.landed.body).toContain("No organisation is named for you.");
    const { configuration } = here.broker;
    const one = (await configuration.findOrganisation(other as OrganisationId))!;
    await put.organisation(configuration, { ...one, name: "supported", displayName: "Supported LLP" });
    const { body } = await before.browser.get(`${here.base}/operators`);
    expect(body).toContain("support, for the organisations below");
    expect(body).toContain("Supported LLP");
    expect(body).not.toContain("Meridian Legal");
  });

  it("whoever is in no such group is refused by name of what is missing, and has no session", async () => {
    const { here, provider } = await firm();
    const { browser, landed } = await signIn(here, provider, "guest");
    expect(landed.body).toContain("operator_not_allowed");
    expect((await browser.get(`${here.base}/operators`)).body).not.toContain("guest");
  });

  it("a code that another browser came back with signs nobody in (T03), nor does the same one twice", async () => {
    const { here, provider } = await firm();
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
    const { here } = await firm();
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
