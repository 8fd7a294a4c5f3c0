import { ASSERTION_ALGORITHMS } from "./client-keys.ts";
import { type Instant, type Milliseconds, minutes, seconds } from "./instant.ts";

/** RFC 7523 §2.2. */
export const JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

export const assertionLimits = {
  bytes: 8 * 1_024,
  jtiLength: 128,
  /** How far ahead an assertion may end: what is signed for longer can be found for longer. */
  aheadMs: minutes(5),
  /** For clocks that differ. */
  leewayMs: seconds(30),
} as const;

/** Which look failed: for the log, one word. */
export type AssertionFault =
  | "malformed"
  | "too_large"
  | "type"
  | "algorithm"
  | "critical"
  | "key_in_header"
  | "issuer_subject"
  | "audience"
  | "no_expiry"
  | "expired"
  | "expires_too_late"
  | "issued_at"
  | "not_before"
  | "jti";

export type AssertionForm =
  | {
      readonly ok: true;
      readonly client: string;
      readonly jti: string;
      readonly expiresAt: Instant;
      readonly kid: string | undefined;
      readonly alg: string;
    }
  | {
      readonly ok: false;
      readonly fault: AssertionFault;
      readonly client: string | undefined;
      readonly says: string;
    };

/** RFC 7515 §4.1.2–4.1.6: ways to bring a key along, or to have one fetched. None is taken, so none is passed over in silence. */
const KEYS_IN_HEADER = ["jku", "jwk", "x5u", "x5c"];
const TYPES: readonly unknown[] = [undefined, "JWT", "client-authentication+jwt"];

/**
 * What an assertion says of itself, before any key is looked for (RFC 7523 §3 as rfc7523bis has it). Nothing of it depends on
 * who is registered here, so its faults may be told to whoever sent it.
 */
export function judgeAssertionForm(
  {
    header,
    claims,
  }: {
    readonly header: Readonly<Record<string, unknown>>;
    readonly claims: Readonly<Record<string, unknown>>;
  },
  issuer: string,
  now: Instant,
): AssertionForm {
  const { iss, sub, aud, exp, iat, nbf, jti } = claims;
  const { alg, typ, kid } = header;
  const client = typeof sub === "string" && sub === iss ? sub : undefined;
  const fault = (word: AssertionFault, says: string): AssertionForm => ({
    ok: false,
    fault: word,
    client,
    says,
  });

  if (client === undefined) {
    return fault("issuer_subject", "iss and sub of the assertion must both be the client id.");
  }
  if (!TYPES.includes(typ)) {
    return fault("type", "typ of the assertion must be absent, JWT or client-authentication+jwt.");
  }
  if (!isOneOf(ASSERTION_ALGORITHMS, alg)) {
    return fault("algorithm", `alg of the assertion must be one of ${ASSERTION_ALGORITHMS.join(", ")}.`);
  }
  if ("crit" in header || "b64" in header) {
    return fault("critical", "The assertion's header has critical extensions; none is understood.");
  }
  if (KEYS_IN_HEADER.some((name) => name in header) || !(kid === undefined || typeof kid === "string")) {
    return fault(
      "key_in_header",
      "The assertion's header may name its key by kid alone: jku, jwk, x5u and x5c are never looked at.",
    );
  }
  if (aud !== issuer) {
    return fault(
      "audience",
      `aud of the assertion must be one string, letter by letter ${issuer}: the issuer, not the token endpoint and not a list.`,
    );
  }
  if (!isTime(exp)) return fault("no_expiry", "The assertion has no exp, in seconds since 1970.");
  const expiresAt = exp * 1_000;
  const { aheadMs, leewayMs, jtiLength } = assertionLimits;
  if (expiresAt + leewayMs <= now)
    return fault("expired", "The assertion is over. Make a new one for each request.");
  if (expiresAt > now + aheadMs) {
    return fault(
      "expires_too_late",
      `exp of the assertion is more than five minutes ahead by the clock here (${clock(now)}). One minute is plenty.`,
    );
  }
  if (!isTimeNotAfter(iat, now + leewayMs)) {
    return fault("issued_at", `iat of the assertion is in the future by the clock here (${clock(now)}).`);
  }
  if (!isTimeNotAfter(nbf, now + leewayMs)) {
    return fault("not_before", `nbf of the assertion is in the future by the clock here (${clock(now)}).`);
  }
  if (typeof jti !== "string" || jti === "" || jti.length > jtiLength) {
    return fault("jti", `The assertion needs a jti of 1 to ${jtiLength} characters, another one each time.`);
  }
  return { ok: true, client, jti, expiresAt, kid, alg };
}

/** Clocks of our own processes differ too: one that is behind must still find that an assertion was used. */
export const rememberUseMs = (expiresAt: Instant, now: Instant): Milliseconds =>
  expiresAt - now + 2 * assertionLimits.leewayMs + seconds(30);

const clock = (now: Instant): string => new Date(now).toISOString();
const isTime = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value) && value >= 0;
const isTimeNotAfter = (value: unknown, latest: Instant): boolean =>
  value === undefined || (isTime(value) && value * 1_000 <= latest);
const isOneOf = <T extends string>(known: readonly T[], word: unknown): word is T =>
  (known as readonly unknown[]).includes(word);
