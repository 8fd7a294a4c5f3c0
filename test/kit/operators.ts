import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { type Visit, WalkingBrowser } from "../../scripts/walk/browser.ts";
import { addOrganisation } from "./additions.ts";
import { type IdentityProvider, startIdentityProvider } from "./identity-provider.ts";
import { type World, world } from "./world.ts";

/**
 * Who is what at the firm's identity provider: an operator, one who may act on queues as well, support of one organisation,
 * and nobody here.
 */
const GROUPS = {
  olga: ["dms-operators"],
  onni: ["dms-operators", "dms-on-call"],
  sam: ["staff", "dms-support"],
  guest: ["staff"],
};

export interface OperatorsSetUp {
  readonly provider: IdentityProvider;
  /** The organisation by this name is named for support. */
  readonly supported: string;
  /** Of a broker whose operators sign in there; it may be opened once the broker's address is known. */
  readonly settings: Readonly<Record<string, string>>;
  /** Where browsers may come back to. */
  open(...bases: readonly string[]): Promise<void>;
}

export async function operatorsSetUp(): Promise<OperatorsSetUp> {
  // Others share this Redis: the name is of this firm alone.
  const supported = `supported-${randomUUID().slice(0, 8)}`;
  const provider = await startIdentityProvider(GROUPS);
  const folder = await mkdtemp(join(tmpdir(), "operators-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const secret = join(folder, "secret");
  await writeFile(secret, provider.clientSecret);
  return {
    provider,
    supported,
    settings: {
      OPERATORS_ISSUER: provider.origin,
      OPERATORS_CLIENT_ID: provider.clientId,
      OPERATORS_CLIENT_SECRET_FILE: secret,
      OPERATORS_VALUES: "dms-operators",
      OPERATORS_QUEUE_VALUES: "dms-on-call",
      OPERATORS_SUPPORT: `dms-support=${supported}`,
    },
    open: (...bases) => provider.open(...bases.map((base) => `${base}/operators/callback`)),
  };
}

export async function firmWithOperators(
  more: Readonly<Record<string, string>> = {},
  ...otherBases: readonly string[]
): Promise<{
  here: World;
  provider: IdentityProvider;
  other: string;
  supported: string;
}> {
  const { provider, supported, settings, open } = await operatorsSetUp();
  const here = await world({ settings: { ...settings, ...more } });
  await open(here.base, ...otherBases);
  const { organisation: other } = await addOrganisation(here, {
    servers: { dms: { simulator: here.simulator } },
  });
  return { here, provider, other, supported };
}

/** Up to where the browser comes back with a code. */
export async function untilCallback(
  here: Pick<World, "base">,
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

export async function signInOperator(
  here: Pick<World, "base">,
  provider: IdentityProvider,
  username: string,
) {
  const browser = new WalkingBrowser();
  const callback = await untilCallback(here, provider, browser, username);
  return { browser, landed: await land(here, browser, callback) };
}

/** The page behind the callback: it is never the callback's own address, which holds the code (T08). */
export async function land(
  here: Pick<World, "base">,
  browser: WalkingBrowser,
  callback: string,
): Promise<Visit> {
  const answer = await browser.get(callback);
  expect(answer).toMatchObject({ status: 303, body: "" });
  expect(answer.location).not.toContain("code=");
  return browser.follow(answer, [here.base]);
}
