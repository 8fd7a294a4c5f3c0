import { readFile } from "node:fs/promises";
import type { Settings } from "../config/settings.ts";
import { Secret } from "../domain/secret.ts";
import type { RedisAddress } from "../store/connect-redis.ts";

/** The proxy through which all that leaves goes, with its password from a file. */
export async function egressProxy(settings: Settings) {
  const { EGRESS_PROXY_URL: url, EGRESS_PROXY_PASSWORD_FILE: file } = settings;
  if (url === undefined) return undefined;
  return {
    url,
    ...(file !== undefined && { password: new Secret((await readFile(file, "utf8")).trim()) }),
  };
}

/** Where Redis is, with its password from a file. */
export async function redisAddress(settings: Settings): Promise<RedisAddress> {
  const nodes = settings.REDIS_CLUSTER_NODES.map(({ host, port }) => `${host}:${port}`);
  const passwordFile = settings.REDIS_PASSWORD_FILE;
  return {
    url: settings.REDIS_URL,
    ...(nodes.length === 0 ? {} : { clusterNodes: nodes }),
    ...(passwordFile === undefined ? {} : { password: (await readFile(passwordFile, "utf8")).trim() }),
  };
}
