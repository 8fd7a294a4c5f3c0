import type { Timers } from "../broker/ports.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { OperatorLog } from "../ops/log.ts";

const AGAIN_MS: Milliseconds = seconds(0.25);
/** What keeps a process from starting is said now and then, not at every try. */
const TOLD_EVERY = 40;

/**
 * Does a step of the start as often as it takes until Redis answers: one that leaves while a process starts is waited for, as one
 * that was not there yet.
 * @param step may be done again
 * @throws whatever else is wrong
 */
export async function onceStoreAnswers<T>(
  { timers, log }: { readonly timers: Pick<Timers, "after">; readonly log: Pick<OperatorLog, "warn"> },
  step: () => Promise<T>,
): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "store_unavailable") throw error;
      if (tries % TOLD_EVERY === 0)
        log.warn(
          { code: error.code, ...(error.details.detail !== undefined && { detail: error.details.detail }) },
          "start: waits for Redis",
        );
      await timers.after(AGAIN_MS).elapsed;
    }
  }
}
