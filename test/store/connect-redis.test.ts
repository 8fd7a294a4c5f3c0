import { Redis } from "ioredis";
import { expect, it, onTestFinished } from "vitest";
import { startRedisCluster } from "../../scripts/redis/index.ts";
import { connectRedis, disconnect, whenReady } from "../../src/store/connect-redis.ts";

it("a cluster is asked with the user that REDIS_URL names and the password of its file", async () => {
  const cluster = await startRedisCluster({ nodes: 1 });
  onTestFinished(() => cluster.stop());
  const [node] = cluster.nodes;
  const admin = new Redis(node!.url);
  await admin.call("ACL", "SETUSER", "broker", "on", ">of the broker", "~b1:*", "+@all");
  await admin.call("ACL", "SETUSER", "default", "off");
  admin.disconnect();
  const connection = connectRedis(
    {
      url: "redis://broker@127.0.0.1:1",
      password: "of the broker",
      clusterNodes: [`${node!.host}:${node!.port}`],
    },
    "durable",
  );
  onTestFinished(() => disconnect(connection));
  await whenReady(connection);
  expect(await connection.acl("WHOAMI")).toBe("broker");
  expect(await connection.set("b1:{o:1}:a", "1")).toBe("OK");
});
