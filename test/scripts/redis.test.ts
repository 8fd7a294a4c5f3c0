import { Cluster, Redis } from "ioredis";
import { expect, test } from "vitest";
import { ownRedis, ownRedisCluster, ownRedisForThisTest, sharedRedisUrl } from "../kit/redis.ts";

test("the shared Redis of the run answers", async () => {
  const client = new Redis(sharedRedisUrl());
  expect(await client.ping()).toBe("PONG");
  client.disconnect();
});

test("what was acknowledged is still there after kill -9 and a restart", async () => {
  const redis = await ownRedisForThisTest();
  const before = redis.pid;
  const client = new Redis(redis.url);
  for (let i = 0; i < 100; i++) await client.set(`key:${i}`, i);
  client.disconnect();

  await redis.kill();
  await redis.restart();

  expect(redis.pid).not.toBe(before);
  const again = new Redis(redis.url);
  expect(await again.dbsize()).toBe(100);
  again.disconnect();
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
void ownRedis;
