import { hours, type Instant, type Milliseconds, minutes } from "./instant.ts";
import type { ProblemCode } from "./problem-catalogue.ts";

/** Why a library is parked although its owner's authorisation lives. */
export type LibraryFault = "role_lost" | "library_gone" | "not_in_access";

/** What whoever asks for a token of a parked library is answered. */
export const LIBRARY_FAULT_PROBLEMS = {
  role_lost: "library_role_lost",
  library_gone: "library_gone",
  not_in_access: "user_not_in_access",
} as const satisfies Record<LibraryFault, ProblemCode>;

/** What one look at the owner's access to a library said. */
export type LibraryLook =
  | { readonly kind: "administers" }
  | { readonly kind: "bad"; readonly fault: LibraryFault }
  /**
   * The owner's own authorisation has ended, and a colleague's look says whether iManage knows him still.
   * `there`: it does, and does not say whether he may sign in.
   */
  | { readonly kind: "account"; readonly account: "there" | "unknown" }
  /** iManage did not answer, or asked for time: nothing was learned. */
  | { readonly kind: "nothing"; readonly retryAfterMs?: Milliseconds };

/** What repeated looks have said. */
export interface LibraryStanding {
  /** When somebody last looked, whatever came of it. */
  readonly triedAt: Instant;
  /** When iManage last answered. */
  readonly checkedAt: Instant | undefined;
  readonly dueAt: Instant;
  /** The bad news of the last answer; undefined: he administers the library. */
  readonly fault: LibraryFault | undefined;
  /** When it was first seen. */
  readonly since: Instant | undefined;
  /** When it was seen again and so believed: since then tokens are refused. */
  readonly believedAt: Instant | undefined;
  readonly account: "there" | "unknown" | undefined;
}

export const standingTiming = {
  /** On the cloud a role changes within eight hours (facts page, C): a quarter of that is soon enough. */
  everyMs: hours(2),
  /** Bad news is believed when it is seen again, and not before so long. */
  believeMs: minutes(5),
  /** Whoever got his role back waits at most so long, once iManage says it. */
  mendedMs: minutes(10),
  /** Without an answer it is tried again after so long. */
  retryMs: minutes(10),
  /** A refresh that failed is a reason to look at once, but not twice within so long. */
  afterFailureMs: minutes(1),
} as const satisfies Record<string, Milliseconds>;

/** @param jitter in [0, 1): spreads the looks of a firm. */
export function nextStanding(
  before: LibraryStanding | undefined,
  look: LibraryLook,
  now: Instant,
  jitter: number,
): LibraryStanding {
  const { everyMs, believeMs, mendedMs, retryMs } = standingTiming;
  const seen = { triedAt: now, checkedAt: now, account: undefined };
  switch (look.kind) {
    case "nothing":
      return {
        fault: undefined,
        since: undefined,
        believedAt: undefined,
        checkedAt: undefined,
        account: undefined,
        ...before,
        triedAt: now,
        dueAt: now + Math.max(retryMs, look.retryAfterMs ?? 0),
      };
    case "account":
      return {
        ...nextStanding(before, { kind: "nothing" }, now, jitter),
        account: look.account,
        dueAt: now + everyMs,
      };
    case "administers":
      return {
        ...seen,
        dueAt: now + everyMs * (1 - jitter / 10),
        fault: undefined,
        since: undefined,
        believedAt: undefined,
      };
    case "bad": {
      // Another fault than before is news, which has to be seen twice itself; what is parked stays so meanwhile.
      const same = before?.fault === look.fault;
      const since = same ? (before.since ?? now) : now;
      const believedAt = before?.believedAt ?? (same && now - since >= believeMs ? now : undefined);
      return {
        ...seen,
        dueAt: now + (believedAt === undefined ? believeMs : mendedMs),
        fault: look.fault,
        since,
        believedAt,
      };
    }
  }
}

/**
 * Is it time to look? By the schedule; and where a refresh has failed since the last look, whatever the schedule says.
 * @param spread in [0, 1), the same for a library each time: a firm's libraries that were lent at once are not looked at at once
 */
export function isStandingDue(
  standing: LibraryStanding | undefined,
  lent: { readonly since: Instant; readonly failedAt: Instant | undefined },
  now: Instant,
  spread: number,
): boolean {
  const { everyMs, afterFailureMs } = standingTiming;
  const dueAt = standing?.dueAt ?? lent.since + everyMs * spread;
  if (dueAt <= now) return true;
  const looked = standing?.triedAt ?? lent.since;
  return lent.failedAt !== undefined && lent.failedAt > looked && now - looked >= afterFailureMs;
}

/** The parked library's fault; undefined: tokens flow. */
export const parkedBy = (standing: LibraryStanding | undefined): LibraryFault | undefined =>
  standing?.believedAt === undefined ? undefined : standing.fault;

/** In [0, 1), the same for the same name each time: FNV-1a, then mixed, since names differ in their last letters. */
export function spreadOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
