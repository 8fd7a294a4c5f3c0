import type { ClientId, OrganisationId, ServerId } from "./id.ts";
import type { Instant, Milliseconds } from "./instant.ts";
import { type Hours, isOpen, nextClosing, nextOpening } from "./policy-hours.ts";
import { isInside } from "./policy-network.ts";
import type { Subject } from "./subject.ts";

/**
 * `configure`: reads, checks and changes an organisation's members and servers, and opens its pages for people. `audit`: reads
 * what was handed out and changed there, by any client. `contain`: stops tokens, lifts that, and sees what became of it. `events`: is told of what happens
 * to what its policy names.
 */
export const CLIENT_ACTIONS = [
  "token",
  "status",
  "connect",
  "revoke",
  "sync",
  "configure",
  "audit",
  "contain",
  "events",
] as const;
export type ClientAction = (typeof CLIENT_ACTIONS)[number];

/** What one client may do in one organisation. No policy: the organisation does not exist for that client. */
export interface Policy {
  readonly v: 1;
  readonly client: ClientId;
  readonly organisation: OrganisationId;
  /** What any of them allows is allowed; where several do, the limits of the first hold. */
  readonly rules: readonly PolicyRule[];
  /** Token requests a minute, and as many at once as a tenth of that (at least 20). */
  readonly tokensPerMinute: number;
  /** Different grants of which tokens are handed out within any sixty minutes. Missing: as many as there are (T33). */
  readonly grantsPerHour?: number;
}

export interface PolicyRule {
  /** Undefined: every server of the organisation. */
  readonly servers: readonly ServerId[] | undefined;
  readonly users: "all" | readonly UserName[];
  readonly libraries: "all" | readonly string[];
  readonly actions: readonly ClientAction[];
  /** The longest remaining life of a token that may be asked for. */
  readonly minTtlMaxMs?: Milliseconds;
  /** A token is told to live no longer than that, whatever iManage gave it: who keeps to it asks again, and is looked at again. */
  readonly toldLifeMaxMs?: Milliseconds;
  /** Where the client calls from: CIDR. */
  readonly networks?: readonly string[];
  readonly hours?: Hours;
  /** For tokens: the purpose that is given is one of these. */
  readonly purposes?: readonly string[];
  /** The rule is void from then on. */
  readonly validUntil?: Instant;
}

export interface UserName {
  readonly issuer: string;
  readonly id: string;
}

/** What somebody is about to do. Every part is named, so that none is forgotten. */
export interface PolicyRequest {
  readonly action: ClientAction;
  /** Undefined: at one server or another. */
  readonly server: ServerId | undefined;
  /** Undefined: for one or another. */
  readonly subject: Subject | undefined;
  /** Where the client calls from. Undefined: it does not call, the broker itself acts, or a person on its pages. */
  readonly address: string | undefined;
  readonly purpose?: string | undefined;
  /** As the client asked for it; undefined where it left it to us. */
  readonly minTtlMs?: Milliseconds | undefined;
}

/** In the order in which they are looked at: who knows nothing of a server is not told about its users. Time comes last. */
export const DENIALS = [
  "server",
  "action",
  "user",
  "library",
  "expired",
  "network",
  "purpose",
  "min_ttl",
  "hours",
] as const;
export type Denial = "no_policy" | (typeof DENIALS)[number];

export interface DenialReason {
  readonly because: Denial;
  /** Index of the rule that stands against it; undefined where there is none. */
  readonly rule: number | undefined;
  /** When this reason is gone by itself. */
  readonly until?: Instant;
}

export interface AllowedLimits {
  readonly minTtlMaxMs?: Milliseconds;
  /** A token is told to live no longer than until then. */
  readonly toldUntil?: Instant;
}

export type PolicyVerdict =
  | { readonly allowed: true; readonly rule: number; readonly limits: AllowedLimits }
  | {
      readonly allowed: false;
      /** Of the rule that comes nearest to allowing it. */
      readonly because: Denial;
      readonly rule: number | undefined;
      /** When the same request is allowed by itself. */
      readonly retryAt: Instant | undefined;
      /** What stands against it in every rule. */
      readonly reasons: readonly DenialReason[];
    };

/** A server that no list names: one that is yet to be made. */
export const UNLISTED_SERVER: ServerId = "srv_";

const NO_LIMITS: AllowedLimits = {};
const NOTHING: readonly Denial[] = [];

/** Default deny: everything that no rule names is refused. */
export function evaluatePolicy(
  policy: Policy | undefined,
  asked: PolicyRequest,
  now: Instant,
): PolicyVerdict {
  const rules = policy?.rules ?? [];
  const failures: (readonly Denial[])[] = [];
  for (let i = 0; i < rules.length; i++) {
    const against = whatStandsAgainst(rules[i]!, asked, now);
    if (against.length === 0) return { allowed: true, rule: i, limits: limitsOf(rules[i]!, now) };
    failures.push(against);
  }
  return denied(rules, failures, now);
}

function whatStandsAgainst(rule: PolicyRule, asked: PolicyRequest, now: Instant): readonly Denial[] {
  let against: Denial[] | undefined;
  const no = (denial: Denial) => {
    against ??= [];
    against.push(denial);
  };
  if (asked.server !== undefined && rule.servers !== undefined && !rule.servers.includes(asked.server))
    no("server");
  if (!rule.actions.includes(asked.action)) no("action");
  if (asked.subject !== undefined && !names(rule, asked.subject)) no(asked.subject.type);
  if (rule.validUntil !== undefined && rule.validUntil <= now) no("expired");
  if (rule.networks !== undefined && asked.address !== undefined && !isInside(rule.networks, asked.address))
    no("network");
  if (asked.action === "token") {
    if (rule.purposes !== undefined && !rule.purposes.includes(asked.purpose ?? "")) no("purpose");
    if (rule.minTtlMaxMs !== undefined && (asked.minTtlMs ?? 0) > rule.minTtlMaxMs) no("min_ttl");
  }
  if (rule.hours !== undefined && !isOpen(rule.hours, now)) no("hours");
  return against ?? NOTHING;
}

function names(rule: PolicyRule, subject: Subject): boolean {
  if (subject.type === "library") return rule.libraries === "all" || rule.libraries.includes(subject.id);
  return (
    rule.users === "all" ||
    rule.users.some(({ issuer, id }) => issuer === subject.issuer && id === subject.id)
  );
}

function limitsOf(rule: PolicyRule, now: Instant): AllowedLimits {
  const { minTtlMaxMs, toldLifeMaxMs, validUntil, hours } = rule;
  if (
    minTtlMaxMs === undefined &&
    toldLifeMaxMs === undefined &&
    validUntil === undefined &&
    hours === undefined
  ) {
    return NO_LIMITS;
  }
  const ends = [
    toldLifeMaxMs === undefined ? undefined : now + toldLifeMaxMs,
    validUntil,
    hours && nextClosing(hours, now),
  ].filter((end) => end !== undefined);
  return {
    ...(minTtlMaxMs !== undefined && { minTtlMaxMs }),
    ...(ends.length > 0 && { toldUntil: Math.min(...ends) }),
  };
}

function denied(
  rules: readonly PolicyRule[],
  failures: readonly (readonly Denial[])[],
  now: Instant,
): Extract<PolicyVerdict, { allowed: false }> {
  const reasons = failures.flatMap((against, rule): DenialReason[] =>
    against.map((because) => {
      const until = because === "hours" ? opensAgain(rules[rule]!, now) : undefined;
      return until === undefined ? { because, rule } : { because, rule, until };
    }),
  );
  let nearest: DenialReason | undefined;
  for (const [rule, against] of failures.entries()) {
    const first = reasons.find((one) => one.rule === rule && one.because === against[0]!)!;
    if (nearest === undefined || comesNearer(first, nearest)) nearest = first;
  }
  if (nearest === undefined) {
    const because = "no_policy";
    return {
      allowed: false,
      because,
      rule: undefined,
      retryAt: undefined,
      reasons: [{ because, rule: undefined }],
    };
  }
  return { allowed: false, because: nearest.because, rule: nearest.rule, retryAt: nearest.until, reasons };
}

/** A rule that is void before it opens again does not open again. */
function opensAgain({ hours, validUntil }: PolicyRule, now: Instant): Instant | undefined {
  const at = hours && nextOpening(hours, now);
  return at !== undefined && at < (validUntil ?? Number.POSITIVE_INFINITY) ? at : undefined;
}

/** Further down the list; of two that only wait, the one that waits less. */
function comesNearer(one: DenialReason, than: DenialReason): boolean {
  const rank = ({ because }: DenialReason) => (DENIALS as readonly Denial[]).indexOf(because);
  if (rank(one) !== rank(than)) return rank(one) > rank(than);
  return (one.until ?? Number.POSITIVE_INFINITY) < (than.until ?? Number.POSITIVE_INFINITY);
}
