import { setTimeout as pause } from "node:timers/promises";
import { Cluster, type Redis } from "ioredis";
import type { Milliseconds } from "../domain/instant.ts";
import type { RedisConnection } from "./connect-redis.ts";

/** Between nodes of a cluster that are tried: the next is asked soon, and none of them often. */
const NEXT_NODE_MS: Milliseconds = 100;

/**
 * Subscribes, and again after each reconnect. ioredis would do the latter by itself, but leaves the promise of it to nobody: a
 * connection that is closed meanwhile, or a Redis that refuses, would end the process (`connectRedis` turns that off).
 * @param listening is called when announcements are heard again: what was announced meanwhile was said to nobody.
 */
export async function keepSubscribed(
  connection: RedisConnection,
  channel: string,
  listening: () => void = () => {},
): Promise<void> {
  if (connection instanceof Cluster) return keepSubscribedInCluster(connection, channel, listening);
  await connection.subscribe(channel);
  connection.on("ready", () => {
    // Lost again meanwhile: then there is another `ready`.
    connection.subscribe(channel).then(listening, () => {});
  });
}

/**
 * A cluster tells what is announced to all of its nodes, and any of them tells us. ioredis' own subscription to a cluster does
 * without this, but when it has moved to another node it says so to nobody: who waited would wait until his time is up.
 */
async function keepSubscribedInCluster(
  cluster: Cluster,
  channel: string,
  listening: () => void,
): Promise<void> {
  let ended = false;
  // Processes begin at different nodes.
  let turn = process.pid;
  let ear: Redis | undefined;
  cluster.once("end", () => {
    ended = true;
    ear?.disconnect();
  });
  const subscribe = async () => {
    while (!ended) {
      const nodes = cluster.nodes("master");
      const node = nodes[turn++ % nodes.length];
      if (node !== undefined && (await heardFrom(node))) return;
      await pause(NEXT_NODE_MS, undefined, { ref: false });
    }
  };
  const heardFrom = async (node: Redis): Promise<boolean> => {
    const next = node.duplicate({ enableOfflineQueue: true, lazyConnect: true, retryStrategy: () => null });
    ear = next;
    // What becomes of it is told by its end.
    next.on("error", () => {});
    next.on("message", (from: string, said: string) => cluster.emit("message", from, said));
    try {
      await next.subscribe(channel);
    } catch {
      next.disconnect();
      return false;
    }
    if (next.status === "end") return false;
    next.once("end", () => void subscribe().then(() => ended || listening()));
    return true;
  };
  await subscribe();
}
