import { type Instant, type Milliseconds, minutes, seconds } from "./instant.ts";
import type { KeyOwner } from "./sealed.ts";

/**
 * An owner's data key on its way to the next: the new one is added, every process comes to know it, it seals, what the old
 * ones sealed is sealed anew, and only when nothing names them any more they go (design §5). Both open all the while (F40).
 */
export interface DataKeyRotation {
  readonly v: 1;
  readonly owner: KeyOwner;
  readonly phase: "spreading" | "resealing" | "done";
  /** The data key that takes over, and those whose place it takes. */
  readonly to: string;
  readonly from: readonly string[];
  readonly startedAt: Instant;
  readonly startedBy: string;
  readonly promotedAt: Instant | undefined;
  readonly endedAt: Instant | undefined;
  /** Secrets sealed anew so far. */
  readonly resealed: number;
  readonly passes: number;
  /** The look at every record that is under way. */
  readonly pass: ResealPass | undefined;
  /** The last one that came to its end. */
  readonly last: (PassCount & { readonly startedAt: Instant; readonly endedAt: Instant }) | undefined;
}

export interface ResealPass extends PassCount {
  readonly startedAt: Instant;
  /** Where to go on. */
  readonly position: string;
  /** Which life of which Redis the position belongs to: in another it means nothing. */
  readonly store: string;
}

/** What a pass met that still names an old data key. */
export interface PassCount {
  /** Sealed anew, or replaced by somebody else's newer secret at that moment. */
  readonly resealed: number;
  /** Ends by itself: sign-ins under way, what an admin may do. */
  readonly fleeting: number;
  /** Was left for the next pass: just stored, or its record was being changed. */
  readonly later: number;
  /** Does not open in its place: altered, or its server's token endpoint is another by now. It holds the old key back. */
  readonly unreadable: number;
  /** Where a secret lies that nobody seals anew: a defect of ours. It holds the old key back. */
  readonly unknown: number;
  /** The first place that holds the old key back, by its record's id. */
  readonly example: string | undefined;
}

export const nothingMet: PassCount = {
  resealed: 0,
  fleeting: 0,
  later: 0,
  unreadable: 0,
  unknown: 0,
  example: undefined,
};

/** How many secrets still named an old data key. */
export const metIn = (count: PassCount): number =>
  count.resealed + count.fleeting + count.later + count.unreadable + count.unknown;

export interface RotationTiming {
  /** Until every process knows a key: longer than a process goes on with keys that it has read. */
  readonly knownAfterMs: Milliseconds;
  /**
   * Until no process can still write what it sealed before: sign-ins under way end, and so does the time for which a process
   * offers its commits to a Redis that has lost them (ten minutes), while a refresh may be waiting for its Redis.
   */
  readonly keptAfterMs: Milliseconds;
  /** Between two passes, and where there is nothing to do but wait. */
  readonly againMs: Milliseconds;
}

export const rotationTiming: RotationTiming = {
  knownAfterMs: seconds(65),
  keptAfterMs: minutes(45),
  againMs: seconds(20),
};

export type RotationStep =
  | { readonly kind: "wait"; readonly untilAt: Instant }
  | { readonly kind: "promote" }
  | { readonly kind: "pass" }
  | { readonly kind: "retire" }
  | { readonly kind: "none" };

/** What is to be done now. */
export function nextRotationStep(
  { phase, startedAt, promotedAt, pass, last }: DataKeyRotation,
  now: Instant,
  timing: RotationTiming = rotationTiming,
): RotationStep {
  const waitFor = (at: Instant, then: RotationStep): RotationStep =>
    now < at ? { kind: "wait", untilAt: at } : then;
  if (phase === "done") return { kind: "none" };
  if (phase === "spreading") return waitFor(startedAt + timing.knownAfterMs, { kind: "promote" });
  if (pass !== undefined || last === undefined) return { kind: "pass" };
  const keptUntil = promotedAt! + timing.keptAfterMs;
  if (metIn(last) > 0) return waitFor(last.endedAt + timing.againMs, { kind: "pass" });
  // What was looked for too early was looked for in vain: somebody may have written since.
  return last.startedAt < keptUntil ? waitFor(keptUntil, { kind: "pass" }) : { kind: "retire" };
}
