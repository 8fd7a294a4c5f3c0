/** 48 bits: what the counter half of a nonce holds. */
const COUNT_MAX = 2 ** 48;

/**
 * Counted 96-bit nonces under one salt: the deterministic construction of NIST SP 800-38D §8.2.1 with a fixed field of
 * zeros (the salt already makes the key this process's own) and an invocation field of 48 bits. A sequence never
 * begins again: it ends, and its successor has another salt and with it another key (T23).
 */
export class NonceSequence {
  /** 16 random bytes, base64url. */
  readonly salt: string;
  readonly #limit: number;
  #next = 0;

  /** @param limit how many nonces this salt gives, at most 2^48 */
  constructor(salt: string, limit: number) {
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > COUNT_MAX) {
      throw new RangeError("a nonce sequence gives between 1 and 2^48 nonces");
    }
    this.salt = salt;
    this.#limit = limit;
  }

  get spent(): boolean {
    return this.#next >= this.#limit;
  }

  /** The next nonce, 12 bytes. Throws rather than wrap. */
  take(): Buffer {
    if (this.spent)
      throw new RangeError("this nonce sequence is spent; a repeated nonce would give the key away");
    const nonce = Buffer.alloc(12);
    nonce.writeUIntBE(this.#next, 6, 6);
    this.#next += 1;
    return nonce;
  }
}
