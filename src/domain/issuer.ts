import type { Server } from "./server.ts";

export type IssuerVerdict = "ok" | "issuer_missing" | "issuer_mismatch";

/** Who a server's answers must say they come from: iManage publishes no metadata, so it is the origin that was asked. */
export const issuerOf = (server: Pick<Server, "endpoints">): string =>
  new URL(server.endpoints.authorizationEndpoint).origin;

/**
 * RFC 9207 §2.4: `iss` of an authorization response is compared letter by letter whenever it is there, and must be there
 * once the server is known to send it. Otherwise another server's answer could be redeemed here (T01).
 */
export function checkIssuer(
  server: Pick<Server, "endpoints" | "settings">,
  iss: string | undefined,
): IssuerVerdict {
  if (iss === undefined) return server.settings.issuer === "required" ? "issuer_missing" : "ok";
  return iss === issuerOf(server) ? "ok" : "issuer_mismatch";
}
