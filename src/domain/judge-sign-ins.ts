import type { Judged } from "./diagnosis-finding.ts";
import type { FailedSignIn, GrantsSeen, SignInsSeen } from "./diagnosis-seen.ts";
import { days, type Instant, minutes, seconds } from "./instant.ts";
import type { ProblemCode } from "./problem-catalogue.ts";
import type { Server } from "./server.ts";
import type { LearnedProfile } from "./server-profile.ts";

/** What the sign-ins of the past tell. Nobody is signed in for a diagnosis: a consent may end an earlier one (facts page, ?). */
export interface PastSeen {
  readonly signIns: SignInsSeen;
  readonly grants: GrantsSeen;
  readonly profile: Pick<LearnedProfile, "codeLifeMs">;
}

/** *Work Token Grant Expiry*: below this, vendors see 403 (facts page, C). */
export const CODE_LIFE_LEAST_MS = seconds(30);
/** So long a person may stand at iManage's sign-in page before it looks as if he got no further. */
const AT_THE_DOOR_MS = minutes(3);
const RENEW_SOON_MS = days(14);

/** The last sign-in, where it failed and none was good since. */
const lastFailed = ({ good, failed }: SignInsSeen): FailedSignIn | undefined =>
  failed !== undefined && (good === undefined || failed.at > good.at) ? failed : undefined;

const failedWith = (seen: PastSeen, code: ProblemCode): FailedSignIn | undefined => {
  const failed = lastFailed(seen.signIns);
  return failed?.code === code ? failed : undefined;
};

const factsOf = ({ at, requestId = "" }: FailedSignIn) => ({ at, request_id: requestId });

/** When somebody last got through: by his sign-in, or by the authorization that it left behind. */
const goodAt = ({ signIns, grants }: PastSeen): Instant | undefined =>
  signIns.good?.at ?? grants.newest?.consentedAt;

/** May people use the application: *Access*. iManage shows a page of its own to who may not, and tells us nothing. */
export function judgeAccess(seen: PastSeen, now: Instant): Judged {
  const { signIns } = seen;
  const refused = failedWith(seen, "user_not_in_access");
  if (refused !== undefined) return { cause: "access.not_in_access", facts: factsOf(refused) };
  const turned = failedWith(seen, "authorization_refused");
  if (turned !== undefined) return { cause: "access.refused", facts: factsOf(turned) };
  const denied = failedWith(seen, "authorization_denied");
  if (denied !== undefined) return { cause: "access.denied", facts: factsOf(denied) };
  const { leftAt, backAt = 0 } = signIns;
  if (leftAt !== undefined && leftAt > backAt && now - leftAt >= AT_THE_DOOR_MS)
    return { cause: "access.never_back", facts: { at: leftAt } };
  const at = goodAt(seen);
  return at === undefined ? { cause: "access.no_sign_in" } : { cause: "access.good", facts: { at } };
}

/** *Work Token Grant Expiry*: 403 while a code is redeemed means that it lived too short (facts page, C). */
export function judgeCodeLife(seen: PastSeen, server: Pick<Server, "settings">): Judged {
  const late = failedWith(seen, "code_expired_at_imanage");
  const learned = seen.profile.codeLifeMs;
  const facts = { least_s: CODE_LIFE_LEAST_MS / 1_000, set_s: server.settings.codeLifeMs / 1_000 };
  if (late !== undefined)
    return {
      cause: "code_life.too_short",
      facts: { ...facts, at: late.at, age_s: learned === undefined ? 0 : Math.ceil(learned.value / 1_000) },
    };
  const at = goodAt(seen);
  return at === undefined
    ? { cause: "code_life.no_sign_in", facts }
    : { cause: "code_life.long_enough", facts: { ...facts, at } };
}

/** *Allow Refresh Token*: off by default, and the commonest fault (facts page, C). */
export function judgeRefreshToken(
  seen: PastSeen,
  server: Pick<Server, "settings">,
  clientId: string,
  customerId: string,
): Judged {
  const { registeredBy, refreshToken } = server.settings;
  const facts = { registered_by: registeredBy, client_id: clientId, customer_id: customerId };
  const missing = failedWith(seen, "refresh_token_missing");
  if (missing !== undefined)
    return { cause: "refresh_token.missing", facts: { ...facts, ...factsOf(missing) } };
  const good =
    seen.signIns.good ??
    (seen.grants.newest && {
      at: seen.grants.newest.consentedAt,
      refreshToken: seen.grants.newest.refreshable,
    });
  if (good === undefined) return { cause: "refresh_token.no_sign_in", facts };
  if (good.refreshToken) return { cause: "refresh_token.present", facts: { at: good.at } };
  return {
    cause: refreshToken === "optional" ? "refresh_token.session_only" : "refresh_token.missing",
    facts: { ...facts, at: good.at, request_id: "" },
  };
}

/** *Refresh Token Expiry*, as it was entered here: iManage's answers do not tell it. */
export function judgeRefreshLife(
  { grants }: PastSeen,
  server: Pick<Server, "settings">,
  now: Instant,
): Judged {
  const facts = { days: Math.round(server.settings.refreshTokenLifeMs / days(1)), count: grants.count };
  const { renewBy } = grants;
  if (renewBy === undefined) return { cause: "refresh_life.not_told", facts };
  const soon = renewBy - now < RENEW_SOON_MS;
  return { cause: soon ? "refresh_life.soon" : "refresh_life.long", facts: { ...facts, at: renewBy } };
}

/** Did people of the expected iManage customer sign in? */
export function judgeCustomer(seen: PastSeen, server: Pick<Server, "customerId">): Judged {
  const expected = server.customerId;
  const met = seen.signIns.good?.customerId ?? seen.grants.newest?.customerId;
  const other = failedWith(seen, "customer_mismatch");
  if (other !== undefined)
    return { cause: "customer.other", facts: { ...factsOf(other), expected: expected ?? "" } };
  if (expected === undefined) return { cause: "customer.not_entered", facts: { met: met ?? "" } };
  if (met === undefined) return { cause: "customer.no_sign_in", facts: { expected } };
  return met === expected
    ? { cause: "customer.expected", facts: { expected } }
    : { cause: "customer.other", facts: { expected, at: goodAt(seen) ?? 0, request_id: "" } };
}
