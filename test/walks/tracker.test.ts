import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { freePort } from "../../scripts/redis/index.ts";
import type { Person } from "../../scripts/walk/connect.ts";
import { lendLibrary, withdrawLibrary } from "../../scripts/walk/lend-library.ts";
import { minutes, seconds } from "../../src/domain/instant.ts";
import { chromiumPath, openChromium } from "../kit/chromium.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { MOREAU, type World, world } from "../kit/world.ts";
import { plainEnvironment, ROOT, runProgram, temporaryFolder } from "../scripts/program.ts";
import { workersOn } from "../workers/kit.ts";
import { arrives, declareFirm, type Firm, registered, SUPPORT, signsIn, takesPicture } from "./kit.ts";

const HART = { username: "amelia.hart", password: "hart", email: "amelia.hart@hartlowell.example" };
const VOSS = { subject: "u-voss", username: "clara.voss", password: "voss" };
const MATTER = "Northgate Holdings – Acquisition of Pell Ltd";

/** The product with workers that sync, the sample app as a process of its own, and people at a browser. */
describe.skipIf(chromiumPath === undefined)("the sample app in a real Chromium", { timeout: 120_000 }, () => {
  test("shows a matter's documents to whom iManage lets see them, and an edit by itself; says who must act while the library is withdrawn, and comes back by itself", async () => {
    const { page, here, lent, libraries, address } = await open();
    const row = (number: number) => page.getByRole("row", { name: new RegExp(`\\b${number}\\b`) });
    const edit = (number: number, name: string) =>
      here.simulator.editDocument("ACTIVE", `ACTIVE!${number}.1`, { name, last_user: "B.OKAFOR" });
    const appears = (number: number, name: string) =>
      row(number).filter({ hasText: name }).waitFor({ timeout: 20_000 });

    // Nobody has lent the library yet.
    await page.goto(address);
    await stands(page, "Parked");
    await arrives(page, "No documents");
    await lendLibrary(libraries, "ACTIVE", HART);

    // The list comes by itself, but whose it is has to be known first.
    await page.getByRole("heading", { name: "Connect iManage" }).waitFor();
    await arrives(page, "Connect iManage");
    await connects(page, MOREAU);
    await page.waitForURL(`${address}/`);
    await arrives(page, MATTER);
    await stands(page, "Live");
    expect(await numbers(page)).toEqual([1001, 1003, 1007, 1009, 1011, 1013, 1017, 1019, 1021, 1023]);

    // Somebody edits: the row is another, and the tick is off again. Nobody has loaded the page.
    await row(1003).getByRole("button", { name: "Reviewed" }).click();
    await row(1003).getByText("✓").waitFor();
    await page.evaluate("window.stays = true");
    edit(1003, "Board minutes, as signed");
    await appears(1003, "Board minutes, as signed");
    expect(await row(1003).innerText()).toMatch(/edited since[\s\S]*b\.okafor/);
    await row(1001).getByRole("button", { name: "Reviewed" }).click();
    await takesPicture(page, "tracker-live", { height: 640, width: 1100 });

    // A private document of hers is on Clara's list alone, whoever's authorization it was read with.
    edit(1015, "Letter before action, private");
    edit(1001, "Share purchase agreement, draft 2");
    await appears(1001, "draft 2");
    expect(await page.content()).not.toContain("private");
    await page.getByLabel("You are").selectOption("Clara Voss");
    await page.getByRole("button", { name: "Switch" }).click();
    await connects(page, VOSS);
    await page.waitForURL(`${address}/`);
    await appears(1015, "Letter before action, private");
    expect(await numbers(page)).toEqual([1001, 1003, 1007, 1009, 1011, 1013, 1015, 1017, 1019, 1021, 1023]);

    await page.evaluate("window.stays = true");
    await withdrawLibrary(libraries, "ACTIVE", HART);
    await stands(page, "Parked");
    expect(await page.getByRole("status").innerText()).toContain("A library admin authorises it");
    await arrives(page, MATTER);
    await takesPicture(page, "tracker-parked", { height: 640, width: 1100 });
    edit(1007, "Exhibit bundle, while it was parked");
    const link = await page.getByRole("link", { name: "Open the page of the library" }).getAttribute("href");
    await authorizes(await page.context().newPage(), link!);
    await appears(1007, "while it was parked");
    await stands(page, "Live");

    // The same where iManage itself has ended the authorization, which is believed when it was seen three times (F04).
    here.simulator.endFamilies({ user: HART.username });
    here.advance(minutes(31));
    while ((await lent()).body.code !== "reauthorization_required") here.advance(seconds(62));
    // A pass that met one of the refusals before may be due only minutes from now.
    here.advance(minutes(6));
    await stands(page, "iManage no longer accepts the authorisation of this library");
    await lendLibrary(libraries, "ACTIVE", HART);
    await stands(page, "Live");
    expect(await page.evaluate("window.stays")).toBe(true);
  });
});

const stands = (page: Page, words: string) =>
  page.getByRole("status").filter({ hasText: words }).waitFor({ timeout: 40_000 });

const numbers = (page: Page) =>
  page.evaluate<number[]>(
    `[...document.querySelectorAll("tbody th .quiet")].map(({ textContent }) => Number(textContent))`,
  );

/** Each at his own desk: whoever is signed in at iManage or the broker, one host here, is not any more. The sample is another. */
const anotherSitsDown = (context: BrowserContext) => context.clearCookies({ domain: "127.0.0.1" });

async function connects(page: Page, person: Person): Promise<void> {
  await anotherSitsDown(page.context());
  await page.getByRole("button", { name: /^Connect iManage as/ }).click();
  await signsIn(page, person);
}

/** A library admin, led to the page by the app. */
async function authorizes(page: Page, link: string): Promise<void> {
  await anotherSitsDown(page.context());
  await page.goto(link);
  await page.getByRole("button", { name: "Sign in with iManage" }).click();
  await signsIn(page, HART);
  await page.getByRole("link", { name: "Authorize Active matters", exact: true }).click();
  await page.getByLabel("E-mail id").fill(HART.email);
  await page.getByRole("button", { name: "Use my credentials & authorize" }).click();
  await page.getByRole("button", { name: /^Continue as/ }).click();
  await page.waitForURL("**/libraries?authorized=*");
}

async function open() {
  const redis = await ownRedisForThisTest();
  const here = await world({ settings: SUPPORT, redisUrl: redis.url });
  const address = `http://localhost:${await freePort()}`;
  const firm = await declareFirm(here, {
    displayName: "Hart Lowell",
    returnUrls: [`${address}/imanage/returned`],
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
  const { sweepSyncs, runSync } = here.broker.workerStories;
  await workersOn(redis.url, { sweepSyncs, runSync }, { jobStarts: here.broker.jobStarts });
  await startSample(here, firm, address);

  const chromium = await openChromium({ viewport: { width: 1100, height: 900 } });
  onTestFinished(() => chromium.close());
  chromium.context.setDefaultTimeout(15_000);
  const page = await chromium.context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  onTestFinished(() => expect(complaints).toEqual([]));
  const libraries = `${here.base}/servers/${firm.servers.dms!.id}/libraries`;
  const lent = () =>
    firm.client.accessToken({
      server: firm.servers.dms!.id,
      subject: { type: "library", id: "ACTIVE" },
    });
  return { page, here, lent, libraries, address };
}

/** As its README says: it is told where the broker is, and who it is itself. */
async function startSample(
  { base }: World,
  { client, organisation, servers }: Firm,
  address: string,
): Promise<void> {
  const secretFile = join(await temporaryFolder(), "client-secret");
  const secret = Buffer.from(client.authorization.slice("Basic ".length), "base64").toString().split(":")[1]!;
  await writeFile(secretFile, secret, { mode: 0o600 });
  const sample = runProgram(process.execPath, [join(ROOT, "scripts/sample/main.ts")], {
    env: plainEnvironment({
      NODE_COMPILE_CACHE: inject("compileCache"),
      BROKER_URL: base,
      CLIENT_ID: client.id,
      CLIENT_SECRET_FILE: secretFile,
      ORGANISATION: organisation,
      SERVER: servers.dms!.id,
      LIBRARY: "ACTIVE",
      VIEWERS: "u-moreau=Élise Moreau,u-voss=Clara Voss",
      ADDRESS: address,
      INTERVAL: "1",
    }),
  });
  await sample.says(/Matter checklist: /);
}
