import type { EgressRefusal } from "./egress-guard.ts";

/** Why an exchange did not end as it should: our own words, so that no foreign error leaves this room (design §3.13). */
export type OutboundReason =
  | EgressRefusal
  | "dns"
  | "connection_refused"
  | "connection_reset"
  | "connection_closed"
  | "connection_failed"
  | "connect_timeout"
  | "proxy_failed"
  | "proxy_refused"
  | "tls_untrusted"
  | "tls_expired"
  | "tls_wrong_host"
  | "tls_handshake"
  | "headers_timeout"
  | "headers_too_large"
  | "body_too_large"
  | "deadline"
  | "malformed_answer"
  | "malformed_request"
  | "closing"
  | "failed";

/** Carries a reason through undici and nothing else: no cause, no message of someone else's. */
export class ConnectRefused extends Error {
  readonly reason: OutboundReason;

  constructor(reason: OutboundReason) {
    super(reason);
    this.name = "ConnectRefused";
    this.reason = reason;
  }

  static from(error: unknown): ConnectRefused {
    return error instanceof ConnectRefused ? error : new ConnectRefused(reasonOf(error));
  }
}

/** Names a foreign error by its code alone; messages may hold what was sent or received. */
export function reasonOf(error: unknown): OutboundReason {
  if (error instanceof ConnectRefused) return error.reason;
  const { name, code, errors } = error as { name?: unknown; code?: unknown; errors?: unknown };
  // undici gives it no code when the very first byte is wrong.
  if (name === "HTTPParserError") return "malformed_answer";
  if (typeof code === "string") {
    const known = BY_CODE[code];
    if (known !== undefined) return known;
    if (code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_")) return "tls_handshake";
  }
  // Several addresses were tried and each failed in its way; the first says enough.
  if (Array.isArray(errors) && errors.length > 0) return reasonOf(errors[0]);
  return "failed";
}

const BY_CODE: Readonly<Record<string, OutboundReason>> = {
  ENOTFOUND: "dns",
  EAI_AGAIN: "dns",
  ECONNREFUSED: "connection_refused",
  ECONNRESET: "connection_reset",
  EPIPE: "connection_reset",
  ECONNABORTED: "connection_reset",
  ETIMEDOUT: "connect_timeout",
  EHOSTUNREACH: "connection_failed",
  ENETUNREACH: "connection_failed",
  EADDRNOTAVAIL: "connection_failed",
  EPROTO: "tls_handshake",
  SELF_SIGNED_CERT_IN_CHAIN: "tls_untrusted",
  DEPTH_ZERO_SELF_SIGNED_CERT: "tls_untrusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "tls_untrusted",
  UNABLE_TO_GET_ISSUER_CERT: "tls_untrusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "tls_untrusted",
  CERT_UNTRUSTED: "tls_untrusted",
  CERT_REVOKED: "tls_untrusted",
  INVALID_CA: "tls_untrusted",
  CERT_HAS_EXPIRED: "tls_expired",
  CERT_NOT_YET_VALID: "tls_expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "tls_wrong_host",
  UND_ERR_SOCKET: "connection_closed",
  UND_ERR_HEADERS_OVERFLOW: "headers_too_large",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "connection_closed",
  UND_ERR_INVALID_ARG: "malformed_request",
  UND_ERR_CLOSED: "closing",
  UND_ERR_DESTROYED: "closing",
};
