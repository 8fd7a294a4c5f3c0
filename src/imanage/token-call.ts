import { allowInsecureRequests, type ClientAuth, Configuration, customFetch, None } from "openid-client";
import type { ClientCredentials } from "../broker/authorization/ports.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { issuerOf } from "../domain/issuer.ts";
import type { TokenCallOutcome } from "../domain/refresh-failure.ts";
import type { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";
import {
  type Exchange,
  type Outbound,
  type RawAnswer,
  TOKEN_BODY_LIMIT_BYTES,
} from "../outbound/outbound.ts";
import { clientAuthentications } from "./client-authentication.ts";
import { readErrorCode, readTokenAnswer } from "./read-token-answer.ts";

export interface TokenCallPorts {
  readonly outbound: Outbound;
  /** Our wall clock, for `Retry-After` dates alone. */
  readonly now: () => number;
  readonly providerDeadlineMs: Milliseconds;
}

export interface TokenCall {
  readonly server: Server;
  readonly credentials: ClientCredentials;
  readonly authenticate: "send" | "omit";
  /** The grant request, by one of openid-client's functions. */
  readonly request: (configuration: Configuration) => Promise<unknown>;
  readonly presented?: Secret;
  /**
   * What lets a second secret be tried. `saying_so`: only `invalid_client` in so many words, since a server that looks at
   * the client first (RFC 6749 §5.2, assumed of iManage) has not looked at the code then. `any_401`: also a bare 401.
   */
  readonly nextSecretAfter: "saying_so" | "any_401";
}

/**
 * Asks a token endpoint. Once; or, while a firm changes its secret and the newest is refused, once for each live secret
 * inside the same deadline.
 */
export async function callTokenEndpoint(ports: TokenCallPorts, call: TokenCall): Promise<TokenCallOutcome> {
  const { server, credentials } = call;
  const authentications =
    call.authenticate === "omit" ? [None()] : clientAuthentications(server, credentials);
  let leftMs = ports.providerDeadlineMs;
  for (const [index, authentication] of authentications.entries()) {
    const exchange = await post(ports.outbound, call, authentication, leftMs);
    const outcome = read(exchange, ports, call);
    const last = index === authentications.length - 1;
    if (last || exchange.kind !== "answer" || !mayTryNextSecret(call, exchange, outcome)) return outcome;
    leftMs -= exchange.elapsedMs;
    if (leftMs < seconds(1)) return outcome;
  }
  throw new Error("a token call has at least one way to authenticate");
}

function read(exchange: Exchange, ports: TokenCallPorts, { presented }: TokenCall): TokenCallOutcome {
  switch (exchange.kind) {
    case "not_sent":
      return { kind: "not_sent", reason: exchange.reason };
    case "unanswered":
      return { kind: "unknown", reason: exchange.reason, elapsedMs: exchange.elapsedMs };
    case "answer":
      try {
        return readTokenAnswer(exchange, { now: ports.now(), ...(presented !== undefined && { presented }) });
      } catch {
        // A fault of ours. Thrown, it would pass for a call that never left, and the token would be presented again.
        return { kind: "unknown", reason: "unread", elapsedMs: exchange.elapsedMs };
      }
  }
}

function mayTryNextSecret(
  { nextSecretAfter }: TokenCall,
  raw: RawAnswer,
  outcome: TokenCallOutcome,
): boolean {
  if (outcome.kind !== "refused" || outcome.refusal !== "invalid_client") return false;
  const code = readErrorCode(raw);
  return code === "invalid_client" || (code === undefined && nextSecretAfter === "any_401");
}

function post(
  outbound: Outbound,
  { server, credentials, request }: TokenCall,
  authentication: ClientAuth,
  deadlineMs: Milliseconds,
): Promise<Exchange> {
  const configuration = configurationOf(server, credentials.clientId, authentication);
  const trusted = server.trustedCertificates?.pem;
  return sendGrantRequest(outbound, configuration, request, { deadlineMs, trusted });
}

/**
 * openid-client writes the request; its reading of the answer is never reached. It refuses answers that hold tokens (201,
 * no `token_type`, `refresh_token: null`), and its errors carry whole bodies, so none is ever made.
 */
export async function sendGrantRequest(
  outbound: Outbound,
  configuration: Configuration,
  request: TokenCall["request"],
  how: { readonly deadlineMs: Milliseconds; readonly trusted: string | undefined },
): Promise<Exchange> {
  return await new Promise((resolve) => {
    configuration[customFetch] = async (url, { body, headers }) => {
      resolve(
        await outbound.exchange({
          to: "token",
          method: "POST",
          span: "imanage token",
          url,
          headers,
          body: String(body),
          bodyLimitBytes: TOKEN_BODY_LIMIT_BYTES,
          ...how,
        }),
      );
      // It waits for an answer that never comes, and is forgotten with it: an error would only be made to be thrown away.
      return await new Promise<never>(() => {});
    };
    // Before that it may have refused to write the request at all.
    request(configuration).catch(() => resolve({ kind: "not_sent", reason: "malformed_request" }));
  });
}

/** Metadata by hand: iManage publishes none, and none is ever asked for (T12). */
export function configurationOf(server: Server, clientId: string, authentication: ClientAuth): Configuration {
  const { authorizationEndpoint, tokenEndpoint } = server.endpoints;
  const configuration = new Configuration(
    {
      issuer: issuerOf(server),
      authorization_endpoint: authorizationEndpoint,
      token_endpoint: tokenEndpoint,
    },
    clientId,
    {},
    authentication,
  );
  // 0: no abort signal of its own. Only our deadline ends the call (design §3.6).
  configuration.timeout = 0;
  // Whether plain http may be spoken is the egress guard's decision, made for every connection.
  allowInsecureRequests(configuration);
  return configuration;
}
