import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Cluster, type Redis } from "ioredis";
import { inject, onTestFinished } from "vitest";
import {
  type RunningCluster,
  type RunningRedis,
  type StartRedisOptions,
  type StartSentinelsOptions,
  startRedis,
  startRedisCluster,
  startRedisSentinels,
  untilClusterAnswers,
} from "../../scripts/redis/index.ts";
import { type RedisAddress, type RedisConnection, whenReady } from "../../src/store/connect-redis.ts";
import { type Hit, prefixNeedles, READABLE_FILES, refuse, scanFiles } from "./canary.ts";
import { onClusters } from "./on-clusters.ts";

/**
 * The Redis that all test files of this run share. Files run side by side, a cluster has no numbered databases
 * and sixteen would not be enough: keep apart by ids made at random (an organisation of one's own), never FLUSH.
 */
export function sharedRedisUrl(): string {
  return inject("redisUrl");
}

/** How a broker is told of a Redis: of a cluster its nodes too, where all tests run on one (`TEST_REDIS=cluster`). */
export function addressOf(url: string = sharedRedisUrl()): RedisAddress {
  if (url === sharedRedisUrl()) {
    const clusterNodes = inject("redisClusterNodes");
    return { url, ...(clusterNodes.length > 0 && { clusterNodes }) };
  }
  return { url, ...(ownClusters.has(new URL(url).host) && { clusterNodes: [new URL(url).host] }) };
}

/** By host and port: whoever asks. */
const ownClusters = new Set<string>();

/**
 * The settings that name a Redis. Whoever overrides an address gives both: a proxy before a node is no cluster, since what
 * clients are told of a cluster leads past it; and a Redis that is still to start has no nodes yet, but where they will be.
 */
export function redisSettings({ url, clusterNodes = [] }: RedisAddress): Record<string, string> {
  return { REDIS_URL: url, REDIS_CLUSTER_NODES: clusterNodes.join(",") };
}

/** Of settings that change an environment: where they name another Redis, they mean all of it. */
export const overriding = (settings: Readonly<Record<string, string>>): Record<string, string> => ({
  ...(settings.REDIS_URL !== undefined && redisSettings(addressOf(settings.REDIS_URL))),
  ...settings,
});

/** How a broker finds a Redis that `ownRedis` is going to start on that port. */
export const addressOfPort = (port: number): RedisAddress => ({
  url: `redis://127.0.0.1:${port}`,
  ...(onClusters() && { clusterNodes: [`127.0.0.1:${port}`] }),
});

/** Every server that holds keys: of a cluster the masters. What walks keys asks each. */
export const serversOf = (connection: RedisConnection): readonly Redis[] =>
  connection instanceof Cluster ? connection.nodes("master") : [connection];

/** All keys that begin so, wherever they lie. */
export async function keysOf(connection: RedisConnection, prefix = ""): Promise<string[]> {
  const pattern = `${prefix.replace(/[[\]?*\\]/g, "\\$&")}*`;
  const found = new Set<string>();
  // Until then a cluster has no nodes, and they have no keys.
  await whenReady(connection);
  for (const server of serversOf(connection)) {
    for (let cursor = "0"; ; ) {
      const [next, keys] = await server.scan(cursor, "MATCH", pattern, "COUNT", 5_000);
      for (const key of keys) found.add(key);
      cursor = next;
      if (cursor === "0") break;
    }
  }
  return [...found];
}

/** A Redis of one's own, to kill, pause or fill. Stop it in `afterAll`; if forgotten, it ends with the worker. */
export function ownRedis(options: StartRedisOptions = {}): Promise<RunningRedis> {
  return startWatched(options);
}

/** The same, ended when the running test has finished. */
export async function ownRedisForThisTest(options: StartRedisOptions = {}): Promise<RunningRedis> {
  const redis = await startWatched(options);
  onTestFinished(() => redis.stop());
  return redis;
}

/** Three masters of one's own. Takes about a second: once per file, in `beforeAll`; stop it in `afterAll`. */
export async function ownRedisCluster(options: { nodes?: number } = {}): Promise<RunningCluster> {
  const cluster = await startRedisCluster(options);
  return {
    ...cluster,
    async stop() {
      const hits = cluster.nodes.flatMap(({ dir }) => leaksIn(dir));
      await cluster.stop();
      refuse(hits);
    },
  };
}

/** A master, replicas and Sentinels of the running test's own, and the settings with which a broker finds them. Takes three seconds. */
export async function ownSentinelsForThisTest(options: StartSentinelsOptions = {}) {
  const own = await startRedisSentinels({ ...options, redis: { extraArgs: READABLE_FILES } });
  const passwordFile = join(own.folder, "password");
  await writeFile(passwordFile, `${own.password}\n`, { mode: 0o600 });
  onTestFinished(async () => {
    const hits = own.servers.flatMap(({ dir }) => leaksIn(dir));
    await own.stop();
    refuse(hits);
  });
  const settings = {
    // Where nobody listens: Sentinel alone says where the master is.
    REDIS_URL: "redis://127.0.0.1:1",
    REDIS_SENTINELS: own.sentinels.map(({ host, port }) => `${host}:${port}`).join(","),
    REDIS_SENTINEL_MASTER: own.master,
    REDIS_SENTINEL_PASSWORD_FILE: passwordFile,
  };
  return { ...own, settings };
}

/** Whoever ends it learns whether a secret was ever written to it: its append-only file still has all of them. */
async function startWatched(options: StartRedisOptions): Promise<RunningRedis> {
  const readable = { ...options, extraArgs: [...READABLE_FILES, ...(options.extraArgs ?? [])] };
  const redis = onClusters() ? await startClusterOfOne(readable) : await startRedis(readable);
  return Object.create(redis, {
    stop: {
      async value() {
        const hits = leaksIn(redis.dir);
        await redis.stop();
        refuse(hits);
      },
    },
  });
}

/** Nodes of one's own die, freeze and fill as one Redis does, and refuse what a cluster refuses. */
async function startClusterOfOne(redis: StartRedisOptions): Promise<RunningRedis> {
  const { nodes } = await startRedisCluster({ nodes: 1, redis });
  const [node] = nodes as readonly [RunningRedis];
  ownClusters.add(new URL(node.url).host);
  return Object.create(node, {
    restart: {
      async value() {
        await node.restart();
        await untilClusterAnswers(nodes);
      },
    },
  });
}

const leaksIn = (dir: string): readonly Hit[] => (existsSync(dir) ? scanFiles(dir, prefixNeedles).hits : []);
