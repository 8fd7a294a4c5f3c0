import { keepAliveMs, softMarginMs } from "../../domain/access-policy.ts";
import type { TokenAnswer } from "../../domain/grant.ts";
import { type GrantId, makeId, type RegistrationId, routeOf } from "../../domain/id.ts";
import { type Milliseconds, seconds } from "../../domain/instant.ts";
import { Problem } from "../../domain/problem.ts";
import type { ProblemCode } from "../../domain/problem-catalogue.ts";
import type { TokenCallOutcome } from "../../domain/refresh-failure.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import { remember } from "../diagnosis/remember.ts";
import type { AuditNote } from "../ports.ts";
import { accessTokenContext, refreshTokenContext, serverOwner } from "../seal-contexts.ts";
import type { AuthorizationPorts } from "./connect-ports.ts";
import { openCredentials } from "./open-credentials.ts";
import type { ClientCredentials, NewBinding, UpstreamIdentity } from "./ports.ts";

/** A code that may be redeemed now. */
export interface RedeemableCode {
  readonly server: Server;
  readonly registration: RegistrationId;
  readonly redirectUri: string;
  readonly code: Secret;
  readonly codeVerifier: Secret;
  readonly issuer: string | undefined;
}

/** What a redeemed code brought: tokens, whose they are, and the way to throw them away at iManage. */
export interface Redeemed {
  readonly server: Server;
  readonly answer: TokenAnswer & { readonly accessToken: Secret };
  readonly identity: UpstreamIdentity;
  readonly credentials: ClientCredentials;
  /** By the monotonic clock. */
  readonly receivedAt: Milliseconds;
}

/**
 * Redeems a code, once, and asks iManage whose it is.
 * @param ifRefused what `invalid_grant` means here
 * @throws Problem that names the remedy, after revoking what cannot be kept
 */
export async function redeem(
  ports: AuthorizationPorts,
  code: RedeemableCode,
  ifRefused: ProblemCode = "authorization_refused",
): Promise<Redeemed> {
  const { server } = code;
  const registration = await ports.servers.findRegistration(code.registration);
  if (registration === undefined)
    throw new Problem("internal_error", { detail: "The registration is gone." });
  const credentials = await openCredentials(ports, registration, server);
  const outcome = await ports.authorizationServer.redeemCode({ ...code, credentials });
  const answer = readOutcome(outcome, ifRefused);
  const receivedAt = ports.clock.monotonicMs();
  const { accessToken } = answer;
  if (accessToken === undefined) throw new Problem("imanage_answer_unusable");
  const discard = () => discardTokens(ports, server, credentials, answer);

  const identity = await whoAmI(ports, server, accessToken).catch(async (error: unknown) => {
    await discard();
    throw error;
  });
  // An own registration serves one customer; a shared one tells organisations apart by the customer alone (T10).
  const known =
    server.customerId ?? (registration.organisation === undefined ? undefined : identity.user.customerId);
  if (known !== identity.user.customerId) {
    ports.log.warn(
      { server: server.id, organisation: server.organisation, code: "customer_mismatch" },
      "someone of another iManage customer signed in; what he authorised was thrown away",
    );
    await discard();
    throw new Problem("customer_mismatch");
  }
  return { server, answer: { ...answer, accessToken }, identity, credentials, receivedAt };
}

/** Throws away tokens that will not be kept. That iManage could not be told is no reason to keep them. */
export async function discardTokens(
  ports: AuthorizationPorts,
  server: Server,
  credentials: ClientCredentials,
  answer: TokenAnswer,
): Promise<void> {
  for (const token of [answer.accessToken, answer.refreshToken]) {
    if (token !== undefined) await ports.authorizationServer.revoke({ server, credentials, token });
  }
}

/**
 * Makes a redeemed code a grant: the one this iManage user already has through this registration, or a new one.
 * @throws Problem refresh_token_missing | upstream_user_changed
 */
export async function storeConsent(
  ports: AuthorizationPorts,
  redeemed: Redeemed,
  binding: NewBinding | undefined,
  note: AuditNote,
): Promise<GrantId> {
  const { server, answer, identity } = redeemed;
  if (answer.refreshToken === undefined && server.settings.refreshToken === "required") {
    await discardTokens(ports, server, redeemed.credentials, answer);
    throw new Problem("refresh_token_missing", { members: { registered_by: server.settings.registeredBy } });
  }
  // Two sign-ins of one person may end at the same moment: the later one follows the earlier.
  for (let attempt = 0; attempt < 5; attempt++) {
    const earlier = await ports.consents.findConsent(server, identity.user);
    const grant =
      earlier?.grant ??
      makeId("grt", routeOf(server.organisation), ports.clock.now(), ports.random.bytes(16));
    const consentGeneration = (earlier?.consentGeneration ?? 0) + 1;
    const stored = await ports.consents.putConsent(
      await seal(ports, redeemed, grant, consentGeneration),
      binding,
      note,
    );
    if (stored === "stored") {
      const { customerId } = identity.user;
      const refreshToken = answer.refreshToken !== undefined;
      await remember(ports.signIns.noteGood(server.id, { refreshToken, customerId }));
      return grant;
    }
    if (stored === "contained") {
      await discardTokens(ports, server, redeemed.credentials, answer);
      throw new Problem("contained");
    }
    if (stored === "bound_to_another") return refuseAnother(ports, redeemed, note);
  }
  throw new Problem("store_unavailable", {
    retryAfterMs: seconds(1),
    detail: "Too many sign-ins of one person at once.",
  });
}

async function seal(
  ports: AuthorizationPorts,
  redeemed: Redeemed,
  grant: GrantId,
  consentGeneration: number,
) {
  const { server, answer, identity } = redeemed;
  const { accessToken, refreshToken, accessTokenLifeMs } = answer;
  const of = { grant, server, consentGeneration, attempt: 0 };
  const owner = serverOwner(server);
  return {
    grant,
    server,
    user: identity.user,
    consentGeneration,
    refreshToken: refreshToken && (await ports.sealer.seal(refreshToken, refreshTokenContext(of))),
    refreshTokenFingerprint: refreshToken && (await ports.sealer.fingerprint(owner, refreshToken)),
    refreshTokenLifeMs: server.settings.refreshTokenLifeMs,
    accessToken: await ports.sealer.seal(accessToken, accessTokenContext(of)),
    accessTokenFingerprint: await ports.sealer.fingerprint(owner, accessToken),
    accessTokenLifeMs,
    softMarginMs: softMarginMs(accessTokenLifeMs),
    keepAliveMs: keepAliveMs(server.settings.refreshTokenLifeMs),
    receivedAgoMs: Math.round(ports.clock.monotonicMs() - redeemed.receivedAt),
  };
}

function readOutcome(outcome: TokenCallOutcome, ifRefused: ProblemCode): TokenAnswer {
  switch (outcome.kind) {
    case "answered":
      return outcome.answer;
    case "not_sent":
      throw unreachable(outcome.reason);
    case "unknown":
      throw new Problem("imanage_unavailable", { retryAfterMs: seconds(5) });
    case "refused":
      break;
  }
  switch (outcome.refusal) {
    case "invalid_client":
      throw new Problem("client_secret_refused");
    case "forbidden":
      throw new Problem("code_expired_at_imanage");
    case "throttled":
    case "upstream":
      throw new Problem("imanage_unavailable", { retryAfterMs: outcome.retryAfterMs ?? seconds(5) });
    case "invalid_grant":
      throw new Problem(ifRefused);
    case "configuration":
      throw new Problem("authorization_refused");
  }
}

/** What only somebody's change mends is not told as something that passes. */
function unreachable(reason: string): Problem {
  if (/^tls_(untrusted|expired|wrong_host)$/.test(reason)) return new Problem("server_not_trusted");
  if (/^(url_|address_denied)/.test(reason)) return new Problem("server_address_refused");
  return new Problem("imanage_unavailable", { retryAfterMs: seconds(5) });
}

/** Tokens are in hand here, so a passing fault is worth three tries before they are thrown away. */
async function whoAmI(
  ports: AuthorizationPorts,
  server: Server,
  accessToken: Secret,
): Promise<UpstreamIdentity> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await ports.identities.whoAmI(server, accessToken);
    switch (outcome.kind) {
      case "ok":
        return outcome.value;
      case "unauthorized":
        throw new Problem("imanage_answer_unusable", {
          detail: "iManage does not accept the token it has just given.",
        });
      case "forbidden":
        throw new Problem("user_not_in_access");
      default:
        if (attempt === 3) throw new Problem("imanage_unavailable", { retryAfterMs: seconds(5) });
        await ports.timers.after(attempt * 500).elapsed;
    }
  }
}

/** Someone else signed in than the one this binding belongs to (T11). */
async function refuseAnother(ports: AuthorizationPorts, redeemed: Redeemed, note: AuditNote): Promise<never> {
  await keepOrDiscard(ports, redeemed, note);
  throw new Problem("upstream_user_changed");
}

/**
 * Of somebody who will get no binding. His own grant, if there is one, may have lost its refresh token to this very consent
 * (facts page, ?): then what he was given now belongs there. Otherwise it is thrown away.
 */
export async function keepOrDiscard(
  ports: AuthorizationPorts,
  redeemed: Redeemed,
  note: AuditNote,
): Promise<void> {
  const own = await ports.consents.findConsent(redeemed.server, redeemed.identity.user);
  if (own === undefined) await discardTokens(ports, redeemed.server, redeemed.credentials, redeemed.answer);
  else await storeConsent(ports, redeemed, undefined, note);
}
