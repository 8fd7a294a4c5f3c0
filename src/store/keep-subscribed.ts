import type { RedisConnection } from "./connect-redis.ts";

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
  await connection.subscribe(channel);
  connection.on("ready", () => {
    // Lost again meanwhile: then there is another `ready`.
    connection.subscribe(channel).then(listening, () => {});
  });
}
