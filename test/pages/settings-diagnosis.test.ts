import { afterEach, beforeEach, expect, test } from "vitest";
import { diagnosisSteps } from "../../src/domain/diagnosis.ts";
import { minutes, seconds } from "../../src/domain/instant.ts";
import { hostileTexts } from "./hostile-text.ts";
import { type Served, serve, World } from "./kit.ts";

let world: World;
let served: Served;
let address: string;
let admin: { readonly cookie: string; readonly csrf: string };
beforeEach(async () => {
  world = await World.open();
  served = await serve(world, {});
  address = `/settings/servers/${world.server.id}/diagnosis`;
  admin = world.visit({ role: "organisation_admin" });
});
afterEach(() => served.close());

const check = () => served.post(address, admin.cookie, { csrf: admin.csrf });

/** The answer as it comes. */
async function streamed() {
  const answer = await fetch(served.origin + address, {
    method: "POST",
    headers: { Cookie: admin.cookie, "Sec-Fetch-Site": "same-origin" },
    body: new URLSearchParams({ csrf: admin.csrf }),
  });
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const until = async (words: string): Promise<string> => {
    while (!text.includes(words)) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`it ended without ${words}`);
      text += value;
    }
    return text;
  };
  return { answer, until, leave: () => reader.cancel(), rest: () => until("</html>") };
}

/** Holds iManage's answers back until it is let go. */
function hold(): () => void {
  let letGo = () => {};
  world.probes.held = new Promise((resolve) => {
    letGo = resolve;
  });
  return letGo;
}

test("each step is on the page while the next one is still looked at, and which one that is", async () => {
  const letGo = hold();
  const page = await streamed();
  expect(page.answer.status).toBe(200);
  const early = await page.until("Looking at: Clock");
  expect(early).toContain('id="step-tls"');
  expect(early).not.toContain('id="step-clock"');
  expect(early).not.toContain("</html>");
  letGo();
  const whole = await page.rest();
  for (const step of diagnosisSteps) expect(whole).toContain(`id="step-${step}"`);
  expect(whole).toContain("Open the result");
  expect(whole.match(/<\/ol>/g)).toHaveLength(1);
  expect(whole).not.toContain("<!--");
});

test("whoever goes away ends nothing: what was found is kept", async () => {
  const letGo = hold();
  const page = await streamed();
  await page.until("Looking at: Clock");
  await page.leave();
  letGo();
  await expect.poll(() => world.diagnoses.last?.verdict).toBe("good");
  expect((await served.get(address, admin.cookie)).text).toContain(
    "Nothing is wrong, as far as can be seen.",
  );
  expect(world.probes.looked).toBe(1);
});

test("pressed again within a minute, or while one goes on, nothing is asked of iManage and the page says when it can be", async () => {
  await check();
  world.now += seconds(20);
  const soon = await served.post(address, admin.cookie, { csrf: admin.csrf });
  expect(soon.status).toBe(429);
  expect(soon.text).toContain("It can be checked again in 40 seconds.");
  expect(soon.text).toContain("Nothing is wrong, as far as can be seen.");
  world.now += minutes(1);
  world.diagnoses.holder = "somebody";
  const running = await check();
  expect(running.status).toBe(429);
  expect(running.text).toContain("It is being checked at this moment.");
  expect(world.probes.looked).toBe(1);
});

test("what breaks in the middle is said on the page, with a reference, and the next check may begin", async () => {
  world.probes.fault = new Error("the store is away at 10.0.0.1");
  const { status, text } = await check();
  expect(status).toBe(200);
  expect(text).toContain("It ended here.");
  expect(text).toContain("internal_error");
  expect(text).toContain("req_0123456789");
  expect(text).not.toContain("10.0.0.1");
  expect(text).toContain("</html>");
  expect(world.diagnoses.holder).toBeUndefined();
});

test("T03 without the form's token, or from another site, nothing is asked", async () => {
  for (const csrf of ["", "made-up"])
    expect((await served.post(address, admin.cookie, { csrf })).status).toBe(403);
  const foreign = await fetch(served.origin + address, {
    method: "POST",
    headers: { Cookie: admin.cookie, "Sec-Fetch-Site": "cross-site" },
    body: new URLSearchParams({ csrf: admin.csrf }),
  });
  expect(foreign.status).toBe(403);
  expect(world.probes.looked).toBe(0);
});

test("T09 what iManage said of itself stays text, while it is told and when it is kept", async () => {
  const skeleton = (text: string) =>
    (text.match(/<[^>]*>/g) ?? []).map((tag) => tag.replaceAll(/"[^"]*"/g, '""')).join("\n");
  await check();
  const pages = async (said: string) => {
    world.now += minutes(2);
    admin = world.visit({ role: "organisation_admin" });
    world.probes.said = said;
    return [(await check()).text, (await served.get(address, admin.cookie)).text];
  };
  const harmless = (await pages("word")).map(skeleton);
  expect((await pages("word"))[1]).toContain("“word”");
  for (const text of hostileTexts().filter((each) => each !== ""))
    expect((await pages(text)).map(skeleton), text).toEqual(harmless);
}, 60_000);
