import { existsSync } from "node:fs";
import { inject, onTestFinished } from "vitest";
import {
  type RunningCluster,
  type RunningRedis,
  type StartRedisOptions,
  startRedis,
  startRedisCluster,
} from "../../scripts/redis/index.ts";
import { type Hit, prefixNeedles, READABLE_FILES, refuse, scanFiles } from "./canary.ts";
import "./global-setup.ts";

/**
 * The Redis that all test files of this run share. Files run side by side, a cluster has no numbered databases
 * and sixteen would not be enough: keep apart by ids made at random (an organisation of one's own), never FLUSH.
 */
export function sharedRedisUrl(): string {
  return inject("redisUrl");
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

/** Whoever ends it learns whether a secret was ever written to it: its append-only file still has all of them. */
async function startWatched(options: StartRedisOptions): Promise<RunningRedis> {
  const redis = await startRedis({
    ...options,
    extraArgs: [...READABLE_FILES, ...(options.extraArgs ?? [])],
  });
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

const leaksIn = (dir: string): readonly Hit[] => (existsSync(dir) ? scanFiles(dir, prefixNeedles).hits : []);
