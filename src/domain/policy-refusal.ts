import type { Instant } from "./instant.ts";
import {
  type Denial,
  evaluatePolicy,
  type Policy,
  type PolicyRequest,
  type PolicyVerdict,
} from "./policy.ts";
import { DENIAL_TEXTS } from "./policy-texts.en.ts";
import { Problem } from "./problem.ts";

/** What a client may not even know of is answered like what is not there. */
export const isInvisible = (because: Denial): boolean => because === "no_policy" || because === "server";

/** What a client is told whom its policy refuses: whose it is to change, and nothing of what lies behind it. */
export function refusalOf(verdict: Extract<PolicyVerdict, { allowed: false }>, now: Instant): Problem {
  const { because, retryAt } = verdict;
  if (isInvisible(because)) return new Problem("not_found");
  const { sentence, remedy, action } = DENIAL_TEXTS[because];
  return new Problem("not_allowed", {
    detail: sentence,
    members: { reason: because },
    instead: { remedy, action },
    ...(retryAt !== undefined && { retryAfterMs: retryAt - now }),
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
