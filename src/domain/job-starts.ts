import { days, hours, type Milliseconds } from "./instant.ts";

/**
 * A job that takes its process down (an abort, out of memory, a loop that somebody kills) would be run again for ever, and
 * take every process down in turn. So starts are counted, and an orderly end, good or bad, takes the count back (F37).
 */
export const jobStarts = {
  /** So many starts without an orderly end, and there is no other for now. */
  startsMax: 3,
  /** Put aside for so long, then tried once: a process can be killed three times for reasons that are not the job's. */
  coolDownMs: hours(1),
  /** What nobody has tried for so long begins anew. */
  forgetMs: days(1),
} as const satisfies Record<string, number>;

/** What is known of work on one grant or sync. */
export interface JobHistory {
  /** Starts since the last orderly end or progress. */
  readonly starts: number;
  /** Of the time for which it is put aside: how much is left, 0 once it is over; undefined: it is not put aside. */
  readonly asideMs: Milliseconds | undefined;
  /** Somebody is at it now, and alive. */
  readonly running: boolean;
}

/**
 * `run`: nothing speaks against it. `run_alone`: it was running when a process died, as were those beside it; of such
 * suspects one runs at a time in a process, so that the next death names the culprit and nobody else.
 * `put_aside`: not now; whoever is put aside already stays so. `leave`: another run is at it, whose start is no sign of
 * anything yet.
 */
export type StartVerdict = "run" | "run_alone" | "put_aside" | "leave";

export function judgeStart({ starts, asideMs, running }: JobHistory): StartVerdict {
  if (running) return "leave";
  if (starts === 0) return "run";
  if (starts < jobStarts.startsMax) return "run_alone";
  return asideMs === 0 ? "run_alone" : "put_aside";
}
