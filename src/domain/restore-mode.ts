import type { Instant } from "./instant.ts";

/**
 * A journal's records were put back to an earlier state, by an operator or without anybody having said so. Until an operator has
 * seen what is stale, nobody spends a refresh token of it (F33).
 */
export interface RestoreMode {
  readonly since: Instant;
  readonly why: "restored" | "went_back";
  /** Number of the newest entry of the audit that the store knew as it was noticed: what came later may be lost here. */
  readonly from: number;
  /** Its audit goes on behind the last entry that was exported, so numbers are given once. Until then nothing is exported. */
  readonly adopted: boolean;
}

export function readRestoreMode(text: string): RestoreMode {
  const { since, why, from, adopted } = JSON.parse(text) as Partial<Record<keyof RestoreMode, unknown>>;
  return {
    since: Number(since),
    why: why === "went_back" ? "went_back" : "restored",
    from: Number(from),
    adopted: adopted === true,
  };
}

export const RESTORE_WORDS = {
  restored: "was restored from a backup",
  went_back:
    "is older than what was known of it: its Redis lost what it had acknowledged, or an older copy was put in its place",
} as const satisfies Record<RestoreMode["why"], string>;
