import type { TestProject } from "vitest/node";
import { startRedis } from "../../scripts/redis/index.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The one Redis of this run. */
    redisUrl: string;
  }
}

/** One real Redis for the whole run: the one REDIS_URL names, or one of our own that ends with the run. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const named = process.env.REDIS_URL;
  if (named !== undefined && named !== "") {
    project.provide("redisUrl", named);
    return undefined;
  }
  const redis = await startRedis({ log: (line) => process.stderr.write(`${line}\n`) });
  project.provide("redisUrl", redis.url);
  return () => redis.stop();
}
