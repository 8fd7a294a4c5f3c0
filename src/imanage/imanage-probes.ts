import {
  buildAuthorizationUrl,
  ClientSecretBasic,
  ClientSecretPost,
  genericGrantRequest,
  None,
} from "openid-client";
import type { ServerProbes } from "../broker/diagnosis/ports.ts";
import type { AuthorizeSeen, ConnectionSeen, DiscoverySeen, TokenSeen } from "../domain/diagnosis-seen.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import type { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";
import { boundedJson } from "../outbound/bounded-json.ts";
import { decodeBody } from "../outbound/decode-body.ts";
import type { Exchange, Outbound, RawAnswer } from "../outbound/outbound.ts";
import { printable, said, visibleText } from "../outbound/printable-text.ts";
import { probedDiscoverySchema } from "./api-envelopes.ts";
import { readErrorCode, readTokenAnswer } from "./read-token-answer.ts";
import { configurationOf, sendGrantRequest } from "./token-call.ts";

const DEADLINE_MS = seconds(8);
const BODY_LIMIT_BYTES = 256 * 1024;
const BOUNDS = { depth: 12, members: 4_096 };
const LIKENESS_MAX = 2_000;

/** One of the valid forms (RFC 7636 §4.2), of no verifier. Nobody comes back with it. */
const CHALLENGE = "bm90LWEtcmVhbC1jaGFsbGVuZ2Utbm9ib2R5LWNvbWU";

/** Bounded, so that a page made of beginnings costs no more than its length. */
const PASSWORD_FIELD = /<input\b[^<>]{0,500}?\btype\s{0,9}=\s{0,9}["']?password/i;
const LOOKED_AT_MAX = 64 * 1024;

type Port<Name extends keyof ServerProbes> = ServerProbes[Name];

/**
 * Looks at an iManage server and changes nothing there. Each request goes through the one door with its guard; redirects
 * are answers; what a server says is kept as printable, bounded text for admins.
 */
export class ImanageProbes implements ServerProbes {
  readonly #outbound: Outbound;
  readonly #now: () => number;
  readonly #deadlineMs: Milliseconds;

  constructor(
    outbound: Outbound,
    options: { readonly now?: () => number; readonly deadlineMs?: Milliseconds } = {},
  ) {
    this.#outbound = outbound;
    this.#now = options.now ?? Date.now;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  }

  connection(server: Server): Promise<ConnectionSeen> {
    return this.#outbound.inspect(server.endpoints.apiBaseUrl, server.trustedCertificates?.pem);
  }

  async discovery(server: Server, accessToken?: Secret): Promise<DiscoverySeen> {
    const exchange = await this.#get(server, `${server.endpoints.apiBaseUrl.replace(/\/$/, "")}/api`, {
      accept: "application/json",
      ...(accessToken !== undefined && { "x-auth-token": accessToken.reveal() }),
    });
    const answeredAt = this.#now();
    if (exchange.kind !== "answer") return { kind: "unanswered", reason: exchange.reason };
    const text = decodeBody(exchange, BODY_LIMIT_BYTES);
    const parsed = exchange.cutBy === undefined ? boundedJson(text, BOUNDS)?.value : undefined;
    const read = probedDiscoverySchema.safeParse(parsed).data?.data;
    const known = read?.auth_status ?? read?.dms_version ?? read?.capabilities ?? read?.versions;
    const data = known === undefined ? undefined : read;
    const isRefusal = typeof (parsed as { error?: unknown } | undefined)?.error === "object";
    const root = data?.versions?.find(({ name }) => name === "v2")?.url;
    return {
      kind: "answer",
      status: exchange.status,
      shape: data !== undefined && exchange.status === 200 ? "imanage" : isRefusal ? "refusal" : "other",
      authenticated: data?.auth_status === "authenticated",
      version: data?.dms_version,
      capabilities: data?.capabilities,
      ownRoot: root === undefined ? undefined : isOn(root, server.endpoints.apiBaseUrl),
      location: locationOf(exchange)?.shown,
      clockAheadMs: clockAhead(exchange, answeredAt),
      said: data === undefined ? said(text, accessToken === undefined ? [] : [accessToken]) : "",
    };
  }

  async authorize(server: Server, request: Parameters<Port<"authorize">>[1]): Promise<AuthorizeSeen> {
    const { clientId, redirectUri, state, challengeMethod } = request;
    const url = buildAuthorizationUrl(configurationOf(server, clientId, None()), {
      response_type: "code",
      redirect_uri: redirectUri,
      scope: server.settings.scope,
      state,
      ...(challengeMethod !== "none" && {
        code_challenge: CHALLENGE,
        code_challenge_method: challengeMethod === "S256" ? "S256" : "S0",
      }),
    });
    const exchange = await this.#get(server, url.href, { accept: "text/html, */*;q=0.1" });
    if (exchange.kind !== "answer") return { kind: "unanswered", reason: exchange.reason };
    const text = decodeBody(exchange, BODY_LIMIT_BYTES);
    const to = locationOf(exchange);
    const back = to !== undefined && to.url.href.split("?", 1)[0] === redirectUri.split("?", 1)[0];
    const error = back ? (to.url.searchParams.get("error") ?? undefined) : undefined;
    const looks = back
      ? "sent_back"
      : to !== undefined
        ? "sent_on"
        : exchange.status >= 400
          ? "refused"
          : PASSWORD_FIELD.test(text.slice(0, LOOKED_AT_MAX))
            ? "sign_in"
            : "other";
    return {
      kind: "answer",
      status: exchange.status,
      looks,
      error: error === undefined ? undefined : printable(error, 64),
      said: looks === "sign_in" ? "" : said(text, []),
      likeness: likeness([exchange.status, looks, error, to?.shown], text, [
        url.href,
        redirectUri,
        clientId,
        state,
      ]),
    };
  }

  async token(server: Server, request: Parameters<Port<"token">>[1]): Promise<TokenSeen> {
    const { clientId, clientSecret, redirectUri, code, codeVerifier } = request;
    const by =
      server.settings.clientAuthentication === "client_secret_basic" ? ClientSecretBasic : ClientSecretPost;
    const exchange = await sendGrantRequest(
      this.#outbound,
      configurationOf(server, clientId, by(clientSecret.reveal())),
      (configuration) =>
        genericGrantRequest(configuration, "authorization_code", {
          code: code.reveal(),
          redirect_uri: redirectUri,
          code_verifier: codeVerifier.reveal(),
        }),
      { deadlineMs: this.#deadlineMs, trusted: server.trustedCertificates?.pem },
    );
    if (exchange.kind !== "answer") return { kind: "unanswered", reason: exchange.reason };
    const outcome = readTokenAnswer(exchange, { now: this.#now() });
    const text = decodeBody(exchange, BODY_LIMIT_BYTES);
    const sent = [clientSecret, code, codeVerifier];
    if (outcome.kind === "unknown") return { kind: "unanswered", reason: outcome.reason };
    return {
      kind: "answer",
      status: exchange.status,
      refusal:
        outcome.kind !== "refused"
          ? "tokens"
          : readErrorCode(exchange) === "unauthorized_client"
            ? "unauthorized_client"
            : outcome.refusal,
      // Tokens for a code that nobody was given: whatever that is, it is not shown.
      said: outcome.kind === "refused" ? said(text, sent) : "",
      likeness: likeness([exchange.status], text, [clientId, ...sent.map((secret) => secret.reveal())]),
    };
  }

  #get(server: Server, url: string, headers: Readonly<Record<string, string>>): Promise<Exchange> {
    return this.#outbound.exchange({
      to: "probe",
      method: "GET",
      url,
      headers,
      deadlineMs: this.#deadlineMs,
      headersTimeoutMs: this.#deadlineMs,
      bodyLimitBytes: BODY_LIMIT_BYTES,
      trusted: server.trustedCertificates?.pem,
    });
  }
}

const isOn = (url: string, base: string): boolean =>
  URL.canParse(url) && new URL(url).origin === new URL(base).origin;

/** Where a redirect points to; its query may hold anything, and is not shown. */
function locationOf({
  status,
  headers,
}: RawAnswer): { readonly url: URL; readonly shown: string } | undefined {
  const { location } = headers;
  if (
    status < 300 ||
    status >= 400 ||
    location === undefined ||
    !URL.canParse(location, "https://same.invalid")
  )
    return undefined;
  const url = new URL(location, "https://same.invalid");
  const host = url.hostname === "same.invalid" ? "" : url.host;
  return { url, shown: printable(`${host}${url.pathname}`, 200) };
}

/** Its `Date` (whole seconds, cut) less our clock. */
function clockAhead({ headers }: RawAnswer, now: number): Milliseconds | undefined {
  const at = Date.parse(headers.date ?? "");
  return Number.isNaN(at) ? undefined : at + 500 - now;
}

/** Two answers are alike where they say the same, apart from what they were asked with and what changes every time. */
function likeness(
  signs: readonly (string | number | undefined)[],
  body: string,
  sent: readonly string[],
): string {
  let text = visibleText(body);
  for (const value of sent) {
    for (const spelling of [value, encodeURIComponent(value), value.replaceAll("&", "&amp;")])
      text = text.replaceAll(spelling, "#");
  }
  // Request ids, times and the like.
  const steady = text.replaceAll(/[A-Za-z0-9_-]+/g, (word) => (/\d/.test(word) ? "#" : word));
  return [...signs.map((sign) => sign ?? ""), printable(steady, LIKENESS_MAX)].join(" | ");
}
