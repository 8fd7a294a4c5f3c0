import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../scripts/redis/index.ts";
import { balancer } from "../kit/balancer.ts";
import { type BrokerProcess, brokerProcess, brokerProcesses } from "../kit/broker-process.ts";
import { checkInvariants } from "../kit/invariants.ts";
import { allDue, manyGrants } from "../kit/many-grants.ts";
import { addressOfPort, ownRedis, ownRedisForThisTest, redisSettings } from "../kit/redis.ts";
import { world } from "../kit/world.ts";

const RESTARTS = Number(process.env.VERIFY_RESTARTS ?? 1);
const RATE = Number(process.env.VERIFY_RATE ?? 50);
const GRANTS = 20;
const TICK_MS = 20;

it(`F18: two brokers and two workers are restarted one after another, ${RESTARTS} in all, under ${RATE} requests a second: none fails`, {
  timeout: 60_000 + RESTARTS * 20_000,
}, async () => {
  const redis = await ownRedisForThisTest();
  const here = await world({ redisUrl: redis.url });
  const [brokers, workers] = await Promise.all([
    brokerProcesses(here, 2, "http", { LOG_LEVEL: "warn", SHUTDOWN_DRAIN_SECONDS: "2" }),
    brokerProcesses(here, 2, "worker", { LOG_LEVEL: "warn" }),
  ]);
  const grants = await manyGrants(here, GRANTS);
  const client = here.clientOf((await balancer(brokers)).base);
  const load = steadyLoad(async (i) => {
    const { status, body } = await client.accessToken({
      server: here.server,
      subject: { type: "user", id: `user.${i % GRANTS}` },
    });
    return `${status} ${body.code ?? ""}`.trim();
  });

  const exits: (number | null)[] = [];
  const startMs: number[] = [];
  const turns = [brokers[0]!, workers[0]!, brokers[1]!, workers[1]!];
  for (let restart = 0; restart < RESTARTS; restart++) {
    const one = turns[restart % turns.length]!;
    // Jobs are under way whenever a worker goes.
    await allDue(here, grants);
    one.signal("SIGTERM");
    if (brokers.includes(one)) await saysItIsEnding(one);
    exits.push(await one.exited);
    const since = performance.now();
    await one.restart();
    startMs.push(performance.now() - since);
  }
  const { said, perSecond } = await load.end();
  await expect
    .poll(async () => (await checkInvariants(here)).with("healthy").length, { timeout: 20_000 })
    .toBe(GRANTS);

  const { 200: served = 0, ...failed } = said;
  const count = Object.values(failed).reduce((sum, n) => sum + n, 0);
  startMs.sort((a, b) => a - b);
  console.log(
    `figure: ${RESTARTS} rolling restarts of two brokers and two workers at ${Math.round(perSecond)} token requests/s: ` +
      `${count} of ${served + count} requests failed ${JSON.stringify(failed)}, ` +
      `start to ready ${Math.round(startMs[startMs.length >> 1]!)} ms (at most ${Math.round(startMs.at(-1)!)} ms)`,
  );
  expect(failed).toEqual({});
  expect(exits).toEqual(exits.map(() => 0));
  expect((await checkInvariants(here)).broken).toEqual([]);
});

/** Not ready by its own word while it still answers. */
async function saysItIsEnding({ base, ops }: BrokerProcess): Promise<void> {
  const both = async () => {
    const [served, ready] = await Promise.all([fetch(`${base}/openapi.json`), fetch(`${ops}/readyz`)]);
    await served.bytes();
    return { served: served.status, ready: ready.status, why: await ready.text() };
  };
  await expect
    .poll(both, { timeout: 1_900, interval: 20 })
    .toEqual({ served: 200, ready: 503, why: expect.stringContaining('"check":"shutdown"') });
}

/** So many a second whatever becomes of them: one that is slow holds up no other. */
function steadyLoad(ask: (i: number) => Promise<string>) {
  const said: Record<string, number> = {};
  const underWay = new Set<Promise<void>>();
  const since = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (const due = ((performance.now() - since) / 1_000) * RATE; sent < due; sent++) {
      const one = ask(sent)
        .catch((error: Error) => String((error.cause as Error | undefined) ?? error))
        .then((answer) => {
          said[answer] = (said[answer] ?? 0) + 1;
          underWay.delete(one);
        });
      underWay.add(one);
    }
  }, TICK_MS);
  return {
    async end() {
      clearInterval(timer);
      const perSecond = sent / ((performance.now() - since) / 1_000);
      await Promise.all(underWay);
      return { said, perSecond };
    },
  };
}

it("broker and worker may start before their Redis: they wait for it, and are ready when it is", async () => {
  const here = await world();
  const port = await freePort();
  const knocks: Socket[] = [];
  const door = createServer((socket) => void knocks.push(socket.on("error", () => {}).destroy()));
  await once(door.listen(port, "127.0.0.1"), "listening");
  const itsRedis = redisSettings(addressOfPort(port));
  const starting = brokerProcesses(here, 1, "http", itsRedis);
  const working = brokerProcess(here, "worker", itsRedis);
  // Each has three connections to begin with: more than two processes have at their first try.
  await expect.poll(() => knocks.length, { timeout: 20_000, interval: 10 }).toBeGreaterThan(12);
  await new Promise((resolve) => door.close(resolve));
  const redis = await ownRedis({ port });
  onTestFinished(() => redis.stop());
  const [broker] = await starting;
  await working;
  expect((await fetch(`${broker!.ops}/readyz`)).status).toBe(200);
});
