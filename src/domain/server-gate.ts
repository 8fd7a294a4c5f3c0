import { days } from "./instant.ts";

/**
 * What one iManage server may be asked, by all replicas together. The gate itself is `store/lua/gate.lua`, because it has
 * to be atomic with the lease; these are the numbers it is given. iManage publishes none (facts page), so they are modest:
 * a firm's users must never notice us.
 */
export const serverLimits = {
  /**
   * Refreshes under way at once. Where iManage answers in 50 ms these are 160 a second, so that the rate below is the bound;
   * in 250 ms, 32 a second, about what two thousand users ask for who come within a minute (F36). Slower, and they wait.
   */
  concurrency: 8,
  /** Of which refreshes that nobody waits for may use: interactive work never stands behind them. */
  backgroundConcurrency: 6,
  callsPerSecond: 100,
  burst: 100,
  /** Retries after an answer that may have been lost; a tenth comes back with every success. */
  retryTokens: 10,
  /** A grant that nobody has used for so long is no longer kept alive; whoever asks again revives it. */
  lapseMs: days(180),
  lapseWarningMs: days(14),
} as const;

/**
 * Why nothing is sent to a server now.
 * `misconfigured`: it refuses our registration. `incident`: it refuses many grants at once, so it is to blame and not they.
 * `upstream`: five failures in a row. `throttled`: it asked for time, or the budget for retries is spent. `busy`: enough is
 * under way.
 */
export type GateReason = "misconfigured" | "incident" | "upstream" | "throttled" | "busy";
