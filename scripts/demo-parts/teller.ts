/** Tells what was seen, each line with its time since the start. */
export class Teller {
  readonly #startedAt = performance.now();
  readonly #print: (text: string) => void;
  /** Steps under way, in the order in which they were begun. */
  readonly #current = new Set<{ readonly name: string; readonly expected: string }>();

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  get seconds(): number {
    return (performance.now() - this.#startedAt) / 1_000;
  }

  say(text = ""): void {
    this.#print(`${text}\n`);
  }

  saw(text: string): void {
    this.#line("✓", text);
  }

  /** What this run does not do again, and why. */
  skipped(text: string): void {
    this.#line("–", text);
  }

  waits(text: string): void {
    this.#line("…", text);
  }

  /** Below a line, without a time. */
  under(text: string): void {
    for (const line of text.trimEnd().split("\n")) this.#print(`            ${line}\n`);
  }

  /** An error that came from outside the step that was being told, as that step's failure. */
  failure(error: unknown): unknown {
    const last = [...this.#current].at(-1);
    if (last === undefined || error instanceof StepFailed) return error;
    return new StepFailed(last.name, last.expected, error);
  }

  #line(mark: string, text: string): void {
    this.#print(`${this.seconds.toFixed(2).padStart(7)} s  ${mark} ${text}\n`);
  }

  /** One step of the story. Whatever goes wrong in it is told as: which step, what was expected, what was seen. */
  async step<T>(name: string, expected: string, act: () => Promise<T>): Promise<T> {
    const step = { name, expected };
    this.#current.add(step);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Unexpected(`nothing within ${STEP_MAX_MS / 1_000} s`)),
        STEP_MAX_MS,
      );
    });
    try {
      const done = await Promise.race([act(), late]);
      this.#current.delete(step);
      return done;
    } catch (error) {
      throw new StepFailed(name, expected, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

const STEP_MAX_MS = 90_000;

/** Something else was seen than what the step expects. */
export class Unexpected extends Error {
  constructor(seen: string) {
    super(seen);
    this.name = "Unexpected";
    this.stack = "";
  }
}

export class StepFailed extends Error {
  readonly step: string;
  readonly expected: string;
  readonly seen: string;

  constructor(step: string, expected: string, cause: unknown) {
    super(step, { cause });
    this.name = "StepFailed";
    this.step = step;
    this.expected = expected;
    this.seen = describe(cause);
  }
}

/** @throws Unexpected */
export function must(holds: boolean, seen: () => string): asserts holds {
  if (!holds) throw new Unexpected(seen());
}

/** An error in words. Node's fetch says nothing itself and carries the reason as its cause. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  const cause = error.cause instanceof Error ? `: ${describe(error.cause)}` : "";
  const message = error.message === "" ? (code ?? error.name) : error.message;
  return message + cause;
}
