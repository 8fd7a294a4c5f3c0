import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { chromiumPath, openChromium, pictures } from "../kit/chromium.ts";
import { actsOn, GRANT_OF_JOBS, opsWorld, someJobs } from "../kit/ops.ts";

describe.skipIf(chromiumPath === undefined)("in a real Chromium", () => {
  test("T37 an operator on call signs in by his firm's provider, sees failed jobs and has one run again, and nothing is loaded from elsewhere", async () => {
    const world = await opsWorld();
    const { ops, queue, setUp } = world;
    await someJobs(world);
    const browser = await openChromium({ viewport: { width: 1280, height: 800 } });
    onTestFinished(() => browser.close());
    const page = await browser.context.newPage();
    page.setDefaultTimeout(6_000);
    const [blocked, answered] = [[] as string[], new Set<string>()];
    page.on("console", (message) => {
      if (message.type() === "error" && message.location().url.startsWith(ops)) blocked.push(message.text());
    });
    page.on("pageerror", (error) => void blocked.push(String(error)));
    page.on("response", (response) => void answered.add(new URL(response.url()).origin));

    await page.goto(`${ops}/queues/`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("link", { name: "Go on" }).click();
    await page.getByLabel("User name").fill("onni");
    await page.getByRole("button", { name: "Sign in" }).click();
    // The provider asks for consent, too.
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("link", { name: "Work queues" }).click();
    await page.getByRole("link", { name: queue.name }).first().click();
    await page.getByRole("link", { name: /^failed/i }).click();
    await page.getByText("refresh_pending: ").first().waitFor();
    if (pictures) await page.screenshot({ path: join(pictures, "queues.png") });
    await page.getByRole("tab", { name: "Data" }).first().click();
    await page.getByText(GRANT_OF_JOBS).first().waitFor();

    await page.getByRole("button", { name: "Retry all" }).click();
    const [retried] = await Promise.all([
      page.waitForResponse((response) => response.request().method() === "PUT"),
      page.getByRole("button", { name: "Confirm" }).click(),
    ]);
    expect(retried.status()).toBe(200);
    expect(await queue.getJobCounts("failed", "waiting")).toEqual({ failed: 0, waiting: 2 });
    expect((await actsOn(world)).map(({ action, actor, job }) => [action, actor, job])).toEqual([
      ["queue.retried", `operator:${setUp.provider.origin} onni`, "failed"],
    ]);

    expect([...answered].sort()).toEqual([ops, setUp.provider.origin].sort());
    // Its link to a font service, and nothing else.
    expect(blocked.filter((line) => !line.includes("https://fonts.googleapis.com/"))).toEqual([]);
  });
});
