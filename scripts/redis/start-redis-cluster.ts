import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { findRedisServer } from "./find-redis-server.ts";
import { RedisUnavailable } from "./redis-unavailable.ts";
import { freePort, type RunningRedis, type StartRedisOptions, startRedis } from "./start-redis.ts";

const SLOTS = 16_384;
const POLL_MS = 20;
const FORMED_MAX_MS = 20_000;

export type RunningCluster = {
  readonly nodes: readonly RunningRedis[];
  /** For `new Cluster(startupNodes)`. */
  readonly startupNodes: readonly { host: string; port: number }[];
  stop(): Promise<void>;
};

export type StartRedisClusterOptions = {
  nodes?: number;
  log?: (line: string) => void;
  /** Of each node. */
  redis?: StartRedisOptions;
};

/** A Redis Cluster of masters without replicas, the slots split evenly, ready for every key. */
export async function startRedisCluster(options: StartRedisClusterOptions = {}): Promise<RunningCluster> {
  const binary = await findRedisServer(options.log === undefined ? {} : { log: options.log });
  const size = options.nodes ?? 3;
  const nodes: RunningRedis[] = [];
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    const started = await Promise.allSettled(
      Array.from({ length: size }, () => startNode(binary, options.redis)),
    );
    for (const node of started) if (node.status === "fulfilled") nodes.push(node.value);
    for (const node of started) if (node.status === "rejected") throw node.reason;
    await formCluster(nodes);
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, startupNodes: nodes.map(({ host, port }) => ({ host, port })), stop };
}

async function startNode(
  binary: Awaited<ReturnType<typeof findRedisServer>>,
  options: StartRedisOptions = {},
): Promise<RunningRedis> {
  // The bus has a port of its own; by default it is the port plus 10000, which can lie beyond the last one.
  for (let attempt = 1; ; attempt++) {
    const busPort = await freePort();
    const extraArgs = [
      ...["--cluster-enabled", "yes", "--cluster-port", String(busPort)],
      ...["--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "yes"],
      // A node that has met no other does not know where it is.
      ...["--cluster-announce-ip", "127.0.0.1"],
      ...(options.extraArgs ?? []),
    ];
    try {
      return await startRedis({ ...options, binary, extraArgs });
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

async function formCluster(nodes: readonly RunningRedis[]): Promise<void> {
  const clients = nodes.map(({ url }) => new Redis(url));
  try {
    await Promise.all(
      clients.map(async (client, index) => {
        const first = Math.floor((index * SLOTS) / clients.length);
        const last = Math.floor(((index + 1) * SLOTS) / clients.length) - 1;
        await client.call("CLUSTER", "ADDSLOTSRANGE", first, last);
        // Different epochs from the start, so that no two nodes have to argue about one.
        await client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
      }),
    );
    for (const client of clients) {
      for (const [index, { host, port }] of nodes.entries()) {
        if (client === clients[index]) continue;
        await client.call("CLUSTER", "MEET", host, port, await busPortOf(clients[index]!));
      }
    }
    await untilWhole(clients);
  } finally {
    for (const client of clients) client.disconnect();
  }
}

/** A node that was started again answers at once, and for two seconds that it is not yet part of a whole. */
export async function untilClusterAnswers(nodes: readonly RunningRedis[]): Promise<void> {
  const clients = nodes.map(({ url }) => new Redis(url));
  try {
    await untilWhole(clients);
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function untilWhole(clients: readonly Redis[]): Promise<void> {
  const deadline = performance.now() + FORMED_MAX_MS;
  for (const client of clients) {
    while (!(await isWhole(client, clients.length))) {
      if (performance.now() > deadline)
        throw new RedisUnavailable("The Redis Cluster did not come together.");
      await pause(POLL_MS);
    }
  }
}

async function busPortOf(client: Redis): Promise<string> {
  const [, port] = (await client.call("CONFIG", "GET", "cluster-port")) as [string, string];
  return port;
}

async function isWhole(client: Redis, size: number): Promise<boolean> {
  const info = String(await client.call("CLUSTER", "INFO"));
  return (
    info.includes("cluster_state:ok") &&
    info.includes(`cluster_slots_ok:${SLOTS}`) &&
    info.includes(`cluster_size:${size}`)
  );
}
