import { days, minutes } from "./instant.ts";

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
 * What one iManage server's REST API may be asked, by all replicas together (`store/lua/calls.lua`). Where iManage tells what
 * remains of a window, that counts; these say who may have it, and what holds where it tells nothing.
 */
export const callLimits = {
  /** Calls under way at once that nobody waits for, */
  backgroundCalls: 6,
  /** and of these the pages of long scans: a short one finds a place. */
  scanCalls: 4,
  /** More than these places can use at a real iManage: where it tells nothing, they are the bound and its own answers the pace. */
  callsPerSecond: 400,
  /** Of each window, for people and for callers who wait. */
  reserve: 0.2,
  /** Kept from long scans: the short ones may have what is between. */
  scanReserve: 0.3,
  /** Quick calls at once, after a time without: a small library is read as soon as its time has come. */
  quickBurst: 5,
  /** A call that has not ended by then has died with its process: twice the deadline of the slowest. */
  lifeMs: minutes(2),
} as const;

/**
 * Whose turn it is. `interactive`: somebody waits for the answer. `quick`: the first page of a pass, and whatever is asked for once.
 * `scan`: the pages behind the first.
 */
export type CallPriority = "interactive" | "quick" | "scan";

/**
 * Why a call of the REST API waits. `throttled`: iManage asked for time. `spent`: what remains of the window is kept for others.
 * `paced`: what remains is spread over the time that remains. `busy`: enough is under way.
 */
export type CallWait = "throttled" | "spent" | "paced" | "busy";

/**
 * Why nothing is sent to a server now.
 * `misconfigured`: it refuses our registration. `incident`: it refuses many grants at once, so it is to blame and not they.
 * `upstream`: five failures in a row. `throttled`: it asked for time, or the budget for retries is spent. `busy`: enough is
 * under way.
 */
export type GateReason = "misconfigured" | "incident" | "upstream" | "throttled" | "busy";
