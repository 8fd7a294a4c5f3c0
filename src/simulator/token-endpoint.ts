import { createHash } from "node:crypto";
import { type Answer, json } from "./answers.ts";
import type { Call } from "./calls.ts";
import { authenticateClient } from "./client-authentication.ts";
import { type Context, findRegistration, findUser, whyRefused } from "./context.ts";
import { OAuthRefusal, refusalAnswer } from "./oauth-refusal.ts";
import type { Registration } from "./registrations.ts";
import type { Issued } from "./token-families.ts";
import type { User } from "./users.ts";

/** POST /auth/oauth2/token (C). */
export function tokenEndpoint(in_: Context, call: Call): Answer {
  try {
    return tokenAnswer(in_, grant(in_, call));
  } catch (error) {
    if (!(error instanceof OAuthRefusal)) throw error;
    in_.events.emit({ type: "refused", route: "token", status: error.status, error: error.code });
    return refusalAnswer(error, in_.state.switches.error_shape);
  }
}

function grant(in_: Context, { headers, form }: Call): Issued & { registration: Registration } {
  if (!/^application\/x-www-form-urlencoded\b/i.test(headers["content-type"] ?? ""))
    throw new OAuthRefusal(400, "invalid_request", "The request is not form-encoded.");
  // RFC 6749 §3.2: parameters must not be included more than once.
  for (const name of new Set(form.keys()))
    if (form.getAll(name).length > 1)
      throw new OAuthRefusal(400, "invalid_request", "A parameter is repeated.");

  switch (form.get("grant_type")) {
    case "authorization_code":
      return redeemCode(in_, headers, form);
    case "refresh_token":
      return refresh(in_, headers, form);
    case null:
      throw new OAuthRefusal(400, "invalid_request", "grant_type is missing.");
    default:
      throw new OAuthRefusal(400, "unsupported_grant_type", "Only authorization_code and refresh_token.");
  }
}

function redeemCode(in_: Context, headers: Call["headers"], form: URLSearchParams) {
  const registration = authenticateClient(in_, headers, form, "required");
  const code = in_.codes.find(form.get("code") ?? "");
  if (code === undefined || code.client_id !== registration.client_id)
    throw new OAuthRefusal(400, "invalid_grant", "The authorization code is not valid.");

  if (code.used_at !== null) {
    // RFC 6749 §4.1.2: a code used twice should take back what it issued.
    const issued = in_.families.byId(code.family_id);
    if (issued !== undefined) {
      in_.families.end(issued, "code_used_twice", "with_access_tokens");
      in_.events.emit({ type: "family_ended", family: issued.id, error: "code_used_twice" });
    }
    throw new OAuthRefusal(400, "invalid_grant", "The authorization code was used before.");
  }

  // From here on the code is spent, also by an attempt that fails: the worst case, since nothing is documented (?).
  code.used_at = in_.now();

  const lifeMs = in_.state.switches.work_token_grant_expiry_seconds * 1000;
  if (in_.now() - code.issued_at > lifeMs) {
    // 403, and not invalid_grant, is what vendors saw (C). The body that goes with it is unknown (?).
    throw new OAuthRefusal(403, "access_denied", "The authorization code outlived Work Token Grant Expiry.");
  }
  if (form.get("redirect_uri") !== code.redirect_uri)
    throw new OAuthRefusal(400, "invalid_grant", "redirect_uri is not the one of the authorization request.");
  if (!verifierFits(in_, code.code_challenge, form.get("code_verifier")))
    throw new OAuthRefusal(400, "invalid_grant", "code_verifier does not fit.");

  const user = findUser(in_, code.customer_id, code.user_id);
  if (user === undefined || refusedHere(in_, user, registration))
    throw new OAuthRefusal(400, "invalid_grant", "The user may not use this application.");

  const issued = in_.families.open(code, registration);
  code.family_id = issued.family.id;
  if (in_.state.switches.new_consent_ends_at === "redemption") in_.families.endEarlier(code, issued.family);
  in_.events.emit({
    type: "redeemed",
    family: issued.family.id,
    user: code.user_id,
    client_id: code.client_id,
  });
  return { ...issued, registration };
}

/** Access is looked at here too, unless the API alone looks at it. */
function refusedHere(in_: Context, user: User, registration: Registration): boolean {
  const why = whyRefused(user, registration);
  return why === "not_in_access" ? in_.state.switches.not_in_access !== "api_403" : why !== undefined;
}

/** RFC 7636 §4.6. */
function verifierFits(in_: Context, challenge: string | null, verifier: string | null): boolean {
  if (in_.state.switches.pkce === "ignored" || challenge === null) return true;
  if (verifier === null) return false;
  return createHash("sha256").update(verifier).digest("base64url") === challenge;
}

function refresh(in_: Context, headers: Call["headers"], form: URLSearchParams) {
  const value = form.get("refresh_token") ?? "";
  const family = in_.families.familyOf(value);
  // A server that needs no credentials here takes the client from the token (C: two of three clients send none).
  const owner = findRegistration(in_, family?.client_id ?? null);
  const registration = authenticateClient(
    in_,
    headers,
    form,
    in_.state.switches.refresh_client_authentication,
    owner,
  );
  if (family === undefined || family.client_id !== registration.client_id)
    throw new OAuthRefusal(400, "invalid_grant", "The refresh token is not valid.");
  if (!registration.allow_refresh_token)
    throw new OAuthRefusal(400, "unauthorized_client", "Allow Refresh Token is off for this application.");

  const user = findUser(in_, family.customer_id, family.user_id);
  if (user === undefined || refusedHere(in_, user, registration))
    throw new OAuthRefusal(400, "invalid_grant", "The user may not use this application.");

  const wasAlive = family.ended_at === null;
  const issued = in_.families.refresh(value, registration);
  if (wasAlive && family.ended_at !== null) {
    in_.events.emit({ type: "family_ended", family: family.id, error: family.ended_because ?? "" });
  }
  if (issued === undefined) throw new OAuthRefusal(400, "invalid_grant", "The refresh token is not valid.");
  in_.events.emit({
    type: "refreshed",
    family: family.id,
    user: family.user_id,
    client_id: family.client_id,
  });
  return { ...issued, registration };
}

/** RFC 6749 §5.1, with what iManage makes of it. */
function tokenAnswer(in_: Context, issued: Issued & { registration: Registration }): Answer {
  const { expires_in, refresh_token_when_off } = in_.state.switches;
  const body: Record<string, unknown> = {
    access_token: issued.access_token,
    token_type: "Bearer",
    expires_in:
      expires_in === "registration" ? issued.registration.access_token_expiry_minutes * 60 : expires_in,
    scope: issued.family.scope,
  };
  if (typeof issued.refresh_token === "string") body.refresh_token = issued.refresh_token;
  if (issued.refresh_token === null && refresh_token_when_off === "null") body.refresh_token = null;
  return json(200, body, { "cache-control": "no-store", pragma: "no-cache" });
}
