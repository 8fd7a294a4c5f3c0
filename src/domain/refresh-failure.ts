import type { TokenAnswer } from "./grant.ts";
import { type Instant, type Milliseconds, minutes, seconds } from "./instant.ts";
import { type RotationProfile, survivesReuse } from "./server.ts";

/** What became of one call to a token endpoint, classed once, by consequence. */
export type TokenCallOutcome =
  /** A usable answer. */
  | { readonly kind: "answered"; readonly answer: TokenAnswer; readonly salvaged: boolean }
  /** The request never left: connection refused, DNS, TLS. Retry freely. */
  | { readonly kind: "not_sent"; readonly reason: string }
  /** It may have been acted upon. What was received before the cut may still hold tokens (`salvage`). */
  | { readonly kind: "unknown"; readonly reason: string; readonly elapsedMs: Milliseconds }
  | {
      readonly kind: "refused";
      readonly refusal: TokenRefusal;
      readonly status: number;
      readonly retryAfterMs: Milliseconds | undefined;
    };

export type TokenRefusal =
  /** `invalid_grant`: a candidate for a dead grant, believed only after three spread-out answers. */
  | "invalid_grant"
  /** `invalid_client`, `unauthorized_client`: our registration; no grant is to blame. */
  | "invalid_client"
  /** 403: at sign-in the code outlived *Work Token Grant Expiry* (C). */
  | "forbidden"
  /** 429. */
  | "throttled"
  /** 5xx, HTML, an empty or unreadable body: transient until proven otherwise (F03). */
  | "upstream"
  /** Any other well-formed OAuth error: our request or the server's configuration. */
  | "configuration";

export interface RefusalHistory {
  readonly count: number;
  readonly firstAt: Instant | undefined;
}

export type FailureClass = TokenRefusal | "not_sent" | "unknown";

/** What a failed refresh does to its grant. */
export interface FailureVerdict {
  /** What it was, for the server's gate. */
  readonly class: FailureClass;
  readonly state: "unchanged" | "suspect" | "reauthorization_required";
  /** Not before this long from now is iManage asked again for this grant. */
  readonly coolDownMs: Milliseconds;
  /** Kept as the grant's last problem. */
  readonly problem:
    | "reauthorization_required"
    | "client_secret_refused"
    | "imanage_unavailable"
    | "refresh_pending";
  /** The intent stays `sent`: what became of the refresh token is not known. */
  readonly outcomeUnknown: boolean;
}

/** Three refusals, the last at least two minutes after the first, end a grant; one answer never does (F04). */
const REFUSALS_TO_BELIEVE = 3;
const REFUSALS_SPREAD_MS = minutes(2);

/**
 * The table of failures, pure. Rows are tested one by one in `test/domain/refresh-failure.test.ts`.
 *
 * | what happened      | the grant                                    | asked again after |
 * |--------------------|----------------------------------------------|-------------------|
 * | not sent           | unchanged                                    | 1 s               |
 * | outcome unknown    | unchanged, intent stays `sent`               | at once where reuse is survived, else the provider deadline |
 * | invalid_grant      | suspect, the third after 2 min ends it       | 61 s              |
 * | invalid_client     | unchanged; the registration is at fault      | 1 s: the server's gate says when |
 * | throttled          | unchanged                                    | Retry-After, 1 s to 1 h |
 * | forbidden, configuration | unchanged                              | 60 s              |
 * | upstream           | unchanged                                    | 2 s               |
 *
 * A gateway's 502 or 504 is *upstream* and not *outcome unknown*, although the server behind it may have rotated: if it has,
 * a strict server has lost the grant whether it is asked again in two seconds or in a minute, and if it has not, waiting a
 * minute is an outage of our own making.
 */
export function judgeRefreshFailure(
  outcome: Exclude<TokenCallOutcome, { kind: "answered" }>,
  history: RefusalHistory,
  now: Instant,
  rotation: RotationProfile,
  providerDeadlineMs: Milliseconds,
): FailureVerdict {
  const verdict = (coolDownMs: Milliseconds, change: Partial<FailureVerdict> = {}): FailureVerdict => ({
    class: outcome.kind === "refused" ? outcome.refusal : outcome.kind,
    state: "unchanged",
    coolDownMs,
    problem: "imanage_unavailable",
    outcomeUnknown: false,
    ...change,
  });

  switch (outcome.kind) {
    case "not_sent":
      return verdict(seconds(1));
    case "unknown":
      return verdict(survivesReuse(rotation) ? 0 : Math.max(0, providerDeadlineMs - outcome.elapsedMs), {
        outcomeUnknown: true,
        problem: "refresh_pending",
      });
    case "refused":
      break;
  }
  switch (outcome.refusal) {
    case "invalid_grant": {
      const believed =
        history.count + 1 >= REFUSALS_TO_BELIEVE &&
        history.firstAt !== undefined &&
        now - history.firstAt >= REFUSALS_SPREAD_MS;
      return verdict(seconds(61), {
        state: believed ? "reauthorization_required" : "suspect",
        problem: "reauthorization_required",
      });
    }
    case "invalid_client":
      return verdict(seconds(1), { problem: "client_secret_refused" });
    case "throttled":
      return verdict(clamp(outcome.retryAfterMs ?? seconds(5), seconds(1), minutes(60)));
    case "forbidden":
    case "configuration":
      return verdict(seconds(60));
    case "upstream":
      return verdict(clamp(outcome.retryAfterMs ?? seconds(2), seconds(1), minutes(60)));
  }
}

const clamp = (n: number, low: number, high: number): number => Math.min(high, Math.max(low, n));
