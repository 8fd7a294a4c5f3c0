import { appRoutes } from "@bull-board/api/dist/routes.js";
import { expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { signInOperator } from "../kit/operators.ts";
import { actsOn, GRANT_OF_JOBS as GRANT, opsWorld, someJobs } from "../kit/ops.ts";

const ELSEWHERE = "192.0.2.7";
/** None, and made up. */
const PROOFS: readonly Record<string, string>[] = [
  { accept: "text/html" },
  {
    authorization: "Bearer x",
    cookie: "imb-ops=x; imb-operator=x; XSRF-TOKEN=x",
    "x-xsrf-token": "x",
    "sec-fetch-site": "same-origin",
  },
];

/** Every route of the dashboard, its pages and its files: by its own method, and by one that looks or changes instead. */
function boardRequests(queue: string): readonly { readonly method: string; readonly path: string }[] {
  const own = [...appRoutes.api, appRoutes.entryPoint].flatMap(({ method, route }) =>
    [route].flat().map((path) => ({ method: String(method).toUpperCase(), path })),
  );
  const more = ["/static/favicon.ico", "", "/api", "/API/queues"].map((path) => ({ method: "GET", path }));
  return [...own, ...more].flatMap(({ method, path }) => {
    const at = `/queues${path
      .replace(":queueName", queue)
      .replace(":jobId", "first")
      .replace(":schedulerId", "sweep")
      .replace(":queueStatus", "failed")}`;
    return [method, method === "GET" ? "PUT" : "GET"].map((by) => ({ method: by, path: at }));
  });
}

it("T37 without a sign-in nothing at the ops listener but health answers 200, from here and from elsewhere", async () => {
  const world = await opsWorld();
  const { ops, queue, comeFrom } = world;
  await someJobs(world);
  const answered: string[] = [];
  for (const from of [undefined, ELSEWHERE]) {
    comeFrom(from);
    const requests = [...boardRequests(queue.name)];
    // Whoever is on this machine may scrape.
    if (from !== undefined) requests.push({ method: "GET", path: "/metrics" });
    const proofs = from === undefined ? PROOFS.slice(1) : PROOFS;
    const tries = requests.flatMap((one) => proofs.map((headers) => ({ ...one, headers })));
    await Promise.all(
      tries.map(async ({ method, path, headers }) => {
        const answer = await fetch(`${ops}${path}`, { method, headers, redirect: "manual" });
        const text = await answer.text();
        if (answer.ok || text.includes(GRANT)) answered.push(`${method} ${path}: ${answer.status}`);
      }),
    );
    expect((await fetch(`${ops}/healthz`)).status).toBe(200);
  }
  expect(answered).toEqual([]);
  expect(await queue.getJobCounts("failed", "delayed")).toEqual({ failed: 2, delayed: 1 });
  expect(await actsOn(world)).toEqual([]);
});

it("T37 readiness tells a probe no more than which check fails, and tells operators why", async () => {
  const { here, ops, setUp, comeFrom } = await opsWorld();
  await here.connect();
  const readyz = async (browser = new WalkingBrowser()) =>
    JSON.parse((await browser.get(`${ops}/readyz`)).body);
  const { browser } = await signInOperator({ base: ops }, setUp.provider, "olga");
  const support = await signInOperator({ base: ops }, setUp.provider, "sam");
  expect((await readyz()).checks[0]).toHaveProperty("sentence");
  comeFrom(ELSEWHERE);
  for (const told of [await readyz(), await readyz(support.browser)]) {
    expect(told.checks.length).toBeGreaterThan(5);
    for (const check of told.checks) expect(Object.keys(check)).toEqual(["check", "ok", "severity"]);
    expect(told.durability).toEqual({ class: expect.any(String) });
  }
  for (const check of (await readyz(browser)).checks) expect(check.sentence).toMatch(/\w/);
});

it("T37 an operator looks at queues and metrics, and acts only where his role allows it", async () => {
  const world = await opsWorld();
  const { ops, queue, setUp, comeFrom } = world;
  comeFrom(ELSEWHERE);
  await someJobs(world);
  expect(await new WalkingBrowser().get(`${ops}/queues/`)).toMatchObject({
    status: 303,
    location: `${ops}/operators`,
  });
  const { browser, landed } = await signInOperator({ base: ops }, setUp.provider, "olga");
  expect(landed.body).toContain("olga of the firm");
  expect(landed.body).toContain("your role may not act there");
  expect((await browser.get(`${ops}/queues/`)).body).toContain('id="__UI_CONFIG__"');
  const seen = (await browser.get(`${ops}/queues/api/queues?activeQueue=${queue.name}`)).body;
  expect(seen).toContain(GRANT);
  expect(seen).toContain('"readOnlyMode":true');
  expect((await browser.get(`${ops}/metrics`)).body).toBe("up 1\n");

  const headers = {
    "sec-fetch-site": "same-origin",
    "x-xsrf-token": browser.cookie(ops, "XSRF-TOKEN") ?? "none",
  };
  for (const { method, path } of boardRequests(queue.name).filter(({ method }) => method !== "GET"))
    expect((await browser.send(`${ops}${path}`, method, headers)).status, `${method} ${path}`).toBe(405);
  expect(await queue.getJobCounts("failed", "delayed")).toEqual({ failed: 2, delayed: 1 });
  expect(await actsOn(world)).toEqual([]);
});

it("T37 each act of an operator is in the audit, and comes from his own dashboard alone", async () => {
  const world = await opsWorld();
  const { ops, queue, setUp } = world;
  await someJobs(world);
  const { browser } = await signInOperator({ base: ops }, setUp.provider, "onni");
  const api = `${ops}/queues/api/queues/${queue.name}`;
  expect((await browser.get(`${ops}/queues/api/queues`)).body).toContain('"readOnlyMode":false');
  const token = browser.cookie(ops, "XSRF-TOKEN")!;

  // Another one's token, which he may well have: it is of another session.
  const other = await signInOperator({ base: ops }, setUp.provider, "onni");
  await other.browser.get(`${ops}/queues/`);
  const forged = [
    {},
    { "sec-fetch-site": "same-origin" },
    { "sec-fetch-site": "same-origin", "x-xsrf-token": other.browser.cookie(ops, "XSRF-TOKEN")! },
    { "sec-fetch-site": "cross-site", "x-xsrf-token": token },
    { "sec-fetch-site": "same-site", "x-xsrf-token": token },
    { origin: "https://evil.example", "x-xsrf-token": token },
    { "x-xsrf-token": token },
  ];
  for (const headers of forged)
    expect((await browser.send(`${api}/retry/failed`, "PUT", headers as Record<string, string>)).status).toBe(
      403,
    );
  expect(await actsOn(world)).toEqual([]);

  const headers = { "sec-fetch-site": "same-origin", "x-xsrf-token": token };
  const put = async (path: string) => (await browser.send(`${api}${path}`, "PUT", headers)).status;
  expect(await put("/first/retry")).toBe(204);
  expect(await put("/retry/failed")).toBe(200);
  expect(await put("/second/clean")).toBe(204);
  expect(await put("/later/promote")).toBe(204);
  expect(await put("/promote")).toBe(200);
  expect(await put("/clean/completed")).toBe(200);
  const by = { actor: `operator:${setUp.provider.origin} onni`, address: "127.0.0.1" };
  const told = [
    { action: "queue.retried", job: "first", ...by },
    { action: "queue.retried", job: "failed", ...by },
    { action: "queue.removed", job: "second", ...by },
    { action: "queue.promoted", job: "later", ...by },
    { action: "queue.promoted", job: "delayed", ...by },
    { action: "queue.removed", job: "completed", ...by },
  ];
  expect(await actsOn(world)).toEqual(told);
  expect(await queue.getJobCounts("waiting", "failed", "delayed")).toEqual({
    waiting: 2,
    failed: 0,
    delayed: 0,
  });

  // What nobody may, and what is none of ours.
  for (const path of [
    "/clean/active",
    "/clean/wait",
    "/retry/completed",
    "/a%20b/retry",
    "/../nowhere/first/retry",
  ])
    expect(await put(path), path).toBeGreaterThanOrEqual(403);
  const never = appRoutes.api
    .map(({ method, route }) => ({ method: String(method).toUpperCase(), path: [route].flat()[0]! }))
    .filter(({ method, path }) => method !== "GET" && !/\/(retry|clean|promote)\b/.test(path));
  expect(never.length).toBeGreaterThan(12);
  for (const { method, path } of never) {
    const at = path
      .replace(":queueName", queue.name)
      .replace(":jobId", "first")
      .replace(":schedulerId", "sweep");
    const { status } = await browser.send(`${ops}/queues${at}`, method, headers);
    expect([404, 405], `${method} ${path}`).toContain(status);
  }
  expect(await queue.isPaused()).toBe(false);
  expect(await queue.getJobCounts("waiting")).toEqual({ waiting: 2 });
  expect(await actsOn(world)).toEqual(told);

  await browser.post(`${ops}/operators/sign-out`, {
    csrf: /name="csrf" value="([^"]+)"/.exec((await browser.get(`${ops}/operators`)).body)![1]!,
  });
  expect(await put("/first/clean")).toBe(401);
});

it("T37 support sees no queue and no metrics: they are of every organisation", async () => {
  const world = await opsWorld();
  const { here, ops, queue, setUp, comeFrom } = world;
  comeFrom(ELSEWHERE);
  await someJobs(world);
  const { browser, landed } = await signInOperator({ base: ops }, setUp.provider, "sam");
  expect(landed.body).toContain(`href="${here.base}/operators"`);
  expect(landed.body).not.toContain("/queues/");
  for (const { method, path } of boardRequests(queue.name)) {
    const { status, body } = await browser.send(`${ops}${path}`, method);
    expect(status, `${method} ${path}`).toBe(403);
    expect(body).not.toContain(GRANT);
  }
  expect((await browser.get(`${ops}/metrics`)).status).toBe(401);
});

it("T37 a session of the public listener is none at the ops listener, nor the other way round", async () => {
  const { here, ops, setUp } = await opsWorld();
  const { browser: there } = await signInOperator(here, setUp.provider, "olga");
  const { browser } = await signInOperator({ base: ops }, setUp.provider, "olga");
  const [publicCookie, opsCookie] = [
    there.cookie(here.base, "imb-operator")!,
    browser.cookie(ops, "imb-ops")!,
  ];
  const status = async (address: string, cookie: string) =>
    (await fetch(address, { headers: { cookie }, redirect: "manual" })).status;
  const queues = `${ops}/queues/api/queues`;
  expect(await status(queues, `imb-ops=${opsCookie}`)).toBe(200);
  expect(await status(queues, `imb-ops=${publicCookie}; imb-operator=${publicCookie}`)).toBe(401);
  const page = await fetch(`${here.base}/operators`, { headers: { cookie: `imb-operator=${opsCookie}` } });
  expect(await page.text()).not.toContain("olga");
});

it("leads whoever comes by another name of this machine to the one that the provider knows", async () => {
  const { ops } = await opsWorld();
  const { port } = new URL(ops);
  const answer = await fetch(`http://localhost:${port}/queues/?a=b`, { redirect: "manual" });
  expect([answer.status, answer.headers.get("location")]).toEqual([303, `${ops}/queues/?a=b`]);
});
