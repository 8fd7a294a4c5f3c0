import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startRedis, startRedisCluster } from "../../scripts/redis/index.ts";
import { systemRandom } from "../../src/security/random.ts";
import { createRootKeyset } from "../../src/security/root-keyset.ts";
import { prefixNeedles, READABLE_FILES, refuse, scanFiles, scanRedis } from "./canary.ts";
import { LEFT_OUT, onClusters } from "./on-clusters.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The one Redis of this run. */
    redisUrl: string;
    /** Where it is a cluster: its nodes, `host:port`. */
    redisClusterNodes: string[];
    /** One root keyset for all: a broker refuses a store of which its keyset opens nothing. */
    rootKeyset: string;
    /** Where processes of the product keep what they have compiled: the next one starts a second sooner. */
    compileCache: string;
  }
}

/**
 * One real Redis for the whole run: the one REDIS_URL names, or one of our own that ends with the run. At the end it is
 * searched for everything that a secret of ours or of the simulator begins with (T20): the run fails on what is found.
 * A test that puts one there on purpose does so in a Redis of its own.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const compileCache = await mkdtemp(join(tmpdir(), "broker-compile-cache-"));
  project.provide("compileCache", compileCache);
  const teardown = await setUpRedis(project);
  return async () => {
    // A process that ends while this begins writes there once more.
    await rm(compileCache, { recursive: true, force: true, maxRetries: 5 });
    await teardown();
  };
}

async function setUpRedis(project: TestProject): Promise<() => Promise<void>> {
  project.provide("rootKeyset", createRootKeyset(systemRandom, Date.now()).reveal());
  if (onClusters()) return setUpCluster(project);
  project.provide("redisClusterNodes", []);
  const named = process.env.REDIS_URL;
  if (named !== undefined && named !== "") {
    project.provide("redisUrl", named);
    return async () => refuse((await scanRedis([named], prefixNeedles)).hits);
  }
  const redis = await startRedis({
    extraArgs: READABLE_FILES,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  project.provide("redisUrl", redis.url);
  return async () => {
    try {
      // What has ended by itself is still in the append-only file, since that is never rewritten.
      const { hits } = await scanRedis([redis.url], prefixNeedles);
      refuse([...hits, ...scanFiles(redis.dir, prefixNeedles).hits]);
    } finally {
      await redis.stop();
    }
  };
}

async function setUpCluster(project: TestProject): Promise<() => Promise<void>> {
  for (const [title, why] of Object.entries(LEFT_OUT))
    process.stderr.write(`left out on a cluster: "${title}", since ${why}\n`);
  const cluster = await startRedisCluster({ redis: { extraArgs: READABLE_FILES } });
  project.provide("redisUrl", cluster.nodes[0]!.url);
  project.provide(
    "redisClusterNodes",
    cluster.nodes.map(({ host, port }) => `${host}:${port}`),
  );
  return async () => {
    try {
      const urls = cluster.nodes.map(({ url }) => url);
      const { hits } = await scanRedis(urls, prefixNeedles);
      const inFiles = cluster.nodes.flatMap(({ dir }) => scanFiles(dir, prefixNeedles).hits);
      refuse([...hits, ...inFiles]);
    } finally {
      await cluster.stop();
    }
  };
}
