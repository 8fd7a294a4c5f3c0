import { mkdir } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { Cluster, Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { Problem } from "../../src/domain/problem.ts";
import { systemClock } from "../../src/ops/clock.ts";
import { refuses } from "../../src/ops/finding.ts";
import {
  durabilityOf,
  judgeRedis,
  type RedisFacts,
  readRedisFacts,
  worstOf,
} from "../../src/ops/self-checks.ts";
import { leftOut } from "../kit/on-clusters.ts";
import { ownRedisCluster, ownRedisForThisTest } from "../kit/redis.ts";

const GOOD: RedisFacts = {
  redisVersion: "7.0.15",
  maxmemoryPolicy: "noeviction",
  appendonly: true,
  appendfsync: "always",
  fsyncRestsOnRewrite: false,
  lastWriteOk: true,
  role: "master",
  connectedReplicas: 0,
  minReplicasToWrite: 0,
  clockSkewMs: 0,
};
const HIDDEN = Object.fromEntries(
  Object.keys(GOOD).map((fact) => [fact, undefined]),
) as unknown as RedisFacts;

/** `check: refuse`, `check: warn`, of those that are not ok. */
const complaints = (facts: RedisFacts, production = true): string[] =>
  judgeRedis(facts, production)
    .filter(({ ok }) => !ok)
    .map(({ check, severity }) => `${check}: ${severity}`);

describe("the judgement of a Redis", () => {
  it.each<[string, Partial<RedisFacts>, string[]]>([
    ["as it should be", {}, []],
    ["6.2", { redisVersion: "6.2.14" }, ["redis-version: refuse"]],
    ["7.0.0", { redisVersion: "7.0.0" }, []],
    ["8.2", { redisVersion: "8.2.1" }, []],
    ["10.0", { redisVersion: "10.0.0" }, []],
    ["a version that is no number", { redisVersion: "unstable" }, ["redis-version: refuse"]],
    ["evicting", { maxmemoryPolicy: "allkeys-lru" }, ["redis-eviction: refuse"]],
    ["evicting what expires", { maxmemoryPolicy: "volatile-ttl" }, ["redis-eviction: refuse"]],
    ["hiding its policy", { maxmemoryPolicy: undefined }, ["redis-eviction: warn"]],
    ["without AOF", { appendonly: false }, ["redis-durability: refuse"]],
    ["without fsync", { appendfsync: "no" }, ["redis-durability: refuse"]],
    ["D1", { appendfsync: "everysec" }, ["redis-durability: warn"]],
    ["resting while it rewrites", { fsyncRestsOnRewrite: true }, ["redis-durability: warn"]],
    ["hiding its fsync", { appendfsync: undefined }, ["redis-durability: warn"]],
    ["unable to write", { lastWriteOk: false }, ["redis-disk: warn"]],
    ["a replica", { role: "slave" }, ["redis-role: refuse"]],
    ["two seconds off", { clockSkewMs: 2_000 }, []],
    ["more than two seconds ahead", { clockSkewMs: 2_001 }, ["redis-clock: warn"]],
    ["more than two seconds behind", { clockSkewMs: -2_001 }, ["redis-clock: warn"]],
    ["thirty seconds off", { clockSkewMs: -30_000 }, ["redis-clock: warn"]],
    ["more than thirty seconds off", { clockSkewMs: 30_001 }, ["redis-clock: refuse"]],
    [
      "hiding everything",
      HIDDEN,
      [
        "redis-version: warn",
        "redis-eviction: warn",
        "redis-durability: warn",
        "redis-role: warn",
        "redis-clock: warn",
      ],
    ],
  ])("%s", (_, change, expected) => {
    expect(complaints({ ...GOOD, ...change })).toEqual(expected);
  });

  it("only warns of a missing AOF outside production", () => {
    expect(complaints({ ...GOOD, appendonly: false }, false)).toEqual(["redis-durability: warn"]);
  });

  it("says of everything that is not well what to do, in lines that a log takes whole", () => {
    for (const facts of [
      HIDDEN,
      { ...GOOD, role: "slave", maxmemoryPolicy: "allkeys-lfu", appendonly: false },
    ]) {
      for (const { ok, sentence, remedy } of judgeRedis(facts, true)) {
        expect(sentence).toMatch(/^.{10,200}$/);
        if (!ok) expect(remedy).toMatch(/^[A-Z].*\.$/);
      }
    }
  });

  it.each<[RedisFacts, string]>([
    [{ ...GOOD, appendonly: false }, "D0"],
    [{ ...GOOD, appendfsync: "no" }, "D0"],
    [{ ...GOOD, appendfsync: "everysec", minReplicasToWrite: 1, connectedReplicas: 1 }, "D1"],
    [{ ...GOOD, fsyncRestsOnRewrite: true }, "D1"],
    [GOOD, "D2"],
    [{ ...GOOD, connectedReplicas: 2 }, "D2"],
    [{ ...GOOD, minReplicasToWrite: 1 }, "D2"],
    [{ ...GOOD, minReplicasToWrite: 2, connectedReplicas: 1 }, "D2"],
    [{ ...GOOD, minReplicasToWrite: 1, connectedReplicas: 1 }, "D3"],
    [{ ...GOOD, appendonly: undefined }, "unknown"],
    [{ ...GOOD, appendfsync: undefined }, "unknown"],
  ])("class of durability %#", (facts, expected) => {
    expect(durabilityOf(facts).class).toBe(expected);
  });

  it("takes of a cluster the worst of each fact, and what is wrong for worse than what is hidden", () => {
    const worst = worstOf([
      GOOD,
      { ...HIDDEN, maxmemoryPolicy: "allkeys-lru" },
      { ...GOOD, redisVersion: "6.2.0", appendfsync: "everysec", clockSkewMs: -5_000, connectedReplicas: 3 },
      { ...GOOD, clockSkewMs: 3_000, role: "slave", appendonly: false },
    ]);
    expect(worst).toMatchObject({
      redisVersion: "6.2.0",
      maxmemoryPolicy: "allkeys-lru",
      appendonly: false,
      appendfsync: "everysec",
      fsyncRestsOnRewrite: undefined,
      role: "slave",
      clockSkewMs: -5_000,
    });
    expect(worstOf([GOOD, GOOD])).toEqual(GOOD);
  });
});

function connectedTo(url: string, enableReadyCheck = true): Redis {
  const redis = new Redis(url, { maxRetriesPerRequest: 1, commandTimeout: 5_000, enableReadyCheck });
  redis.on("error", () => {});
  onTestFinished(() => redis.disconnect());
  return redis;
}

const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

/** What a managed service says where Redis itself would say more: replies by the first word of a command. */
async function answering(replies: Readonly<Record<string, string>>): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      for (const [, word = ""] of String(data).matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g))
        socket.write(replies[word.toLowerCase()] ?? "+OK\r\n");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function judgedWith(...extraArgs: string[]): Promise<string[]> {
  const { url } = await ownRedisForThisTest({ extraArgs });
  return complaints(await readRedisFacts(connectedTo(url)));
}

describe("a managed service", () => {
  it.each([
    "ERR Unsupported CONFIG parameter: maxmemory-policy",
    "ERR unsupported parameter",
    "ERR unknown command 'config'",
    "NOPERM this user has no permissions to run the 'config|get' command",
  ])("that answers CONFIG GET by %j, and names no policy, hides them and is warned of", async (refusal) => {
    const url = await answering({
      info: bulk("redis_version:7.4.0\r\nrole:master\r\nmaxmemory_policy:\r\n"),
      config: `-${refusal}\r\n`,
      time: `*2\r\n${bulk(String(Math.floor(Date.now() / 1_000)))}${bulk("0")}`,
    });
    const facts = await readRedisFacts(connectedTo(url, false));
    expect(facts).toMatchObject({ redisVersion: "7.4.0", maxmemoryPolicy: undefined, appendonly: undefined });
    expect(complaints(facts)).toEqual(["redis-eviction: warn", "redis-durability: warn"]);
  });

  it("that is loading, or full of clients, is not there: what it would say is not hidden", async () => {
    for (const refusal of [
      "LOADING Redis is loading the dataset in memory",
      "ERR max number of clients reached",
    ]) {
      const url = await answering({ info: bulk("role:master"), config: `-${refusal}\r\n`, time: "*0\r\n" });
      await expect(readRedisFacts(connectedTo(url, false))).rejects.toMatchObject({
        code: "store_unavailable",
      });
    }
  });
});

describe("a real Redis", () => {
  it("with the settings that we recommend is D2 and well", async () => {
    const { url } = await ownRedisForThisTest();
    const facts = await readRedisFacts(connectedTo(url));
    expect(facts).toMatchObject({
      ...GOOD,
      redisVersion: expect.stringMatching(/^\d+\.\d+/),
      clockSkewMs: expect.any(Number),
    });
    expect(Math.abs(facts.clockSkewMs!)).toBeLessThan(100);
    expect(judgeRedis(facts, true).some(refuses)).toBe(false);
  });

  it.each<[string[], string[]]>([
    [["--maxmemory-policy", "allkeys-lru"], ["redis-eviction: refuse"]],
    [["--appendonly", "no"], ["redis-durability: refuse"]],
    [["--appendfsync", "everysec"], ["redis-durability: warn"]],
    [["--appendfsync", "no"], ["redis-durability: refuse"]],
    [["--no-appendfsync-on-rewrite", "yes"], ["redis-durability: warn"]],
    [["--rename-command", "CONFIG", ""], ["redis-durability: warn"]],
    [
      ["--rename-command", "CONFIG", "", "--maxmemory-policy", "volatile-lru"],
      ["redis-eviction: refuse", "redis-durability: warn"],
    ],
    [["--rename-command", "CONFIG", "", "--appendonly", "no"], ["redis-durability: refuse"]],
  ])("started with %j", async (extraArgs, expected) => {
    expect(await judgedWith(...extraArgs)).toEqual(expected);
  });

  it("that tells its user nothing leaves every fact open", async () => {
    const { url } = await ownRedisForThisTest();
    await connectedTo(url).call("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-@dangerous", "-time");
    const redis = connectedTo(url.replace("redis://", "redis://app:pw@"), false);
    expect(await readRedisFacts(redis)).toEqual(HIDDEN);
  });

  const REPLICA = "that is a replica is refused, and its master with min-replicas is D3";
  it.skipIf(leftOut(REPLICA))(REPLICA, async () => {
    const master = await ownRedisForThisTest({
      extraArgs: ["--min-replicas-to-write", "1", "--repl-diskless-sync-delay", "0"],
    });
    const redis = connectedTo(master.url);
    expect(durabilityOf(await readRedisFacts(redis)).class).toBe("D2");
    const replica = await ownRedisForThisTest({
      extraArgs: ["--replicaof", master.host, String(master.port)],
    });
    const follower = connectedTo(replica.url);
    expect(complaints(await readRedisFacts(follower))).toEqual(["redis-role: refuse"]);
    await expect
      .poll(async () => durabilityOf(await readRedisFacts(redis)).class, { timeout: 15_000 })
      .toBe("D3");
    // Asked politely, a replica and its master wait ten seconds for one another.
    await Promise.all([replica.kill(), master.kill()]);
  });

  it("of a cluster is judged by all its masters", async () => {
    const cluster = await ownRedisCluster();
    onTestFinished(() => cluster.stop());
    const [first, second] = cluster.nodes;
    await connectedTo(`redis://${first!.host}:${first!.port}`).config(
      "SET",
      "maxmemory-policy",
      "allkeys-lru",
    );
    await connectedTo(`redis://${second!.host}:${second!.port}`).config("SET", "appendfsync", "everysec");
    const connection = new Cluster([...cluster.nodes]);
    onTestFinished(() => connection.disconnect());
    await connection.ping();
    expect(complaints(await readRedisFacts(connection))).toEqual([
      "redis-eviction: refuse",
      "redis-durability: warn",
    ]);
  });

  it("is judged by its clock", async () => {
    const { url } = await ownRedisForThisTest();
    const redis = connectedTo(url);
    const at = (offsetMs: number) =>
      readRedisFacts(
        redis,
        systemClock(() => offsetMs),
      );
    expect(complaints(await at(-5_000))).toEqual(["redis-clock: warn"]);
    const behind = judgeRedis(await at(60_000), true).find(({ check }) => check === "redis-clock")!;
    expect(behind).toMatchObject({
      severity: "refuse",
      sentence: expect.stringMatching(/(60\.0|59\.9) s behind/),
    });
  });

  it("that cannot write to its disk is told (F31)", async () => {
    const { url, dir } = await ownRedisForThisTest({ extraArgs: ["--dbfilename", "dump.rdb"] });
    const redis = connectedTo(url);
    // A folder under the name of the snapshot: no file can take its place.
    await mkdir(join(dir, "dump.rdb"));
    await redis.bgsave();
    await expect
      .poll(async () => complaints(await readRedisFacts(redis)), { timeout: 15_000 })
      .toEqual(["redis-disk: warn"]);
  });

  it("that is away is a problem whose remedy is time, with no word of Redis' own", async () => {
    const server = await ownRedisForThisTest();
    const redis = connectedTo(server.url);
    await redis.ping();
    await server.kill();
    const refused = await readRedisFacts(redis).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Problem);
    expect(refused).toMatchObject({ code: "store_unavailable", remedy: "time" });
  });
});
