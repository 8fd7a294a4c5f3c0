import type { Answer } from "./answers.ts";
import type { Call } from "./calls.ts";
import { authenticateClient } from "./client-authentication.ts";
import { type Context, findRegistration } from "./context.ts";
import { OAuthRefusal, refusalAnswer } from "./oauth-refusal.ts";

/** POST /auth/oauth2/revoke-token, form field access_token (1; not RFC 7009). 200 whatever the token was worth (?). */
export function revokeEndpoint(in_: Context, { headers, form }: Call): Answer {
  const { revoke, revoke_client_authentication, ...accepts } = in_.state.switches;
  const value = form.get("access_token");
  try {
    if (value === null) throw new OAuthRefusal(400, "invalid_request", "access_token is missing.");
    const family = in_.families.familyOf(value);
    const owner = findRegistration(in_, family?.client_id ?? null);
    // Credentials that were sent are checked, also where none are needed.
    const sent = headers.authorization !== undefined || form.get("client_secret") !== null;
    if (sent || revoke_client_authentication === "required") {
      const caller = authenticateClient(in_, headers, form, "required");
      if (owner !== undefined && owner.client_id !== caller.client_id)
        throw new OAuthRefusal(400, "unauthorized_client", "The token belongs to another application.");
    }
    if (family === undefined) return nothingToSay();

    const accessToken = family.access_tokens.find((token) => token.value === value);
    if (accessToken === undefined) {
      if (accepts.revoke_accepts_refresh_token === "no") return nothingToSay();
    } else {
      if (
        accepts.revoke_accepts_expired_access_token === "no" &&
        !in_.families.accessTokenIsLive(accessToken)
      )
        return nothingToSay();
      in_.families.endAccessToken(value);
    }
    if (revoke === "family" || accessToken === undefined)
      in_.families.end(family, "revoked", "with_access_tokens");
    in_.events.emit({
      type: "revoked",
      family: family.id,
      user: family.user_id,
      client_id: family.client_id,
    });
    return nothingToSay();
  } catch (error) {
    if (!(error instanceof OAuthRefusal)) throw error;
    return refusalAnswer(error, in_.state.switches.error_shape);
  }
}

const nothingToSay = (): Answer => ({ status: 200, headers: { "cache-control": "no-store" }, body: "" });
