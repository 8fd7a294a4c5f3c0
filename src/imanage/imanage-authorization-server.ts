import { genericGrantRequest, refreshTokenGrant } from "openid-client";
import type { AuthorizationServer } from "../broker/authorization/ports.ts";
import { timing } from "../domain/access-policy.ts";
import type { Milliseconds } from "../domain/instant.ts";
import { checkIssuer } from "../domain/issuer.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { authorizationUrl } from "./authorization-url.ts";
import { revokeToken } from "./revoke-token.ts";
import { callTokenEndpoint, type TokenCallPorts } from "./token-call.ts";

type Port<Name extends keyof AuthorizationServer> = AuthorizationServer[Name];

/** iManage as an authorization server. Where it differs from the RFCs: README.md, clause by clause. */
export class ImanageAuthorizationServer implements AuthorizationServer {
  readonly #ports: TokenCallPorts;

  constructor(
    outbound: Outbound,
    options: { readonly now?: () => number; readonly providerDeadlineMs?: Milliseconds } = {},
  ) {
    this.#ports = {
      outbound,
      now: options.now ?? Date.now,
      providerDeadlineMs: options.providerDeadlineMs ?? timing.providerDeadlineMs,
    };
  }

  authorizationUrl(request: Parameters<Port<"authorizationUrl">>[0]): Promise<string> {
    return authorizationUrl(request);
  }

  async redeemCode(request: Parameters<Port<"redeemCode">>[0]): ReturnType<Port<"redeemCode">> {
    const { server, credentials, redirectUri, code, codeVerifier, issuer } = request;
    // The story asks before it comes here; a code of another server must not leave even if it forgot (T01).
    const verdict = checkIssuer(server, issuer);
    if (verdict !== "ok") return { kind: "not_sent", reason: verdict };
    return callTokenEndpoint(this.#ports, {
      server,
      credentials,
      authenticate: "send",
      nextSecretAfter: "saying_so",
      request: (configuration) =>
        genericGrantRequest(configuration, "authorization_code", {
          code: code.reveal(),
          redirect_uri: redirectUri,
          code_verifier: codeVerifier.reveal(),
        }),
    });
  }

  refresh({
    server,
    credentials,
    refreshToken,
  }: Parameters<Port<"refresh">>[0]): ReturnType<Port<"refresh">> {
    return callTokenEndpoint(this.#ports, {
      server,
      credentials,
      authenticate: server.settings.refreshClientAuthentication,
      nextSecretAfter: "any_401",
      presented: refreshToken,
      request: (configuration) => refreshTokenGrant(configuration, refreshToken.reveal()),
    });
  }

  revoke(request: Parameters<Port<"revoke">>[0]): ReturnType<Port<"revoke">> {
    return revokeToken(this.#ports.outbound, request);
  }
}
