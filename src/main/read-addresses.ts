import { readFile } from "node:fs/promises";
import type { Settings } from "../config/settings.ts";
import { Secret } from "../domain/secret.ts";
import type { RedisAddress, SentinelAddress } from "../store/connect-redis.ts";

/** The proxy through which all that leaves goes, with its password from a file. */
export async function egressProxy(settings: Settings) {
  const { EGRESS_PROXY_URL: url, EGRESS_PROXY_PASSWORD_FILE: file } = settings;
  if (url === undefined) return undefined;
  return {
    url,
    ...(file !== undefined && { password: new Secret((await readFile(file, "utf8")).trim()) }),
  };
}

/** Where Redis is, with its passwords from files. */
export async function redisAddress(settings: Settings): Promise<RedisAddress> {
  const [password, ca] = await Promise.all(
    [settings.REDIS_PASSWORD_FILE, settings.REDIS_CA_FILE].map(readIfNamed),
  );
  const clusterNodes = settings.REDIS_CLUSTER_NODES.map(addressText);
  const sentinel = await sentinelAddress(settings);
  return {
    url: settings.REDIS_URL,
    ...(clusterNodes.length > 0 && { clusterNodes }),
    ...(sentinel && { sentinel }),
    ...(password !== undefined && { password }),
    ...(ca !== undefined && { ca }),
  };
}

async function sentinelAddress(settings: Settings): Promise<SentinelAddress | undefined> {
  const { REDIS_SENTINEL_MASTER: master, REDIS_SENTINEL_USERNAME: username } = settings;
  if (master === undefined) return undefined;
  const password = await readIfNamed(settings.REDIS_SENTINEL_PASSWORD_FILE);
  return {
    nodes: settings.REDIS_SENTINELS.map(addressText),
    master,
    tls: settings.REDIS_SENTINEL_TLS,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  };
}

const addressText = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `${host}:${port}`;

const readIfNamed = async (file: string | undefined): Promise<string | undefined> =>
  file === undefined ? undefined : (await readFile(file, "utf8")).trim();
