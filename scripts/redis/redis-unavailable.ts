/** Why there is no Redis, as one sentence that a person can act upon: it carries no stack. */
export class RedisUnavailable extends Error {
  override name = "RedisUnavailable";

  constructor(sentence: string) {
    super(sentence);
    this.stack = sentence;
  }
}
