import type { ApiOutcome } from "../broker/authorization/ports.ts";
import type { CallBudget, RateLimitSaid, Timers } from "../broker/ports.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";
import type { CallPriority } from "../domain/server-gate.ts";
import { boundedJson } from "../outbound/bounded-json.ts";
import { unpackBody } from "../outbound/decode-body.ts";
import type { Exchange, Outbound } from "../outbound/outbound.ts";
import { readRateLimit } from "../outbound/rate-limit.ts";
import { readRetryAfter } from "../outbound/retry-after.ts";

export interface ApiCallPorts {
  readonly outbound: Outbound;
  /** Our wall clock, for `Retry-After` dates alone. */
  readonly now: () => number;
  readonly deadlineMs: Milliseconds;
  /** Which call may leave when. Undefined: each at once. */
  readonly budget: ServerBudget | undefined;
}

export interface ServerBudget {
  readonly calls: CallBudget;
  readonly timers: Pick<Timers, "after">;
  /** A name for a call that no other has. */
  readonly makeCallId: () => string;
}

export type Failed = Exclude<ApiOutcome<never>, { kind: "ok" }>;

const BODY_LIMIT_BYTES = 16 * 1024 * 1024;
/** A page of 9,999 documents, each with at most 64 fields. */
const BOUNDS = { depth: 16, members: 1_000_000 };
const THROTTLED_DEFAULT_MS = seconds(5);
/** A person waits that long sooner than he is told to come back; a job gives its place to another. */
const PATIENCE_MS: Readonly<Record<CallPriority, Milliseconds>> = {
  interactive: seconds(5),
  quick: seconds(1),
  scan: seconds(1),
};

/** One GET of iManage's REST API; or, with a body, a POST that searches. The token goes in `X-Auth-Token` (C), never in the URL (T19). */
export async function callApi(
  ports: ApiCallPorts,
  server: Pick<Server, "id" | "trustedCertificates">,
  url: URL,
  accessToken: Secret,
  priority: CallPriority,
  body?: object,
): Promise<ApiOutcome<unknown>> {
  const place = await takePlace(ports.budget, server, url.pathname, priority);
  if (place.kind === "throttled") return place;
  const exchange = await ports.outbound.exchange({
    method: body === undefined ? "GET" : "POST",
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

interface Place {
  readonly kind: "place";
  leave(said: RateLimitSaid): Promise<void>;
}

const UNBOUNDED: Place = { kind: "place", leave: async () => {} };

/** Waits for a place as long as `priority` has patience; longer waits are the caller's, as if iManage had asked for them. */
async function takePlace(
  budget: ServerBudget | undefined,
  { id }: Pick<Server, "id">,
  asker: string,
  priority: CallPriority,
): Promise<Place | Extract<Failed, { kind: "throttled" }>> {
  if (budget === undefined) return UNBOUNDED;
  const { calls, timers } = budget;
  const call = budget.makeCallId();
  for (let left = PATIENCE_MS[priority]; ; ) {
    const answer = await calls
      .ask(id, { call, asker, priority, patienceMs: left })
      .catch((error: unknown) => {
        // Whoever waits for a page does not do without it because nobody counts.
        if (priority === "interactive" && error instanceof Problem) return undefined;
        throw error;
      });
    if (answer === undefined) return UNBOUNDED;
    if (answer.kind === "go") {
      if (answer.afterMs > 0) await timers.after(answer.afterMs).elapsed;
      return {
        kind: "place",
        // Told or not, the answer is there; what is not told ends by itself (`callLimits.lifeMs`).
        leave: (said) => calls.tell(id, call, said).catch(() => {}),
      };
    }
    left -= answer.waitMs;
    if (left < 0) return { kind: "throttled", retryAfterMs: answer.waitMs };
    await timers.after(answer.waitMs).elapsed;
  }
}

export const unavailable = (reason: string): Failed => ({ kind: "unavailable", reason });
