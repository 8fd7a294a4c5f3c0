import type { StoreRefill } from "../broker/backup/ports.ts";
import type { Settings } from "../config/settings.ts";
import { Problem } from "../domain/problem.ts";
import { connectRedis, disconnect, whenReady } from "../store/connect-redis.ts";
import { RedisRefill } from "../store/redis-refill.ts";
import { RedisStore } from "../store/redis-store.ts";
import { redisAddress } from "./read-addresses.ts";

/** How long a command waits for Redis before it says that Redis is away. */
const REDIS_WAIT_MS = 5_000;

/** The store that a backup goes into: a URL, with the password that the settings name, or `settings`. */
export async function openRefill(
  settings: Settings,
  into: string,
  passwordFile: string | undefined,
): Promise<{ readonly refill: StoreRefill; readonly close: () => void }> {
  const named = await redisAddress({
    ...settings,
    ...(passwordFile !== undefined && { REDIS_PASSWORD_FILE: passwordFile }),
  });
  const { clusterNodes: _, ...address } = named;
  const connection = connectRedis(into === "settings" ? named : { ...address, url: into }, "durable");
  const close = () => disconnect(connection);
  await within(whenReady(connection)).catch((error) => {
    close();
    throw error;
  });
  return { refill: new RedisRefill(new RedisStore(connection)), close };
}

/** @throws Problem("store_unavailable") where it takes too long for whoever is at the terminal */
export async function within(ready: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const away = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Problem("store_unavailable")), REDIS_WAIT_MS);
  });
  await Promise.race([ready, away]).finally(() => clearTimeout(timer));
}
