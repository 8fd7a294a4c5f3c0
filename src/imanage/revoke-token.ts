import { None } from "openid-client";
import type { AuthorizationServer } from "../broker/authorization/ports.ts";
import { seconds } from "../domain/instant.ts";
import { issuerOf } from "../domain/issuer.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { clientAuthentications } from "./client-authentication.ts";
import { readErrorCode } from "./read-token-answer.ts";

const DEADLINE_MS = seconds(30);

/**
 * iManage's own revocation: form field `access_token` (facts page, 1). Not RFC 7009: no `token`, no `token_type_hint`.
 * Whether credentials are wanted is unknown; they are sent, as RFC 7009 §2.1 has it, but only to the origin that the
 * secrets are sealed to.
 */
export async function revokeToken(
  outbound: Outbound,
  { server, credentials, token }: Parameters<AuthorizationServer["revoke"]>[0],
): ReturnType<AuthorizationServer["revoke"]> {
  const { revocationEndpoint, tokenEndpoint } = server.endpoints;
  const sameOrigin = new URL(revocationEndpoint).origin === new URL(tokenEndpoint).origin;
  const authentications = sameOrigin ? clientAuthentications(server, credentials) : [None()];

  let failed = "no way to authenticate";
  for (const authenticate of authentications) {
    const form = new URLSearchParams({ access_token: token.reveal() });
    const headers = new Headers({ "content-type": "application/x-www-form-urlencoded;charset=UTF-8" });
    authenticate({ issuer: issuerOf(server) }, { client_id: credentials.clientId }, form, headers);
    const exchange = await outbound.exchange({
      to: "revocation",
      method: "POST",
      span: "imanage revoke",
      url: revocationEndpoint,
      headers: Object.fromEntries(headers),
      body: form.toString(),
      deadlineMs: DEADLINE_MS,
      trusted: server.trustedCertificates?.pem,
    });
    if (exchange.kind !== "answer") return { failed: exchange.reason };
    if (exchange.status >= 200 && exchange.status < 300) return "revoked";
    const code = readErrorCode(exchange);
    // RFC 7009 §2.2 answers 200 to these; a server that does not still tells us that nothing is left to revoke.
    if (code === "invalid_token" || code === "invalid_grant") return "already_dead";
    // A code, and never its words: receipts are read by people, and what a server says is not ours.
    failed = `HTTP ${exchange.status}${code !== undefined && /^[a-z_]{1,40}$/.test(code) ? ` ${code}` : ""}`;
    if (code !== "invalid_client") break;
  }
  return { failed };
}
