import type { ServerId } from "./id.ts";
import type { Instant, Milliseconds } from "./instant.ts";
import {
  type Denial,
  evaluatePolicy,
  type Policy,
  type PolicyRequest,
  type PolicyVerdict,
} from "./policy.ts";
import { isInside } from "./policy-network.ts";
import { DENIAL_TEXTS } from "./policy-texts.en.ts";
import { Problem } from "./problem.ts";

/** What a client may not even know of is answered like what is not there. */
export const isInvisible = (because: Denial): boolean => because === "no_policy" || because === "server";

/** What a client is told whom its policy refuses: whose it is to change, and nothing of what lies behind it. */
export function refusalOf(verdict: Extract<PolicyVerdict, { allowed: false }>, now: Instant): Problem {
  const { because, retryAt } = verdict;
  if (isInvisible(because)) return new Problem("not_found");
  return notAllowed(because, retryAt === undefined ? undefined : retryAt - now);
}

function notAllowed(because: Denial, retryAfterMs?: Milliseconds): Problem {
  const { sentence, remedy, action } = DENIAL_TEXTS[because];
  return new Problem("not_allowed", {
    detail: sentence,
    members: { reason: because },
    instead: { remedy, action },
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** @throws Problem not_found | not_allowed */
export function mustAllow(
  policy: Policy | undefined,
  asked: PolicyRequest,
  now: Instant,
): Extract<PolicyVerdict, { allowed: true }> {
  const verdict = evaluatePolicy(policy, asked, now);
  if (!verdict.allowed) throw refusalOf(verdict, now);
  return verdict;
}

/**
 * Whether a client that calls from there is told anything of an organisation, or of a server in it; otherwise what it is told
 * in its place. Whatever the action: a rule that names it is enough.
 */
export function isSeenFrom(
  policy: Policy | undefined,
  server: ServerId | undefined,
  address: string,
): Problem | undefined {
  const naming = (policy?.rules ?? []).filter(
    ({ servers }) => server === undefined || servers === undefined || servers.includes(server),
  );
  if (naming.length === 0) return new Problem("not_found");
  const reached = naming.some(({ networks }) => networks === undefined || isInside(networks, address));
  return reached ? undefined : notAllowed("network");
}
