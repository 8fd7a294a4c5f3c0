const PRINTED = "[secret]";

/**
 * A value that must never be printed: tokens, codes, verifiers, client secrets, keys in text form.
 * Template strings, JSON, `console.log` and the logger all see `[secret]`; only `reveal()` gives it out,
 * so that `grep reveal` lists every place where a secret leaves the type (T36).
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return PRINTED;
  }

  toJSON(): string {
    return PRINTED;
  }

  [Symbol.toPrimitive](): string {
    return PRINTED;
  }

  /** Node's `util.inspect`, and with it `console.log` and assertion diffs. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return PRINTED;
  }
}
