import { readFile } from "node:fs/promises";
import { Redis } from "ioredis";
import { expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { lendLibrary } from "../../scripts/walk/lend-library.ts";
import { brokerProcess } from "../kit/broker-process.ts";
import { expireSoon } from "../kit/expire.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, world } from "../kit/world.ts";

/** What a process that somebody has taken over would try. */
const FORBIDDEN: readonly (readonly [string, ...string[]])[] = [
  ["FLUSHALL"],
  ["FLUSHDB"],
  ["KEYS", "*"],
  ["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"],
  ["CONFIG", "RESETSTAT"],
  ["CONFIG", "REWRITE"],
  ["SHUTDOWN", "NOSAVE"],
  ["LATENCY", "RESET"],
  ["REPLICAOF", "127.0.0.1", "1"],
  ["SAVE"],
  ["BGREWRITEAOF"],
  ["ACL", "SETUSER", "broker", "+@all"],
  ["ACL", "LIST"],
  ["MODULE", "LIST"],
  ["MONITOR"],
  ["CLIENT", "KILL", "TYPE", "normal"],
  ["CLIENT", "LIST"],
  ["FUNCTION", "FLUSH"],
  ["SWAPDB", "0", "1"],
  ["MIGRATE", "127.0.0.1", "1", "b1:x", "0", "1"],
  ["RESTORE", "b1:x", "0", ""],
  ["SLOWLOG", "GET"],
];

it("T26 under the published ACL the whole product works, and nothing that empties, reconfigures or copies out is allowed", async () => {
  const redis = await ownRedisForThisTest();
  const admin = new Redis(redis.url);
  const password = "of-this-test-alone";
  const users = (await readFile("config/redis-acl.conf", "utf8"))
    .split("\n")
    .filter((line) => /^user (?!default)/.test(line))
    .map((line) => line.replace("PASSWORD", `>${password}`).split(/ +/).slice(1));
  expect(users.map(([name]) => name)).toEqual(["broker", "health"]);
  for (const user of users) await admin.call("ACL", "SETUSER", ...user);

  const url = `redis://broker:${password}@${redis.host}:${redis.port}`;
  const here = await world({ redisUrl: url });
  const worker = await brokerProcess(here, "worker");
  expect((await here.connect()).body).toMatchObject({ state: "connected" });
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const first = await here.client.accessToken(ask);
  await expireSoon(here, first.body.grant);
  const second = await here.client.accessToken(ask);
  expect(second.body.access_token).not.toBe(first.body.access_token);

  await lendLibrary(
    `${here.base}/servers/${here.server}/libraries`,
    "ACTIVE",
    { ...AMELIA, email: "amelia.hart@hartlowell.example" },
    new WalkingBrowser(),
  );
  const sync = await here.client.call<{ id: string }>("POST", "/v1/syncs", {
    server: here.server,
    library: "ACTIVE",
    existing: "tell",
  });
  const changes = await here.client.call<{ items: object[] }>(
    "GET",
    `/v1/syncs/${sync.body.id}/changes?wait=20`,
  );
  expect(changes.body.items).not.toEqual([]);
  const ready = await fetch(`${worker.ops}/readyz`);
  expect(await ready.json()).toMatchObject({ status: "ready", durability: expect.anything() });
  expect((await fetch(`${worker.ops}/queues/api/queues`)).status).toBe(200);
  expect((await here.client.call("DELETE", `/v1/grants/${second.body.grant}`)).status).toBe(204);
  const denied = (await admin.call("ACL", "LOG")) as unknown[];
  expect(denied, "the product was refused something").toEqual([]);

  const taken = new Redis(url);
  for (const [command, ...args] of FORBIDDEN) {
    const answer = await taken.call(command, ...args).catch((error: Error) => error.message);
    expect(answer, [command, ...args].join(" ")).toMatch(/^NOPERM/);
  }
  await expect(taken.set("elsewhere", "1")).rejects.toThrow(/NOPERM/);
  await expect(taken.publish("elsewhere", "1")).rejects.toThrow(/NOPERM/);
  await expect(taken.eval("return redis.call('FLUSHALL')", 0)).rejects.toThrow(
    /can't run this command|NOPERM/,
  );
  expect(await admin.dbsize()).toBeGreaterThan(0);
  taken.disconnect();
  admin.disconnect();
}, 60_000);
