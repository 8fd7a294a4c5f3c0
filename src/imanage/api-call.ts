import type { ApiOutcome } from "../broker/authorization/ports.ts";
import type { RateLimitSaid } from "../broker/ports.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import type { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";
import type { CallPriority } from "../domain/server-gate.ts";
import { boundedJson } from "../outbound/bounded-json.ts";
import { unpackBody } from "../outbound/decode-body.ts";
import type { Exchange, Outbound } from "../outbound/outbound.ts";
import { readRateLimit } from "../outbound/rate-limit.ts";
import { readRetryAfter } from "../outbound/retry-after.ts";
import { type CallPlaces, UNBOUNDED } from "./call-places.ts";

export interface ApiCallPorts {
  readonly outbound: Outbound;
  /** Our wall clock, for `Retry-After` dates alone. */
  readonly now: () => number;
  readonly deadlineMs: Milliseconds;
  /** Which call may leave when. Undefined: each at once. */
  readonly places: CallPlaces | undefined;
}

export type Failed = Exclude<ApiOutcome<never>, { kind: "ok" }>;

const BODY_LIMIT_BYTES = 16 * 1024 * 1024;
/** A page of 9,999 documents, each with at most 64 fields. */
const BOUNDS = { depth: 16, members: 1_000_000 };
const THROTTLED_DEFAULT_MS = seconds(5);

/** One GET of iManage's REST API; or, with a body, a POST that searches. The token goes in `X-Auth-Token` (C), never in the URL (T19). */
export async function callApi(
  ports: ApiCallPorts,
  server: Pick<Server, "id" | "trustedCertificates">,
  url: URL,
  accessToken: Secret,
  priority: CallPriority,
  body?: object,
): Promise<ApiOutcome<unknown>> {
  const place = (await ports.places?.take(server.id, url.pathname, priority)) ?? UNBOUNDED;
  if (place.kind === "throttled") return place;
  const exchange = await ports.outbound.exchange({
    to: "api",
    method: body === undefined ? "GET" : "POST",
    span: "imanage api",
    url: url.href,
    headers: {
      "x-auth-token": accessToken.reveal(),
      accept: "application/json",
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    deadlineMs: ports.deadlineMs,
    bodyLimitBytes: BODY_LIMIT_BYTES,
    trusted: server.trustedCertificates?.pem,
  });
  const said = rateLimitOf(exchange, ports.now());
  const told = place.leave(said);
  // A pause is known everywhere before anybody goes on; anything else costs nobody time.
  if (said.waitMs !== undefined) await told;
  return readAnswer(exchange, said);
}

function readAnswer(exchange: Exchange, said: RateLimitSaid): ApiOutcome<unknown> {
  if (exchange.kind !== "answer") return unavailable(exchange.reason);
  switch (exchange.status) {
    case 401:
      return { kind: "unauthorized" };
    case 403:
      return { kind: "forbidden" };
    case 429:
      return { kind: "throttled", retryAfterMs: said.waitMs ?? THROTTLED_DEFAULT_MS };
    case 200: {
      if (exchange.cutBy !== undefined) return unavailable(exchange.cutBy);
      const json = boundedJson(unpackBody(exchange, BODY_LIMIT_BYTES), BOUNDS);
      // HTML where JSON should be: a sign-on page or maintenance (F03).
      return json === undefined ? unavailable("not_json") : { kind: "ok", value: json.value };
    }
    default:
      return unavailable(`status_${exchange.status}`);
  }
}

function rateLimitOf(exchange: Exchange, now: number): RateLimitSaid {
  if (exchange.kind !== "answer") return {};
  const window = readRateLimit(exchange.headers, now);
  if (exchange.status !== 429) return { window };
  return { window, waitMs: readRetryAfter(exchange.headers, now) ?? window?.resetMs ?? THROTTLED_DEFAULT_MS };
}

export const unavailable = (reason: string): Failed => ({ kind: "unavailable", reason });
