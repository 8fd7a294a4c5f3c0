import type { Judged } from "./diagnosis-finding.ts";
import type {
  AuthorizeProbes,
  AuthorizeSeen,
  SignInsSeen,
  TokenProbes,
  TokenSeen,
} from "./diagnosis-seen.ts";
import { days, type Instant } from "./instant.ts";
import type { RegistrationSecret } from "./registration.ts";
import type { Server } from "./server.ts";

/**
 * What iManage knows of our registration. None of its answers is documented, so none is taken at its word: each request
 * is compared with the same one that has something invented in it. What a server answers otherwise, it tells apart; what
 * it answers alike, it does not tell, and then neither do we.
 */

export interface RegistrationSeen {
  readonly authorize: AuthorizeProbes;
  readonly token: TokenProbes | undefined;
}

const SECRET_SOON_MS = days(30);

type Answer<T> = Extract<T, { kind: "answer" }>;
const isAnswer = <T extends { kind: string }>(seen: T): seen is Answer<T> => seen.kind === "answer";
const alike = (a: AuthorizeSeen | TokenSeen, b: AuthorizeSeen | TokenSeen): boolean =>
  isAnswer(a) && isAnswer(b) && a.likeness === b.likeness;
const refusalOf = (seen: TokenSeen | undefined) =>
  seen !== undefined && isAnswer(seen) ? seen.refusal : undefined;

const isRefused = (seen: AuthorizeSeen): boolean =>
  isAnswer(seen) && (seen.looks === "refused" || seen.looks === "sent_back");

/** Sent back with these (RFC 6749 §4.1.2.1), the application is refused; with the others, something in the request is. */
const OF_THE_APPLICATION = ["unauthorized_client", "access_denied"];

/** Turned away, but otherwise than an invented client or redirect URL: both are known, and the application is refused. */
const turnedAway = ({ real, inventedClient, inventedRedirect }: AuthorizeProbes): boolean =>
  isAnswer(real) &&
  (real.looks === "refused" ||
    (real.looks === "sent_back" && OF_THE_APPLICATION.includes(real.error ?? ""))) &&
  !alike(real, inventedClient) &&
  !alike(real, inventedRedirect);

/** Has the token endpoint shown that it knows the Client ID? `undefined`: it has not told. */
function clientProven({ token }: RegistrationSeen): boolean | undefined {
  const real = token?.real.map(refusalOf) ?? [];
  if (real.some((refusal) => refusal === "invalid_grant" || refusal === "unauthorized_client"))
    return refusalOf(token?.inventedClient) === "invalid_client" ? true : undefined;
  return real.length > 0 && real.every((refusal) => refusal === "invalid_client") ? false : undefined;
}

/** Does the authorization endpoint know the Client ID and the Redirect URL? */
export function judgeAuthorize(seen: RegistrationSeen, server: Pick<Server, "kind">): Judged {
  const { real, inventedClient, inventedRedirect } = seen.authorize;
  if (!isAnswer(real)) return { cause: "authorize.unavailable", facts: { reason: real.reason, said: "" } };
  const facts = { status: real.status, said: real.said, reason: "", error: real.error ?? "" };
  if (real.status >= 500 || real.status === 429) return { cause: "authorize.unavailable", facts };
  if (real.looks === "sent_back") return { cause: "authorize.sent_back", facts };

  const likeClient = alike(real, inventedClient);
  const likeRedirect = alike(real, inventedRedirect);
  if (!isRefused(real)) {
    // A sign-in page for an invented client says nothing about ours.
    return likeClient || likeRedirect
      ? { cause: "authorize.not_told", facts }
      : { cause: "authorize.known", facts };
  }
  if (turnedAway(seen.authorize)) return { cause: "authorize.known_and_refused", facts };

  // On the cloud it is iManage that adds redirect URLs to a vendor's application (facts page, C).
  const cloud = server.kind === "cloud" || server.kind === "cloud-subdomain";
  const unregistered: Judged = {
    cause: "authorize.redirect_unregistered",
    facts: { ...facts, cloud: cloud ? 1 : 0 },
    ...(cloud && { who: "vendor" }),
  };
  if (likeRedirect && !likeClient) return unregistered;
  if (likeClient && !likeRedirect) return { cause: "authorize.client_unknown", facts };
  // One page for all three. An unknown client has no redirect URLs, so either reading is possible.
  const proven = clientProven(seen);
  if (proven === true) return unregistered;
  return { cause: proven === false ? "authorize.client_unknown" : "authorize.refused", facts };
}

/** Is the Client Secret right? iManage is asked with a code that we made up: it tells a wrong secret from a wrong code. */
export function judgeSecret(
  seen: RegistrationSeen,
  live: "some" | "none" | "expired" | "unreadable",
): Judged {
  if (live === "none") return { cause: "secret.none" };
  if (live === "unreadable") return { cause: "secret.unreadable" };
  const { token } = seen;
  const [newest, older] = token?.real ?? [];
  if (live === "expired" || token === undefined || newest === undefined) return { cause: "secret.skipped" };
  if (!isAnswer(newest)) return { cause: "secret.unavailable", facts: { reason: newest.reason, said: "" } };
  const facts = { status: newest.status, said: newest.said, error: newest.refusal, reason: "" };
  switch (newest.refusal) {
    case "invalid_grant":
      // Who says the same of an invented secret has not looked at ours.
      return refusalOf(token.inventedSecret) === "invalid_grant"
        ? { cause: "secret.not_told", facts }
        : { cause: "secret.right", facts };
    case "unauthorized_client":
      return { cause: "secret.hidden", facts };
    case "invalid_client":
      if (refusalOf(older) === "invalid_grant") return { cause: "secret.older_right", facts };
      if (turnedAway(seen.authorize) || !alike(newest, token.inventedSecret))
        return { cause: "secret.hidden", facts };
      return { cause: "secret.wrong", facts };
    case "throttled":
    case "upstream":
      return { cause: "secret.unavailable", facts };
    default:
      return { cause: "secret.other", facts };
  }
}

/** *Client Secret Expires*, as it was entered here: iManage tells nobody. */
export function judgeSecretExpiry(secrets: readonly RegistrationSecret[], now: Instant): Judged {
  if (secrets.length === 0) return { cause: "secret_expiry.skipped" };
  // The last one to end counts: until then one of them is live.
  const ends = secrets.map(({ expiresAt }) => expiresAt ?? Number.POSITIVE_INFINITY);
  const last = Math.max(...ends);
  if (last === Number.POSITIVE_INFINITY) return { cause: "secret_expiry.never" };
  const facts = { at: last };
  if (last <= now) return { cause: "secret_expiry.expired", facts };
  return { cause: last - now < SECRET_SOON_MS ? "secret_expiry.soon" : "secret_expiry.later", facts };
}

/** *Enable Application*, as far as the answers let one tell. */
export function judgeApplication(seen: RegistrationSeen): Judged {
  const { real } = seen.authorize;
  const newest = seen.token?.real[0];
  const said = isAnswer(real) && turnedAway(seen.authorize) ? real.said : said2(newest);
  if (turnedAway(seen.authorize) || refusalOf(newest) === "unauthorized_client")
    return { cause: "application.not_enabled", facts: { said } };
  if (
    seen.token !== undefined &&
    refusalOf(newest) === "invalid_client" &&
    refusalOf(seen.token.inventedSecret) === "invalid_client" &&
    !alike(newest!, seen.token.inventedSecret)
  )
    return { cause: "application.not_enabled", facts: { said } };
  // A server that tells our request from invented ones and asks for a sign-in has let the application through.
  return judgeAuthorize(seen, { kind: "on-premises" }).cause === "authorize.known"
    ? { cause: "application.enabled" }
    : { cause: "application.not_told" };
}

const said2 = (seen: TokenSeen | undefined): string =>
  seen !== undefined && isAnswer(seen) ? seen.said : "";

/** *Client Type* and *Application Type*, as far as the answers let one tell. */
export function judgeClientType({ token }: RegistrationSeen): Judged {
  if (token === undefined) return { cause: "client_type.not_told" };
  const [newest] = token.real;
  if (refusalOf(newest) === "unauthorized_client")
    return { cause: "client_type.not_allowed", facts: { said: said2(newest) } };
  if (refusalOf(newest) !== "invalid_grant") return { cause: "client_type.not_told" };
  if (refusalOf(token.inventedSecret) === "invalid_client") return { cause: "client_type.confidential" };
  // Our id with any secret gets as far as the code, an invented id does not: the secret is not looked at.
  return refusalOf(token.inventedSecret) === "invalid_grant" &&
    refusalOf(token.inventedClient) === "invalid_client"
    ? { cause: "client_type.public" }
    : { cause: "client_type.not_told" };
}

/**
 * Is PKCE honoured (RFC 7636, T04)? Whether a wrong verifier is refused is only seen with the code of a real sign-in, which
 * that costs: it is believed where an admin spent one, and a refusal only where codes are redeemed otherwise. Else it is
 * asked before the sign-in: a method that does not exist has to be refused.
 */
export function judgePkce(
  { authorize }: RegistrationSeen,
  { pkce, good }: Pick<SignInsSeen, "pkce" | "good">,
): Judged {
  if (pkce?.wrongVerifier === "redeemed") return { cause: "pkce.not_honoured", facts: { at: pkce.at } };
  if (pkce !== undefined && good !== undefined) return { cause: "pkce.honoured", facts: { at: pkce.at } };
  const { real, inventedChallengeMethod, withoutChallenge, inventedClient, inventedRedirect } = authorize;
  if (isRefused(real) || !isAnswer(real)) return { cause: "pkce.not_told" };
  if (isRefused(withoutChallenge)) return { cause: "pkce.enforced" };
  if (isRefused(inventedChallengeMethod)) return { cause: "pkce.read" };
  // Who looks at the rest of the request before the sign-in, and not at this, does not read it.
  const looks = isRefused(inventedClient) && isRefused(inventedRedirect);
  return looks && alike(real, inventedChallengeMethod)
    ? { cause: "pkce.ignored" }
    : { cause: "pkce.not_told" };
}
