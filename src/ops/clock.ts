import type { Clock, Timers } from "../broker/ports.ts";
import type { Milliseconds } from "../domain/instant.ts";

/** @param clockOffsetMs shifts `now`, as the store's scripts are shifted: 0 outside tests. Lengths are not affected. */
export function systemClock(clockOffsetMs: () => Milliseconds = () => 0): Clock {
  return {
    now: () => Date.now() + clockOffsetMs(),
    monotonicMs: () => performance.now(),
  };
}

/**
 * Timers that never keep a process alive by themselves: what is worth waiting for holds a connection or a listener.
 * @param onTaskError what becomes of an error that a task throws or rejects with; it never escapes.
 */
export function systemTimers(onTaskError: (error: unknown) => void = () => {}): Timers {
  const tell = (error: unknown): void => {
    try {
      onTaskError(error);
    } catch {
      // Whoever is told of errors has none of his own.
    }
  };
  return {
    every(ms, task) {
      if (ms < 1) throw new RangeError("a task can be repeated every millisecond, and no faster");
      const timer = setInterval(() => {
        try {
          // A task may be an async function: its promise is then what fails.
          Promise.resolve(task() as unknown).catch(tell);
        } catch (error) {
          tell(error);
        }
      }, bounded(ms));
      timer.unref();
      return () => clearInterval(timer);
    },
    after(ms) {
      const lengthMs = bounded(Math.max(0, ms));
      let timer: NodeJS.Timeout | undefined;
      const elapsed = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, lengthMs);
        timer.unref();
      });
      return { elapsed, cancel: () => clearTimeout(timer) };
    },
  };
}

/** Node takes what is longer for one millisecond. */
const LENGTH_MAX_MS = 2 ** 31 - 1;

function bounded(ms: Milliseconds): Milliseconds {
  if (!(ms <= LENGTH_MAX_MS)) throw new RangeError("a timer runs for at most 24 days");
  return ms;
}
