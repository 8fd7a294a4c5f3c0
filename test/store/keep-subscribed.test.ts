import { Cluster, type Redis } from "ioredis";
import { expect, it, onTestFinished } from "vitest";
import { connectRedis, disconnect, type RedisAddress, whenReady } from "../../src/store/connect-redis.ts";
import { keepSubscribed } from "../../src/store/keep-subscribed.ts";
import { addressOf, ownRedisCluster, ownRedisForThisTest, serversOf } from "../kit/redis.ts";

const CHANNEL = "b1:news";

type Kind = "one Redis" | "a cluster of three";

async function addressOfOwn(kind: Kind): Promise<RedisAddress> {
  if (kind === "one Redis") return addressOf((await ownRedisForThisTest()).url);
  const cluster = await ownRedisCluster();
  onTestFinished(() => cluster.stop());
  return {
    url: "redis://cluster",
    clusterNodes: cluster.startupNodes.map(({ host, port }) => `${host}:${port}`),
  };
}

async function subscribed(kind: Kind = "one Redis") {
  const address = await addressOfOwn(kind);
  const [ear, mouth] = [connectRedis(address, "durable"), connectRedis(address, "fast")];
  for (const connection of [ear, mouth]) onTestFinished(() => disconnect(connection));
  await Promise.all([whenReady(ear), whenReady(mouth)]);
  const again = Promise.withResolvers<void>();
  await keepSubscribed(ear, CHANNEL, again.resolve);
  const cut = () => Promise.all(serversOf(mouth).map((it) => it.call("CLIENT", "KILL", "TYPE", "pubsub")));
  return { ear, mouth, again: again.promise, cut };
}

it.each<Kind>(["one Redis", "a cluster of three"])(
  "on %s a connection that was cut hears again what is announced, and says so (F26)",
  async (kind) => {
    const { ear, mouth, again, cut } = await subscribed(kind);
    await cut();
    await again;
    const heard = new Promise((resolve) => ear.once("message", (_channel, said) => resolve(said)));
    await mouth.publish(CHANNEL, "here");
    expect(await heard).toBe("here");
  },
);

it("one that is closed while it subscribes again leaves no rejection that nobody catches: that would end the process", async () => {
  const { ear, mouth, cut } = await subscribed();
  const uncaught: unknown[] = [];
  const listeners = process.listeners("unhandledRejection");
  process
    .removeAllListeners("unhandledRejection")
    .on("unhandledRejection", (reason) => uncaught.push(reason));
  onTestFinished(() => {
    process.removeAllListeners("unhandledRejection");
    for (const listener of listeners) process.on("unhandledRejection", listener);
  });
  const closed = new Promise((resolve) => ear.once("end", resolve));
  ear.once("ready", () => {
    disconnect(ear);
    // And breaks at once, as under CLIENT KILL: what was asked for is never answered.
    (ear as Redis).stream.destroy();
  });
  await cut();
  // The others of its connections stay, and it is `ready` all the time.
  if (ear instanceof Cluster) disconnect(ear);
  await closed;
  // Rejections are told of after the microtasks of the turn in which they were made.
  await mouth.ping();
  expect(uncaught).toEqual([]);
});
