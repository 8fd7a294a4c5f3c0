import type { Server } from "./server.ts";

export type IssuerVerdict =
  /** `announced`: the answer carried `iss`. From then on this server's answers must (RFC 9207 §2.4). */
  | { readonly ok: true; readonly announced: boolean }
  | { readonly ok: false; readonly because: "issuer_missing" | "issuer_mismatch" };

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
  if (iss === undefined) {
    return server.settings.issuer === "required"
      ? { ok: false, because: "issuer_missing" }
      : { ok: true, announced: false };
  }
  return iss === issuerOf(server) ? { ok: true, announced: true } : { ok: false, because: "issuer_mismatch" };
}
