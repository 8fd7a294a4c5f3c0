import type { Timers } from "../broker/ports.ts";
import type { DocumentPage } from "./library-source.ts";
import type { Called } from "./read-library.ts";

interface Ahead {
  readonly sequence: number;
  readonly page: string;
  readonly answer: Promise<Called<DocumentPage>>;
}

/**
 * The pages of a scan behind the one that is being told and stored: one that has come, and the one behind it, which iManage
 * makes meanwhile. Never more, so that what a scan holds does not grow.
 */
export class PagesAhead {
  readonly #read: (sequence: number, page: string) => Promise<Called<DocumentPage>>;
  #next: Ahead | undefined;
  #afterNext: Ahead | undefined;

  readonly #timers: Pick<Timers, "after">;

  /** @param read asks for the page behind a cursor, for the step of that number. */
  constructor(
    timers: Pick<Timers, "after">,
    read: (sequence: number, page: string) => Promise<Called<DocumentPage>>,
  ) {
    this.#timers = timers;
    this.#read = read;
  }

  /** The page behind `cursor`, where it was asked for. */
  take(cursor: string | undefined): Promise<Called<DocumentPage>> | undefined {
    const next = this.#next;
    if (next?.page !== cursor) this.forget();
    this.#next = this.#afterNext;
    this.#afterNext = undefined;
    return next?.page === cursor ? next?.answer : undefined;
  }

  /**
   * Resolves when the question has left, as far as nothing held it up: before the processor is busy with the page that was
   * taken, or iManage and we would work by turns.
   * @param page undefined: there is none.
   */
  async ask(sequence: number, page: string | undefined): Promise<void> {
    if (page === undefined) return;
    this.#next ??= this.#ahead(sequence, page);
    const next = this.#next;
    next.answer.then(
      ({ answer }) => {
        if (this.#next !== next || this.#afterNext !== undefined) return;
        if (answer.kind === "ok" && answer.value.next !== undefined)
          this.#afterNext = this.#ahead(next.sequence + 1, answer.value.next);
      },
      // Whether it failed is asked when it is its turn.
      () => {},
    );
    await this.#timers.after(0).elapsed;
  }

  /** What was asked for is not wanted any more. */
  forget(): void {
    this.#next = undefined;
    this.#afterNext = undefined;
  }

  #ahead(sequence: number, page: string): Ahead {
    const answer = this.#read(sequence, page);
    answer.catch(() => {});
    return { sequence, page, answer };
  }
}
