import { expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { inRequest } from "../../src/ops/log.ts";
import { connectRedis } from "../../src/store/connect-redis.ts";
import { startWorkers } from "../../src/workers/start-workers.ts";
import { expireSoon } from "../kit/expire.ts";
import { allDue } from "../kit/many-grants.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, world } from "../kit/world.ts";

type Line = Readonly<Record<string, unknown>>;

it("each decision leaves one line with its request's id: what was answered to whom, what was refreshed for it, and what a job did", async () => {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  await here.connect();
  const all = () => here.lines.map((line) => JSON.parse(line) as Line);
  /** A request's line follows its answer. */
  const linesOf = (requestId: string | null) =>
    expect
      .poll(() => all().filter((line) => line.requestId === requestId), { interval: 5 })
      .toContainEqual(expect.objectContaining({ message: "request" }))
      .then(() => all().filter((line) => line.requestId === requestId));
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const client = here.client.id;

  const served = await here.client.accessToken(ask);
  expect(await linesOf(served.headers.get("x-request-id"))).toEqual([
    expect.objectContaining({ message: "request", route: "/v1/access-tokens", status: 200, client }),
  ]);
  await expireSoon(here, served.body.grant, -1);
  const refreshed = await here.client.accessToken(ask);
  expect(await linesOf(refreshed.headers.get("x-request-id"))).toMatchObject([
    { message: "refresh", grant: served.body.grant, outcome: "refreshed" },
    { message: "request", status: 200, client },
  ]);
  const refused = await here.client.accessToken({ ...ask, subject: { type: "user", id: "u-nobody" } });
  const [line, ...more] = await linesOf(refused.headers.get("x-request-id"));
  expect(line).toMatchObject({ message: "request", client, code: refused.body.code, status: refused.status });
  expect(more).toEqual([]);
  const stranger = await fetch(`${here.base}/v1/grants`);
  await stranger.arrayBuffer();
  expect(await linesOf(stranger.headers.get("x-request-id"))).toEqual([
    expect.not.objectContaining({ client: expect.anything() }),
  ]);
  await new WalkingBrowser().get(`${here.base}/my-integrations`);
  const failed = () => all().filter(({ route, code }) => route === "/my-integrations" && code !== undefined);
  await expect.poll(failed, { interval: 5 }).toHaveLength(1);
  const page = failed()[0]!;
  expect(all().filter(({ requestId }) => requestId === page.requestId)).toEqual([page]);

  const { broker } = here;
  const workers = await startWorkers({
    connect: () => connectRedis(broker.redisAddress, "blocking"),
    stories: broker.workerStories,
    jobStarts: broker.jobStarts,
    timers: broker.timers,
    log: broker.log,
    inRequest,
    timing: { sweepMs: 50 },
  });
  await allDue(here, [served.body.grant as never]);
  await broker.reconcile();
  const byJob = () => all().filter(({ requestId }) => String(requestId).startsWith("job_refresh-grant_"));
  await expect.poll(byJob, { interval: 10, timeout: 10_000 }).toHaveLength(1);
  expect(byJob()).toMatchObject([{ message: "refresh", grant: served.body.grant, detail: "due" }]);
  await workers.close();
}, 30_000);
