import { buildAuthorizationUrl, calculatePKCECodeChallenge, None } from "openid-client";
import type { AuthorizationServer } from "../broker/authorization/ports.ts";
import { configurationOf } from "./token-call.ts";

/** Where the browser is sent: RFC 6749 §4.1.1 with S256 (RFC 7636 §4.3), always, whether the server checks it or not (T04). */
export async function authorizationUrl({
  server,
  clientId,
  redirectUri,
  state,
  codeVerifier,
  loginHint,
}: Parameters<AuthorizationServer["authorizationUrl"]>[0]): Promise<string> {
  return buildAuthorizationUrl(configurationOf(server, clientId, None()), {
    response_type: "code",
    redirect_uri: redirectUri,
    scope: server.settings.scope,
    state: state.reveal(),
    code_challenge: await calculatePKCECodeChallenge(codeVerifier.reveal()),
    code_challenge_method: "S256",
    ...(loginHint !== undefined && { login_hint: loginHint }),
  }).href;
}
