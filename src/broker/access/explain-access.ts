import {
  ACCESS_CHECKS,
  type AccessCheck,
  type CheckOutcome,
  outcomesOf,
} from "../../domain/access-checks.ts";
import type { ClientId, OrganisationId, ServerId } from "../../domain/id.ts";
import type { Instant, Milliseconds } from "../../domain/instant.ts";
import { isMember } from "../../domain/members.ts";
import type { Organisation } from "../../domain/organisation.ts";
import {
  type ClientAction,
  evaluatePolicy,
  type Policy,
  type PolicyRule,
  type PolicyVerdict,
} from "../../domain/policy.ts";
import { isSeenFrom, refusalOf } from "../../domain/policy-refusal.ts";
import { Problem } from "../../domain/problem.ts";
import type { Subject } from "../../domain/subject.ts";
import type { ServerDirectory } from "../authorization/ports.ts";
import type { Caller, ClientStore } from "../clients/ports.ts";
import type { Stops } from "../containment/ports.ts";
import type { AuditNote, Clock } from "../ports.ts";
import type { AccessStore, Rehearsal } from "./ports.ts";
import { minTtlOf, refusalOfVend } from "./provide-access-token.ts";

export interface ExplainPorts {
  readonly clock: Pick<Clock, "now">;
  /** As whoever lets clients in sees them: one that is contained everywhere is stopped. */
  readonly clients: Pick<ClientStore, "findPolicy" | "findStanding">;
  readonly stops: Stops;
  readonly organisations: { findOrganisation(id: OrganisationId): Promise<Organisation | undefined> };
  readonly servers: Pick<ServerDirectory, "findServer">;
  readonly access: Pick<AccessStore, "rehearse">;
}

/** A request that somebody makes, or might make. */
export interface AskedAccess {
  readonly client: ClientId;
  readonly organisation: OrganisationId;
  readonly server: ServerId | undefined;
  readonly action: ClientAction;
  readonly subject: Subject | undefined;
  readonly purpose: string | undefined;
  readonly minTtlMs: Milliseconds | undefined;
  /** Undefined: the network is not looked at. */
  readonly address: string | undefined;
  /** For the policy alone: everything else is as it is now. Undefined: now. */
  readonly at: Instant | undefined;
  readonly note: AuditNote;
}

export interface Explanation {
  readonly at: Instant;
  /** As far as the broker can tell: iManage has not been asked. */
  readonly allowed: boolean;
  readonly verdict: PolicyVerdict;
  /** The rule that allows it, or comes nearest to allowing it, as the policy numbers it from 1. */
  readonly rule: { readonly number: number; readonly rule: PolicyRule } | undefined;
  /** In the order in which a request meets them; the first that fails is what it is answered. */
  readonly checks: readonly CheckOutcome[];
  readonly problem: Problem | undefined;
  readonly limits: LimitsLeft | undefined;
  /** A refresh would come first. */
  readonly refreshesFirst: boolean;
}

export interface LimitsLeft {
  readonly tokensPerMinute: number;
  readonly grantsPerHour: number | undefined;
  readonly minTtlMaxMs: Milliseconds | undefined;
  /** A token is told to live no longer than until then. */
  readonly toldUntil: Instant | undefined;
  /** Undefined where nothing was asked that would be counted. */
  readonly left: { readonly tokens: number; readonly grants: number | undefined } | undefined;
}

/**
 * Whether a client may ask about itself in an organisation, or at a server: where it is neither named for it nor calls from
 * where it may, it learns nothing, like anywhere else.
 * @throws Problem not_found | not_allowed
 */
export async function mayAskAboutItself(
  ports: ExplainPorts,
  { client, address }: Caller,
  organisation: OrganisationId,
  server: ServerId | undefined,
): Promise<void> {
  const { policy } = await ports.clients.findPolicy(client, organisation);
  const refused = isSeenFrom(policy, server, address);
  if (refused !== undefined) throw refused;
}

/** Why this request is allowed, or is not: told by the very checks that it would meet. */
export async function explainAccess(ports: ExplainPorts, asked: AskedAccess): Promise<Explanation> {
  const { client, organisation, server, action, subject, address, purpose, minTtlMs } = asked;
  const firm = await ports.organisations.findOrganisation(organisation);
  const known = server === undefined || (await ports.servers.findServer(server)) !== undefined;
  const standing = await ports.clients.findStanding(client);
  if (firm === undefined || !known || standing === undefined) throw new Problem("not_found");

  for (let stale = 0; ; stale++) {
    const { policy, generation, mark } = await ports.clients.findPolicy(client, organisation);
    const at = asked.at ?? ports.clock.now();
    const request = { action, server, subject, address, purpose, minTtlMs };
    const verdict = evaluatePolicy(policy, request, at);
    const told = { at, verdict, rule: ruleOf(policy, verdict) };
    if (standing.state !== "active") {
      const refused = failed("client", new Problem("invalid_client", KEPT_OUT), CHECKS_OF[action]);
      return { ...told, ...refused, limits: limitsOf(policy, verdict) };
    }
    if (!verdict.allowed) {
      const refused = failed("policy", refusalOf(verdict, at), CHECKS_OF[action]);
      return { ...told, ...refused, limits: limitsOf(policy, verdict) };
    }
    if (CHECKS_OF[action] !== ACCESS_CHECKS || server === undefined || subject === undefined) {
      const rest = ofFirm(asked, firm) ?? (await ofStops(ports, asked));
      return { ...told, ...rest, limits: limitsOf(policy, verdict) };
    }
    const rehearsal = await ports.access.rehearse({
      ...{ organisation, server, client, subject, note: asked.note },
      ...{ policyGeneration: generation, policyMark: mark, tokensPerMinute: policy!.tokensPerMinute },
      grantsPerHour: action === "sync" ? undefined : policy!.grantsPerHour,
      minTtlMs: minTtlOf(minTtlMs, verdict.limits),
      ...{ rejected: undefined, countsForRate: true, mayWait: true },
    });
    if (rehearsal.answer.kind === "policy_changed" && stale < 3) continue;
    return { ...told, ...ofRehearsal(rehearsal), limits: limitsOf(policy, verdict, rehearsal) };
  }
}

const KEPT_OUT = {
  instead: {
    remedy: "operator",
    action: "The operator starts the client again, or lifts the containment that stops it everywhere.",
  },
} as const;

/** Whatever takes no token is the policy's alone, but for sign-ins: those are for members of a firm that wants them. */
const CHECKS_OF: Readonly<Record<ClientAction, readonly AccessCheck[]>> = {
  token: ACCESS_CHECKS,
  sync: ACCESS_CHECKS,
  connect: ["client", "policy", "organisation", "members", "containment"],
  status: ["client", "policy"],
  revoke: ["client", "policy"],
  configure: ["client", "policy"],
  contain: ["client", "policy"],
  audit: ["client", "policy"],
  events: ["client", "policy", "containment"],
};

const failed = (check: AccessCheck, problem: Problem, checks: readonly AccessCheck[] = ACCESS_CHECKS) => ({
  ...{ allowed: false, checks: outcomesOf(checks, check), problem, refreshesFirst: false },
});

const passed = (checks: readonly AccessCheck[], refreshesFirst = false) => ({
  ...{ allowed: true, checks: outcomesOf(checks, undefined), problem: undefined, refreshesFirst },
});

/** What of it can be told without asking for a certain token; undefined where nothing of the firm is against it. */
function ofFirm({ action, subject }: AskedAccess, { enabled, members }: Organisation) {
  const checks = CHECKS_OF[action];
  if (!checks.includes("organisation")) return passed(checks);
  if (!enabled) return failed("organisation", new Problem("organisation_disabled"), checks);
  return subject?.type !== "user" || isMember(members, { id: subject.id, claims: subject.claims ?? [] })
    ? undefined
    : failed("members", new Problem("not_a_member"), checks);
}

async function ofStops(
  { stops }: ExplainPorts,
  { action, organisation, client, server, subject }: AskedAccess,
): Promise<Omit<Explanation, "at" | "verdict" | "rule" | "limits">> {
  const user = subject?.type === "user" ? subject : undefined;
  const library = subject?.type === "library" ? subject.id : undefined;
  const stop = await stops.findStop(organisation, { client, server, subject: user, library });
  // Of whom it is not said, it is not told whether he is a member.
  const checks = CHECKS_OF[action].filter((check) => check !== "members" || user !== undefined);
  return stop === undefined
    ? passed(checks.filter((check) => TELLABLE.includes(check)))
    : failed("containment", new Problem("contained", { members: { containment: stop } }), checks);
}

/** What can be told of a request for a token without a subject: the rest looks at an authorization. */
const TELLABLE: readonly AccessCheck[] = ["client", "policy", "organisation", "members", "containment"];

function ofRehearsal({ answer }: Rehearsal) {
  switch (answer.kind) {
    case "would_serve":
      return passed(ACCESS_CHECKS);
    // Whoever waits a moment is served what there is.
    case "ageing":
      return passed(ACCESS_CHECKS, true);
    case "stale":
    case "rejected":
      return passed(ACCESS_CHECKS, true);
    default:
      return failed(CHECK_OF[answer.kind], refusalOfVend(answer));
  }
}

const CHECK_OF = {
  disabled: "organisation",
  restoring: "organisation",
  not_a_member: "members",
  contained: "containment",
  rate_limited: "rate",
  unbound: "authorization",
  state: "authorization",
  parked: "authorization",
  rejected_again: "authorization",
  budget_exceeded: "budget",
  audit_backlog: "audit",
  policy_changed: "policy",
} as const satisfies Record<
  Exclude<Rehearsal["answer"]["kind"], "would_serve" | "ageing" | "stale" | "rejected">,
  AccessCheck
>;

function ruleOf(policy: Policy | undefined, { rule: at }: PolicyVerdict): Explanation["rule"] {
  const rule = at === undefined ? undefined : policy?.rules[at];
  return at === undefined || rule === undefined ? undefined : { number: at + 1, rule };
}

function limitsOf(
  policy: Policy | undefined,
  verdict: PolicyVerdict,
  rehearsal?: Rehearsal,
): LimitsLeft | undefined {
  if (policy === undefined) return;
  const { tokensPerMinute, grantsPerHour } = policy;
  const { minTtlMaxMs, toldUntil } = verdict.allowed ? verdict.limits : {};
  const left = rehearsal && {
    tokens: rehearsal.tokensLeft,
    grants: grantsPerHour === undefined ? undefined : Math.max(0, grantsPerHour - rehearsal.grantsHad),
  };
  return { tokensPerMinute, grantsPerHour, minTtlMaxMs, toldUntil, left };
}
