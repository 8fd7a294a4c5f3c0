import type { IdentityProvider } from "./identity-provider.ts";
import { type Instant, minutes, seconds } from "./instant.ts";
import type { MemberClaim, Members } from "./members.ts";
import type { UserSubject } from "./subject.ts";

export const userAssertionLimits = {
  /** With the groups of a person who is in many. */
  bytes: 16 * 1_024,
  /** Since it was signed: what was caught somewhere is of no use for long, however long its `exp` is. */
  ageMs: minutes(10),
  leewayMs: seconds(30),
  subjectLength: 256,
} as const;

/** Which look failed: for the log, one word. */
export type UserAssertionFault =
  | "type"
  | "algorithm"
  | "critical"
  | "key_in_header"
  | "issuer"
  | "audience"
  | "authorized_party"
  | "no_expiry"
  | "expired"
  | "issued_at"
  | "too_old"
  | "not_before"
  | "subject";

export type UserAssertionForm =
  | {
      readonly ok: true;
      readonly subject: string;
      readonly kid: string | undefined;
      readonly alg: IdentityProvider["algorithms"][number];
    }
  | { readonly ok: false; readonly fault: UserAssertionFault; readonly says: string };

type Json = Readonly<Record<string, unknown>>;

/**
 * What an identity provider's JWT says of itself, before a key is looked for (RFC 7519; OpenID Connect Core §3.1.3.7). The
 * sentences are for a client that has proved itself, and repeat nothing of what it sent.
 */
export function judgeUserAssertion(
  { header, claims }: { readonly header: Json; readonly claims: Json },
  provider: IdentityProvider,
  now: Instant,
): UserAssertionForm {
  const { alg, typ, kid } = header;
  const { iss, aud, azp, exp, iat, nbf } = claims;
  const { ageMs, leewayMs, subjectLength } = userAssertionLimits;
  const fault = (word: UserAssertionFault, says: string): UserAssertionForm => ({
    ok: false,
    fault: word,
    says,
  });

  // An ID token and nothing that is signed by the same keys for another purpose (RFC 8725 §3.11): at+jwt, logout+jwt.
  if (typ !== undefined && typ !== "JWT") return fault("type", "typ of the assertion must be absent or JWT.");
  const algorithm = provider.algorithms.find((one) => one === alg);
  if (algorithm === undefined)
    return fault("algorithm", `alg of the assertion must be one of ${provider.algorithms.join(", ")}.`);
  if ("crit" in header || "b64" in header)
    return fault("critical", "The assertion's header has critical extensions; none is understood.");
  if (
    ["jku", "jwk", "x5u", "x5c"].some((name) => name in header) ||
    !(kid === undefined || typeof kid === "string")
  )
    return fault("key_in_header", "The assertion's header may name its key by kid alone.");
  if (iss !== provider.issuer)
    return fault("issuer", `iss of the assertion must be, letter by letter, ${provider.issuer}.`);
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const isRegistered = (one: unknown) => typeof one === "string" && provider.audiences.includes(one);
  // Every one of them: what is meant for others as well can come from any of those (OpenID Connect Core §3.1.3.7, 3).
  if (audiences.length === 0 || !audiences.every(isRegistered))
    return fault(
      "audience",
      "aud of the assertion must name registered audiences of this organisation alone.",
    );
  if (azp !== undefined && !isRegistered(azp))
    return fault(
      "authorized_party",
      "azp of the assertion is none of the registered audiences of this organisation.",
    );
  if (!isTime(exp)) return fault("no_expiry", "The assertion has no exp, in seconds since 1970.");
  if (exp * 1_000 + leewayMs <= now) return fault("expired", "The assertion is over: get a new one.");
  if (!isTime(iat) || iat * 1_000 > now + leewayMs)
    return fault("issued_at", "The assertion has no iat, or one that is in the future by the clock here.");
  if (iat * 1_000 + ageMs + leewayMs <= now)
    return fault("too_old", "The assertion was issued more than ten minutes ago: get a new one.");
  if (nbf !== undefined && (!isTime(nbf) || nbf * 1_000 > now + leewayMs))
    return fault("not_before", "The assertion does not count yet by the clock here.");
  const subject = claims[provider.subjectClaim];
  if (typeof subject !== "string" || subject.length > subjectLength || !/^\P{C}+$/u.test(subject))
    return fault(
      "subject",
      `The assertion has no ${provider.subjectClaim} of 1 to ${subjectLength} characters.`,
    );
  return { ok: true, subject, kid, alg: algorithm };
}

/** Who it is, and what of him decides whether he is a member: the provider's word, never the client's. */
export function subjectOfAssertion(
  { issuer }: IdentityProvider,
  id: string,
  claims: Json,
  members: Members,
): UserSubject {
  const wanted = members.everyone ? [] : members.claims;
  const said: readonly MemberClaim[] = wanted.filter(({ name, value }) => {
    const told = Object.hasOwn(claims, name) ? claims[name] : undefined;
    return Array.isArray(told) ? told.includes(value) : told === value;
  });
  return { type: "user", issuer, id, ...(said.length > 0 && { claims: said }) };
}

const isTime = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value) && value >= 0;
