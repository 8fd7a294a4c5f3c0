import { hours, type Instant, type Milliseconds, minutes, seconds } from "./instant.ts";

/** How keys that a client publishes are kept. */
export const publishedKeys = {
  /** A key that was taken back counts no longer than this. */
  freshMs: minutes(10),
  /** Between two tries, whatever the assertions say: an invented `kid` costs one request a minute. */
  pauseMs: minutes(1),
  /** While the address is away what was read last goes on counting for so long: a client's outage is not made ours at once. */
  staleMs: hours(24),
  deadlineMs: seconds(5),
  bytes: 64 * 1_024,
} as const;

/** By a clock that only goes forward. */
export interface KeysKept {
  /** Undefined: never read. */
  readonly readAt: Milliseconds | undefined;
  /** Undefined: never tried. */
  readonly triedAt: Milliseconds | undefined;
}

/** `known`: the key that is asked for is among those that were read. */
export function decideKeys(
  { readAt, triedAt }: KeysKept,
  known: boolean,
  now: Instant,
): "use" | "fetch" | "away" {
  const { freshMs, pauseMs, staleMs } = publishedKeys;
  if (readAt !== undefined && now - readAt < freshMs && known) return "use";
  if (triedAt === undefined || now - triedAt >= pauseMs) return "fetch";
  return readAt !== undefined && now - readAt < staleMs ? "use" : "away";
}
