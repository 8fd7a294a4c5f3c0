import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { expect, it, onTestFinished } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { lendLibrary } from "../../scripts/walk/lend-library.ts";
import { durabilityOf, judgeRedis, readRedisFacts } from "../../src/ops/self-checks.ts";
import { brokerProcess } from "../kit/broker-process.ts";
import { expireSoon } from "../kit/expire.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, world } from "../kit/world.ts";
import { temporaryFolder } from "../scripts/program.ts";

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

const PASSWORD = "of-this-test-alone";

/** Redis as it is recommended: `config/redis.conf` with `config/redis-acl.conf`, and somebody who looks on. */
async function recommendedRedis() {
  const folder = await temporaryFolder();
  const acl = (await readFile("config/redis-acl.conf", "utf8")).replaceAll(" PASSWORD ", ` >${PASSWORD} `);
  const configFile = join(folder, "redis.conf");
  const onlooker = `user onlooker on >${PASSWORD} ~* &* +@all`;
  await writeFile(configFile, [await readFile("config/redis.conf", "utf8"), acl, onlooker, ""].join("\n"));
  const redis = await ownRedisForThisTest({ configFile, as: { user: "onlooker", password: PASSWORD } });
  const as = (user: string) => `redis://${user}:${PASSWORD}@${redis.host}:${redis.port}`;
  const admin = new Redis(redis.url);
  onTestFinished(() => admin.disconnect());
  return { as, admin, redis };
}

it("the recommended Redis forgets nothing, and the broker finds nothing to complain of", async () => {
  const { as } = await recommendedRedis();
  const broker = new Redis(as("broker"));
  onTestFinished(() => broker.disconnect());
  const facts = await readRedisFacts(broker);
  expect(judgeRedis(facts, true).filter(({ ok }) => !ok)).toEqual([]);
  expect(durabilityOf(facts).class).toBe("D2");
  expect(Object.values(facts)).not.toContain(undefined);
});

it("T26 every command of our scripts and of BullMQ's is allowed to the broker's user", async () => {
  const { admin } = await recommendedRedis();
  const commands = new Set<string>();
  for (const folder of [
    "src/store/lua",
    "node_modules/bullmq/dist/cjs/commands",
    "node_modules/bullmq/dist/cjs/scripts",
  ]) {
    const files = await readdir(folder, { recursive: true }).catch(() => []);
    for (const file of files.filter((name) => /\.(lua|js)$/.test(name))) {
      const text = await readFile(join(folder, file), "utf8");
      for (const [, name, sub] of text.matchAll(
        /\b(?:rcall|redis\.p?call)\(\s*['"](\w+)['"](?:,\s*['"](\w+)['"])?/g,
      ))
        commands.add(
          /^(memory|xgroup|xinfo|object)$/i.test(name!)
            ? `${name} ${sub}`.toUpperCase()
            : name!.toUpperCase(),
        );
    }
  }
  expect([...commands]).toEqual(expect.arrayContaining(["HSET", "ZADD", "XADD", "PUBLISH", "RPOPLPUSH"]));
  for (const command of commands) {
    const words = command.split(" ");
    const [info] = (await admin.call("COMMAND", "INFO", words[0]!)) as [string, number][];
    // As many words as it asks for; each may stand for a key.
    const missing = Math.max(0, Math.max(Math.abs(info![1]), words.length > 1 ? 3 : 0) - words.length);
    const padded = [...words, ...Array<string>(missing).fill("b1:x")];
    expect(await admin.call("ACL", "DRYRUN", "broker", ...padded), command).toBe("OK");
  }
});

it("T26 under the published ACL the whole product works, and nothing that empties, reconfigures or copies out is allowed", async () => {
  const { as, admin } = await recommendedRedis();
  const url = as("broker");
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
  const kinds = new Set<string>();
  for await (const { kind } of here.broker.snapshot.items()) kinds.add(kind);
  expect([...kinds].sort()).toEqual(["key", "shard"]);
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
}, 60_000);
