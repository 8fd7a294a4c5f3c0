import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { chromiumPath, openChromium } from "../kit/chromium.ts";
import { plainEnvironment, ROOT, runProgram, temporaryFolder } from "../scripts/program.ts";
import { readSheet } from "./kit.ts";

/**
 * What a person takes besides the machine, told openly: the figures are ours, above those of the keystroke-level model
 * (Card, Moran and Newell 1980: 0.2 to 0.28 s a key of an average typist, 1.35 s to make up one's mind, 1.1 s to point).
 */
const SECONDS = {
  /** To take in a page that one has not seen before. */
  newPage: 10,
  /** One that is known, or only says that it is done. */
  knownPage: 3,
  /** To read a field's label and hint and know what belongs there. */
  field: 3,
  character: 0.2,
  /** To the other tab, select, copy, back, paste. */
  paste: 5,
  click: 1.5,
};

/** Counts what a person would have done, beside the time that the machine took. */
class Stopwatch {
  readonly steps: { what: string; machine: number; person: number }[] = [];
  #person = 0;

  spend(kind: keyof typeof SECONDS, times = 1): void {
    this.#person += SECONDS[kind] * times;
  }

  async step(what: string, act: () => Promise<void>): Promise<void> {
    const startedAt = performance.now();
    this.#person = 0;
    await act();
    this.steps.push({ what, machine: (performance.now() - startedAt) / 1_000, person: this.#person });
  }

  get total(): number {
    return this.steps.reduce((sum, { machine, person }) => sum + machine + person, 0);
  }

  table(): string {
    const row = (what: string, machine: number, person: number) =>
      `${what.padEnd(66)} ${machine.toFixed(1).padStart(7)} ${person.toFixed(1).padStart(7)} ${(machine + person).toFixed(1).padStart(7)}`;
    const machine = this.steps.reduce((sum, each) => sum + each.machine, 0);
    return [
      `${"seconds".padEnd(66)} ${"machine".padStart(7)} ${"person".padStart(7)} ${"both".padStart(7)}`,
      ...this.steps.map((each) => row(each.what, each.machine, each.person)),
      row("sum", machine, this.total - machine),
      `a person: ${Object.entries(SECONDS)
        .map(([kind, seconds]) => `${kind} ${seconds}`)
        .join(", ")}`,
    ].join("\n");
  }
}

describe.skipIf(chromiumPath === undefined)("on the demo", () => {
  test("a new admin comes from an empty organisation to the first token of a user in under three minutes", {
    timeout: 60_000,
  }, async () => {
    const { REDIS_URL: _, ...env } = plainEnvironment();
    const data = join(await temporaryFolder(), "demo");
    const demo = runProgram(process.execPath, [join(ROOT, "scripts/demo.ts"), "--new-firm", "--data", data], {
      env,
    });
    onTestFinished(async () => {
      demo.child.kill("SIGINT");
      await demo.ended;
    });
    const chromium = await openChromium({ viewport: { width: 1280, height: 800 } });
    onTestFinished(() => chromium.close());
    chromium.context.setDefaultTimeout(10_000);
    const [, start] = await demo.says(/New firm +(\S+)/);

    const watch = new Stopwatch();
    await walk(watch, chromium.context, start!);
    console.info(watch.table());
    expect(watch.total).toBeLessThan(180);
  });
});

async function walk(watch: Stopwatch, context: BrowserContext, start: string): Promise<void> {
  const home = await context.newPage();
  const sees = async (page: Page, heading: string, kind: "newPage" | "knownPage" = "newPage") => {
    await page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
    watch.spend(kind);
  };
  const press = async (page: Page, role: "button" | "link", name: string) => {
    await page.getByRole(role, { name, exact: true }).click();
    watch.spend("click");
  };
  const type = async (page: Page, label: string, text: string) => {
    watch.spend("field");
    await page.getByRole("textbox", { name: label, exact: true }).pressSequentially(text);
    watch.spend("character", text.length);
  };
  const paste = async (page: Page, label: string, text: string) => {
    watch.spend("field");
    await page.getByRole("textbox", { name: label, exact: true }).fill(text);
    watch.spend("paste");
  };
  let secret = "";
  let settings!: Page;

  await watch.step("reads what is to be done, opens iManage settings", async () => {
    await home.goto(start);
    await home.getByRole("heading", { level: 1 }).waitFor();
    watch.spend("newPage");
    settings = await context.newPage();
    await settings.goto(start);
    await press(settings, "link", "iManage settings");
    await sees(settings, "iManage settings");
    expect(await settings.getByText("There is none yet.").count()).toBe(1);
  });

  await watch.step("adds the server, looks at what will change, confirms", async () => {
    const address = await home.locator("code").first().innerText();
    await press(settings, "link", "Add a server");
    await sees(settings, "Add an iManage server");
    await type(settings, "Short name", "dms");
    watch.spend("field", 2); // Name, Kind: left as they are.
    await paste(settings, "Address", address);
    await type(settings, "Client ID", "tracker");
    watch.spend("field"); // Customer id: left empty.
    expect(await settings.getByRole("group", { name: "Default configuration" }).count()).toBe(0);
    await press(settings, "button", "Continue");
    await sees(settings, "What will change");
    await press(settings, "button", "Change it");
    await sees(settings, "Registration of dms");
  });

  await watch.step("registers the application in Control Center with the values shown", async () => {
    const sheet = await readSheet(settings);
    const opening = context.waitForEvent("page");
    await press(home, "link", "Control Center");
    const control = await opening;
    await control.getByRole("heading", { name: "Add Application" }).waitFor();
    watch.spend("newPage");
    await type(control, "Client ID", sheet["Client ID"]!);
    await paste(control, "Redirect URL", sheet["Redirect URL"]!);
    await control.getByLabel("Allow Refresh Token").selectOption(sheet["Allow Refresh Token"]!);
    watch.spend("field");
    watch.spend("click", 2);
    await press(control, "button", "Save");
    secret = await control.locator("code").innerText();
    watch.spend("knownPage");
  });

  await watch.step("enters the client secret that it showed", async () => {
    await paste(settings, "Client secret", secret);
    await press(settings, "button", "Save the client secret");
    await sees(settings, "iManage settings", "knownPage");
    expect(await settings.getByText("Ready").count()).toBe(1);
  });

  await watch.step("a user authorizes at iManage", async () => {
    watch.spend("knownPage");
    await press(home, "link", "My integrations");
    await sees(home, "My integrations");
    await press(home, "button", "Authorize dms");
    // His firm's own sign-in page, which he sees every day.
    await home.getByLabel("User name or e-mail").pressSequentially("e.moreau");
    watch.spend("knownPage");
    await home.getByLabel("Password").pressSequentially("moreau");
    watch.spend("character", "e.moreaumoreau".length);
    await press(home, "button", "Sign in");
    await home.getByRole("heading", { name: "Connected" }).waitFor();
    watch.spend("knownPage");
  });

  await watch.step("the product gets its first token for him", async () => {
    await press(home, "link", "Token");
    await home.getByText("Élise Moreau").waitFor();
    watch.spend("knownPage");
  });
}
