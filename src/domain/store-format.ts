import type { Instant } from "./instant.ts";

/**
 * Format of the records that this version writes. A version reads its own format and the one before, and each record says which
 * it has (`v`). It grows by one with the first record that the version before could not read; a field that a reader
 * may lack is no new format.
 */
export const STORE_FORMAT = 1;

/** The newest format that may lie in a store: whoever does not read that one stays away from it. */
export interface StoreMark {
  readonly format: number;
  readonly since: Instant;
  /** Version of the product that put it there. */
  readonly by: string;
}

/** A process at work on a store, as it was last heard of. */
export interface SeenProcess {
  readonly id: string;
  /** `http`, `worker`, or both. */
  readonly roles: readonly string[];
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  /** The newest format that it reads. */
  readonly reads: number;
  readonly startedAt: Instant;
  readonly seenAt: Instant;
}

export type StoreFit = "unmarked" | "same" | "older" | "too_old" | "newer";

/** What a process that reads `reads`, and the format before, is to this store. */
export function fitOf(mark: Pick<StoreMark, "format"> | undefined, reads: number = STORE_FORMAT): StoreFit {
  if (mark === undefined) return "unmarked";
  if (mark.format > reads) return "newer";
  if (mark.format === reads) return "same";
  return mark.format === reads - 1 ? "older" : "too_old";
}
