import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { WalkingClient } from "../../scripts/walk/client.ts";
import type { Person } from "../../scripts/walk/connect.ts";
import { applyConfiguration } from "../../src/broker/organisations/apply-configuration.ts";
import { readDesiredConfiguration } from "../../src/broker/organisations/desired-configuration.ts";
import { Secret } from "../../src/domain/secret.ts";
import { systemRandom } from "../../src/security/random.ts";
import type { Simulator } from "../../src/simulator/start-simulator.ts";
import { axeFindings, pictures } from "../kit/chromium.ts";
import { openPortal } from "../kit/portal.ts";
import { BY_TEST } from "../kit/put-records.ts";
import type { World } from "../kit/world.ts";
import { type ClientApp, clientApp } from "./client-app.ts";

/** A firm as its operator's file declares it, with the product of a vendor that its people come from. */
export interface Firm {
  readonly organisation: string;
  readonly client: WalkingClient;
  readonly app: ClientApp;
  readonly servers: Readonly<Record<string, { readonly id: string; readonly redirectUri: string }>>;
}

export interface Declared {
  readonly displayName: string;
  readonly servers?: readonly Readonly<Record<string, unknown>>[];
  readonly members?: unknown;
  /** The operator's registration for many firms, at this origin. */
  readonly sharedAt?: string;
  /** Beside that of the vendor's product: where people come back to another app of the same client. */
  readonly returnUrls?: readonly string[];
}

/** Names are looked for across organisations in a Redis that others use too, so each has letters of its own. */
export async function declareFirm(
  { broker, base }: Pick<World, "broker" | "base">,
  { displayName, servers = [], members, sharedAt, returnUrls = [] }: Declared,
): Promise<Firm & { readonly shared: string }> {
  const tag = Buffer.from(systemRandom.bytes(6)).toString("hex");
  const [name, shared, tracker] = [`firm-${tag}`, `cloud-${tag}`, `tracker-${tag}`];
  const app = await clientApp();
  const registration = { client_id: "token-broker", client_secret_env: "IMANAGE" };
  const reading = readDesiredConfiguration(
    {
      version: 1,
      shared_registrations:
        sharedAt === undefined ? [] : [{ name: shared, address: sharedAt, ...registration }],
      organisations: [
        {
          name,
          display_name: displayName,
          members,
          servers: servers.map((each) => ({
            registration: sharedAt === undefined ? registration : { shared },
            ...each,
          })),
        },
      ],
      clients: [
        {
          name: tracker,
          display_name: "Matter tracker",
          return_urls: [app.returnUrl, ...returnUrls],
          policies: [
            {
              organisation: name,
              actions: ["token", "status", "connect", "revoke", "configure", "sync", "events"],
              tokens_per_minute: 600_000,
            },
          ],
        },
      ],
    },
    broker.changePorts.addressRules,
  );
  if (!reading.ok) throw new Error(JSON.stringify(reading.faults));
  const secretSource = { read: async () => new Secret("sim_secret_token-broker") };
  const applied = await applyConfiguration({ ...broker.changePorts, secretSource }, reading.desired, {
    dryRun: false,
    note: BY_TEST,
  });
  if (!applied.applied) throw new Error(JSON.stringify(applied.plan.refusals));
  const [made] = applied.newClientSecrets;
  return {
    organisation: applied.records.organisations[name]!,
    client: new WalkingClient(base, made!.id, made!.secret.reveal()),
    app,
    shared,
    servers: Object.fromEntries(
      Object.entries(applied.records.servers).map(([path, { id, registration: of }]) => [
        path.split("/")[1]!,
        { id, redirectUri: `${base}/oauth2/callback/${of}` },
      ]),
    ),
  };
}

/** Whom the pages name, as a deployment would say it. */
export const SUPPORT = { SUPPORT_CONTACT: "imanage-help@vendor.example" };

/** What the admin of the operator's, or of the firm's, iManage did beforehand. */
export const registered = (simulator: Simulator, ...redirectUris: readonly string[]) =>
  simulator.registrations.patch("token-broker", { redirect_urls: [...redirectUris] });

export const ADMIN = {
  role: "organisation_admin",
  subject: { type: "user", id: "u-admin" },
  display_name: "Ines Admin",
};

/** The one-use link for a person who is signed in at the vendor's product. */
export async function portalLink(firm: Firm, body: object): Promise<string> {
  const opened = await openPortal(firm, { return_url: firm.app.returnUrl, ...body });
  if (opened.body.url === undefined) throw new Error(`no link: ${JSON.stringify(opened.body)}`);
  return opened.body.url;
}

/** His user of iManage is named, so that the page finishes by itself, for him alone. */
export const asserted = ({ subject, username }: Person) => ({
  subject: { type: "user", id: subject },
  display_name: username.replace(
    /^(.)(.*)\.(.)(.*)$/,
    (_, a, b, c, d) => `${a.toUpperCase()}${b} ${c.toUpperCase()}${d}`,
  ),
  upstream_user: username,
});

/** He is on the page of this heading now, and it is one that everybody can use. */
export async function arrives(page: Page, heading: string): Promise<void> {
  await page
    .getByRole("heading", { level: 1, name: heading, exact: true })
    .waitFor({ timeout: 5_000 })
    .catch(async () => {
      throw new Error(`not on ${heading}: ${page.url()}\n${await page.locator("body").innerText()}`);
    });
  const skeleton = await page.evaluate<string>(SKELETON);
  if (looked.has(skeleton)) return;
  expect(await axeFindings(page), `axe on ${heading}`).toEqual([]);
  looked.add(skeleton);
}

/** Pages that differ in words alone are looked at once. */
const looked = new Set<string>();
const SKELETON = `[...document.querySelectorAll("*")].map((e) =>
  [e.tagName, e.className, e.getAttributeNames(), e.textContent.trim() === ""].join("|")).join()`;

const PICTURE_WIDTH = 720;

/** A picture for the README, taken where `PAGE_PICTURES` says: of the page's column, from its top or from one element on. */
export async function takesPicture(
  page: Page,
  name: string,
  {
    height,
    from,
    width: wanted = PICTURE_WIDTH,
  }: { readonly height: number; readonly from?: Locator; readonly width?: number },
): Promise<void> {
  if (pictures === undefined) return;
  const { top, bottom } = await (from ?? page.locator("html")).evaluate((element) => {
    const { top, bottom } = (
      element as unknown as { getBoundingClientRect(): { top: number; bottom: number } }
    ).getBoundingClientRect();
    return { top, bottom };
  });
  const { width } = page.viewportSize() ?? { width: PICTURE_WIDTH };
  await page.screenshot({
    path: join(pictures, `${name}.png`),
    fullPage: true,
    clip: {
      x: Math.max(0, (width - wanted) / 2),
      y: top,
      width: wanted,
      height: Math.min(bottom - top, height),
    },
  });
}

/** iManage's own page: here the simulator's. */
export async function signsIn(page: Page, { username, password }: Pick<Person, "username" | "password">) {
  await page.getByLabel("User name or e-mail").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** The same, for whoever may be signed in there already. */
export async function signsInAgain(page: Page, person: Pick<Person, "username" | "password">) {
  const known = page.getByRole("button", { name: /^Continue as/ });
  await known.or(page.getByRole("button", { name: "Sign in", exact: true })).waitFor();
  if (await known.isVisible()) await known.click();
  else await signsIn(page, person);
}

/** The registration sheet as it can be read off the page: field by field. */
export async function readSheet(page: Page): Promise<Readonly<Record<string, string>>> {
  const pairs = await page.evaluate<[string, string][]>(
    `[...document.querySelectorAll("dt")].map((dt) => [dt.textContent, dt.nextElementSibling.querySelector("bdi")?.textContent ?? ""])`,
  );
  return Object.fromEntries(pairs);
}

/** An iManage admin does what the sheet says and nothing else, in Control Center's own fields. */
export function enterInControlCenter(
  simulator: Simulator,
  sheet: Readonly<Record<string, string>>,
  secret: string,
): void {
  const yes = (field: string) => sheet[field] === "Yes";
  simulator.registrations.put({
    name: sheet.Name!,
    client_id: sheet["Client ID"]!,
    client_secrets: [{ value: secret }],
    redirect_urls: [sheet["Redirect URL"]!],
    allow_refresh_token: yes("Allow Refresh Token"),
    refresh_token_expiry_days: Number.parseInt(sheet["Refresh Token Expiry"]!, 10),
    access_token_expiry_minutes: Number.parseInt(sheet["Access Token Expiry"]!, 10),
    client_type: sheet["Client Type"]!.toLowerCase() as "confidential",
    application_type: sheet["Application Type"]!.toLowerCase() as "web",
    access: sheet.Access === "All Users" ? "all_users" : [],
    enable_application: yes("Enable Application"),
  });
}

/** A token for him, and who iManage says it belongs to. */
export async function tokenOf({ client }: Firm, server: string, subject: string) {
  const given = await client.accessToken({ server, subject: { type: "user", id: subject } });
  return { status: given.status, code: given.body.code, body: given.body };
}
