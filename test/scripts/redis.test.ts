import { once } from "node:events";
import { access, readdir } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { Cluster, Redis } from "ioredis";
import { expect, test, vi } from "vitest";
import { RedisUnavailable } from "../../scripts/redis/index.ts";
import { ownRedis, ownRedisCluster, ownRedisForThisTest, sharedRedisUrl } from "../kit/redis.ts";
import { ROOT, runProgram, temporaryFolder } from "./program.ts";

test("the shared Redis of the run answers", async () => {
  const client = new Redis(sharedRedisUrl());
  expect(await client.ping()).toBe("PONG");
  client.disconnect();
});

test("it is durable and evicts nothing", async () => {
  const redis = await ownRedisForThisTest();
  const client = new Redis(redis.url);
  const settings = await client.config("GET", "append*", "maxmemory-policy", "bind");
  expect(settings).toEqual(
    expect.arrayContaining(["appendonly", "yes", "appendfsync", "always", "noeviction", "127.0.0.1"]),
  );
  client.disconnect();
});

test("what was acknowledged is still there after kill -9 and a restart on the same port", async () => {
  const redis = await ownRedisForThisTest();
  const { url, pid } = redis;
  const client = new Redis(url);
  for (let i = 0; i < 100; i++) await client.set(`key:${i}`, i);
  client.disconnect();

  await redis.kill();
  await redis.restart();

  expect(redis.pid).not.toBe(pid);
  expect(redis.url).toBe(url);
  const again = new Redis(url);
  expect(await again.dbsize()).toBe(100);
  again.disconnect();
});

test("a paused one answers after it is resumed, and can be stopped while paused", async () => {
  const redis = await ownRedis();
  const client = new Redis(redis.url);
  await client.ping();
  redis.pause();
  const answer = client.ping();
  redis.resume();
  expect(await answer).toBe("PONG");
  client.disconnect();
  redis.pause();
  await redis.stop();
  await expect(access(redis.dir)).rejects.toThrow();
});

test("a folder that was asked for stays when it stops", async () => {
  const dir = await temporaryFolder();
  const redis = await ownRedis({ dir });
  await redis.stop();
  expect(await readdir(dir)).toContain("appendonlydir");
});

test("a port that is taken is named in one sentence, whoever answers there", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as { port: number };
  const other = await ownRedisForThisTest();
  for (const taken of [port, other.port]) {
    const start = ownRedis({ port: taken });
    await expect(start).rejects.toThrow(RedisUnavailable);
    await expect(start).rejects.toThrow(
      `Port ${taken} on 127.0.0.1 is in use by another program: end that program, or choose another port.`,
    );
  }
  silent.close();
});

test("a setting it does not know is reported in its own words", async () => {
  await expect(ownRedis({ extraArgs: ["--no-such-setting", "1"] })).rejects.toThrow(
    /Redis ended while starting, and said/,
  );
});

test("it ends, with its temporary folder, when the process that started it is killed with -9", async () => {
  const parent = runProgram(process.execPath, [
    "--input-type=module",
    "--eval",
    `import { startRedis } from ${JSON.stringify(`${ROOT}scripts/redis/index.ts`)};
     const { port, dir } = await startRedis();
     console.log(JSON.stringify({ port, dir }));
     setInterval(() => {}, 60_000);`,
  ]);
  const [line] = await parent.says(/\{.*\}/);
  const { port, dir } = JSON.parse(line) as { port: number; dir: string };
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");

  const closed = once(socket, "close");
  parent.child.kill("SIGKILL");

  await closed;
  await vi.waitFor(() => expect(access(dir)).rejects.toThrow(), { timeout: 10_000 });
});

test("a cluster of three answers for keys in all slots", async () => {
  const cluster = await ownRedisCluster({ nodes: 3 });
  const client = new Cluster([...cluster.startupNodes]);
  await Promise.all(Array.from({ length: 500 }, (_, i) => client.set(`key:${i}`, i)));
  const sizes = await Promise.all(client.nodes("master").map((node) => node.dbsize()));
  expect(sizes).toHaveLength(3);
  expect(Math.min(...sizes)).toBeGreaterThan(0);
  expect(sizes.reduce((a, b) => a + b)).toBe(500);
  client.disconnect();
  await cluster.stop();
});
