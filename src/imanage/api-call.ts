import type { ApiOutcome } from "../broker/authorization/ports.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import type { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";
import { boundedJson } from "../outbound/bounded-json.ts";
import { decodeBody } from "../outbound/decode-body.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { readRetryAfter } from "../outbound/retry-after.ts";

export interface ApiCallPorts {
  readonly outbound: Outbound;
  /** Our wall clock, for `Retry-After` dates alone. */
  readonly now: () => number;
  readonly deadlineMs: Milliseconds;
}

export type Failed = Exclude<ApiOutcome<never>, { kind: "ok" }>;

const BODY_LIMIT_BYTES = 16 * 1024 * 1024;
/** A page of 9,999 documents, each with at most 64 fields. */
const BOUNDS = { depth: 16, members: 1_000_000 };
const THROTTLED_DEFAULT_MS = seconds(5);

/** One GET of iManage's REST API. The token goes in `X-Auth-Token` (C), never in the URL (T19). */
export async function callApi(
  { outbound, now, deadlineMs }: ApiCallPorts,
  server: Pick<Server, "trustedCertificates">,
  url: URL,
  accessToken: Secret,
): Promise<ApiOutcome<unknown>> {
  const exchange = await outbound.exchange({
    method: "GET",
    url: url.href,
    headers: { "x-auth-token": accessToken.reveal(), accept: "application/json" },
    deadlineMs,
    bodyLimitBytes: BODY_LIMIT_BYTES,
    trusted: server.trustedCertificates?.pem,
  });
  if (exchange.kind !== "answer") return unavailable(exchange.reason);
  switch (exchange.status) {
    case 401:
      return { kind: "unauthorized" };
    case 403:
      return { kind: "forbidden" };
    case 429:
      return {
        kind: "throttled",
        retryAfterMs: readRetryAfter(exchange.headers, now()) ?? THROTTLED_DEFAULT_MS,
      };
    case 200: {
      if (exchange.cutBy !== undefined) return unavailable(exchange.cutBy);
      const json = boundedJson(decodeBody(exchange, BODY_LIMIT_BYTES), BOUNDS);
      // HTML where JSON should be: a sign-on page or maintenance (F03).
      return json === undefined ? unavailable("not_json") : { kind: "ok", value: json.value };
    }
    default:
      return unavailable(`status_${exchange.status}`);
  }
}

export const unavailable = (reason: string): Failed => ({ kind: "unavailable", reason });
