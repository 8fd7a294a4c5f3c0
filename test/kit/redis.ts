import { inject, onTestFinished } from "vitest";
import {
  type RunningCluster,
  type RunningRedis,
  type StartRedisOptions,
  startRedis,
  startRedisCluster,
} from "../../scripts/redis/index.ts";
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
  return startRedis(options);
}

/** The same, ended when the running test has finished. */
export async function ownRedisForThisTest(options: StartRedisOptions = {}): Promise<RunningRedis> {
  const redis = await startRedis(options);
  onTestFinished(() => redis.stop());
  return redis;
}

/** Three masters of one's own. Takes about a second: once per file, in `beforeAll`; stop it in `afterAll`. */
export function ownRedisCluster(options: { nodes?: number } = {}): Promise<RunningCluster> {
  return startRedisCluster(options);
}
