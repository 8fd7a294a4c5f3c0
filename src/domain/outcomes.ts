import { PROBLEMS, type ProblemCode } from "./problem-catalogue.ts";
import type { FailureClass } from "./refresh-failure.ts";

/**
 * Whose doing it is that something did not come out, and so who must act. `client`: who asked. `owner`: the one whose
 * authorization it is. `operator`: whoever runs the broker, or administers iManage's application. `imanage`: it does not
 * answer as it should. `broker`: we, or our Redis.
 */
export type Fault = "none" | "client" | "owner" | "operator" | "imanage" | "broker";

/** How one refresh ended that was begun: every one ends in exactly one of these. */
export type RefreshEnd =
  /** A usable access token is stored. */
  | "refreshed"
  /** The same, out of an answer that was cut or damaged. */
  | "salvaged"
  /** What came back holds a refresh token and no access token: another refresh follows. */
  | "without_access_token"
  /** Another attempt came to its end first: nothing of this one counts. */
  | "overtaken"
  /** Refused like many others at the same moment: put down to the server (F05). */
  | "refused_with_many"
  /** The refusal that is believed: its owner must authorize again. */
  | "ended"
  /** The lease was lost before anything left. */
  | "given_up"
  /** Our Redis could not be asked, or ours is the mistake; nothing more is known of it. */
  | "store_unavailable"
  | "internal_error"
  | FailureClass;

/**
 * The taxonomy: whose doing each end is. What is `owner`'s counts for no service level: nobody can refresh what a person
 * has taken back.
 */
export const REFRESH_ENDS: Readonly<Record<RefreshEnd, Fault>> = {
  refreshed: "none",
  salvaged: "none",
  without_access_token: "imanage",
  overtaken: "none",
  given_up: "none",
  invalid_grant: "owner",
  ended: "owner",
  refused_with_many: "imanage",
  invalid_client: "operator",
  forbidden: "operator",
  configuration: "operator",
  throttled: "imanage",
  upstream: "imanage",
  not_sent: "imanage",
  unknown: "imanage",
  store_unavailable: "broker",
  internal_error: "broker",
};

/** Why a refresh that was wanted was not begun yet. */
export const HELD_BACK = [
  "held",
  "cooling",
  "busy",
  "throttled",
  "upstream",
  "incident",
  "misconfigured",
] as const;
export type HeldBack = (typeof HELD_BACK)[number];

/** How a request for an access token was answered: with one, or with which problem. */
export type TokenResult = "served" | "served_after_refresh" | "served_with_warning" | TokenProblem;

/** What a request for a token ends in where it is not answered with one: what its routes promise is this. */
export const ACCESS_TOKEN_PROBLEMS = [
  "not_found",
  "not_allowed",
  "rate_limited",
  "grant_budget_exceeded",
  "authorization_required",
  "reauthorization_required",
  "library_role_lost",
  "library_gone",
  "user_not_in_access",
  "contained",
  "organisation_disabled",
  "not_a_member",
  "grant_paused",
  "client_secret_refused",
  "token_rejected_again",
  "refresh_pending",
  "imanage_unavailable",
  "audit_backlog",
  "restoring",
] as const satisfies readonly ProblemCode[];

/** With what any request may end in. What is none of them is counted as `other`. */
const TOKEN_PROBLEMS = [
  ...ACCESS_TOKEN_PROBLEMS,
  "store_unavailable",
  "integrity_failure",
  "internal_error",
] as const satisfies readonly ProblemCode[];
type TokenProblem = (typeof TOKEN_PROBLEMS)[number] | "other";

/** Where the remedy does not say whose doing it is: time mends what iManage and what we did. */
const FAULTS: Partial<Record<ProblemCode, Fault>> = {
  // iManage's own word on a token that it was handed, twice.
  token_rejected_again: "imanage",
  imanage_unavailable: "imanage",
  refresh_pending: "imanage",
  audit_backlog: "broker",
  store_unavailable: "broker",
  integrity_failure: "broker",
  internal_error: "broker",
  // On purpose: an operator stopped it, or a limit that he set.
  contained: "client",
  organisation_disabled: "client",
  grant_paused: "client",
  not_a_member: "client",
  rate_limited: "client",
  grant_budget_exceeded: "client",
  not_allowed: "client",
  not_found: "client",
};

const faultOf = (code: ProblemCode): Fault => {
  const { remedy } = PROBLEMS[code];
  return (
    FAULTS[code] ?? (remedy === "resource-owner" ? "owner" : remedy === "operator" ? "operator" : "client")
  );
};

export const TOKEN_RESULTS: Readonly<Record<TokenResult, Fault>> = {
  served: "none",
  served_after_refresh: "none",
  served_with_warning: "none",
  ...(Object.fromEntries(TOKEN_PROBLEMS.map((code) => [code, faultOf(code)])) as Record<
    (typeof TOKEN_PROBLEMS)[number],
    Fault
  >),
  other: "broker",
};

export const tokenResultOf = (code: string): TokenResult =>
  Object.hasOwn(TOKEN_RESULTS, code) ? (code as TokenResult) : "other";
