import { days, type Milliseconds, minutes, seconds } from "./instant.ts";

/** Lengths that the token path and the schedule share. The relations between them are stated where they are checked. */
export const timing = {
  /** A served token lives at least this long unless the caller asks otherwise. */
  defaultMinTtlMs: seconds(60),
  maxMinTtlMs: minutes(20),
  /** Callers are answered by then, come what may; the call to iManage goes on (design §3.6). */
  callerDeadlineMs: seconds(10),
  /** How long a caller with a usable token waits for a better one. */
  ageingWaitMs: seconds(2),
  providerDeadlineMs: seconds(60),
  leaseMs: seconds(15),
  leaseRenewalMs: seconds(5),
  /** Longer than any call to iManage takes: a refresh without an answer by then is given up by who waits for it (F25). */
  flightMaxMs: seconds(90),
  /** Between two refreshes that a rejected token caused (T34). */
  rejectedCoolDownMs: seconds(60),
  completionWindowMaxMs: seconds(60),
  /** What of a code's life is kept for the redemption itself. */
  completionMarginMs: seconds(5),
  authorizationRequestMs: minutes(10),
  connectSessionMs: minutes(15),
  /** How long it can be read how a connect session ended. */
  connectRecordMs: minutes(60),
  brokerTokenMs: minutes(5),
  pageSessionMs: minutes(30),
  operatorSessionMs: minutes(60),
  /** A client opens the portal while its person waits in front of it. */
  portalLinkMs: minutes(5),
  /** A sign-in to a page of ours that led to no binding is ended after this long. */
  unboundGrantMs: minutes(60),
} as const satisfies Record<string, Milliseconds>;

/** Inside the last fifth of its life a token that is in use is refreshed ahead, at most 5 minutes ahead. */
export const softMarginMs = (lifeMs: Milliseconds): Milliseconds => Math.min(lifeMs / 5, minutes(5));

/** Idle grants are kept alive weekly, never later than a quarter of the refresh token's life (design §3.8). */
export const keepAliveMs = (refreshTokenLifeMs: Milliseconds): Milliseconds =>
  Math.min(days(7), refreshTokenLifeMs / 4);

/** The keep-alive of one grant, with a jitter in [0, 1) that spreads those of a firm over a tenth of it. */
export const decideKeepAlive = (
  refreshTokenLifeMs: Milliseconds,
  twoRandomBytes: Uint8Array,
): { readonly keepAliveMs: Milliseconds; readonly jitter: number } => ({
  keepAliveMs: keepAliveMs(refreshTokenLifeMs),
  jitter: (twoRandomBytes[0]! * 256 + twoRandomBytes[1]!) / 65_536,
});

/** How long a code may wait for the client's *complete*: min(60 s, its life − 5 s) (design §3.5). */
export const completionWindowMs = (codeLifeMs: Milliseconds): Milliseconds =>
  Math.max(seconds(1), Math.min(timing.completionWindowMaxMs, codeLifeMs - timing.completionMarginMs));
