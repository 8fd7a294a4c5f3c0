/** Why there is no Redis, as one sentence that a person can act upon. Print the message, never the stack. */
export class RedisUnavailable extends Error {
  override name = "RedisUnavailable";
}
