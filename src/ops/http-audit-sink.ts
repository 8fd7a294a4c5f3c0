import { Agent, request } from "undici";
import type { AuditSink } from "../broker/audit/ports.ts";
import type { Timers } from "../broker/ports.ts";
import { linesOf } from "../domain/audit-entry.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import type { Secret } from "../domain/secret.ts";

export interface HttpAuditSinkOptions {
  readonly url: string;
  /** Sent as a bearer token (RFC 6750); undefined: none. */
  readonly token: () => Promise<Secret | undefined>;
  /** PEM certificates trusted instead of the public ones. */
  readonly ca: string | undefined;
  readonly timers: Pick<Timers, "after">;
  readonly deadlineMs?: Milliseconds;
  readonly pauseMs?: Milliseconds;
}

/** What became of the last try: a status, or a code of the way there (`ECONNREFUSED`, `UND_ERR_HEADERS_TIMEOUT` …). */
export class AuditHttpError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(`the audit was not taken by AUDIT_HTTP_URL: ${code}`);
    this.name = "AuditHttpError";
    this.code = code;
  }
}

const TRIES = 3;
const DEADLINE_MS = seconds(10);
const PAUSE_MS = seconds(1);

/**
 * Posts the audit as JSON lines (`application/x-ndjson`). Only 2xx acknowledges: a redirect is none. What was not acknowledged
 * comes again, sooner or later, with the same numbers: journal and sequence name an entry, and the receiver drops the second.
 * The address is an operator's setting, so no tenant chooses it.
 */
export function makeHttpAuditSink(options: HttpAuditSinkOptions): AuditSink & { close(): Promise<void> } {
  const { deadlineMs = DEADLINE_MS, pauseMs = PAUSE_MS } = options;
  const agent = new Agent({
    connections: 2,
    headersTimeout: deadlineMs,
    bodyTimeout: deadlineMs,
    connect: { timeout: deadlineMs, ...(options.ca !== undefined && { ca: options.ca }) },
  });

  /** Undefined: taken. */
  const post = async (key: string, body: string): Promise<string | undefined> => {
    try {
      const token = await options.token();
      const { statusCode, body: answer } = await request(options.url, {
        dispatcher: agent,
        method: "POST",
        headers: {
          "content-type": "application/x-ndjson",
          "idempotency-key": key,
          ...(token && { authorization: `Bearer ${token.reveal()}` }),
        },
        body,
        signal: AbortSignal.timeout(deadlineMs),
      });
      await answer.dump({ limit: 16_384 }).catch(() => {});
      return statusCode >= 200 && statusCode < 300 ? undefined : `HTTP_${statusCode}`;
    } catch (error) {
      const { code, name } = error as { code?: unknown; name?: unknown };
      return String(code ?? name ?? "unknown").slice(0, 60);
    }
  };

  return {
    async write(batch) {
      const { journal, entries } = batch;
      const key = `${journal}:${entries[0]!.sequence}-${entries.at(-1)!.sequence}`;
      const body = linesOf(batch);
      let refused: string | undefined;
      for (let tries = 1; tries <= TRIES; tries++) {
        refused = await post(key, body);
        if (refused === undefined) return;
        // What the receiver will say again at once is left to the next run.
        if (/^HTTP_[34]/.test(refused) && refused !== "HTTP_408" && refused !== "HTTP_429") break;
        if (tries < TRIES) await options.timers.after(pauseMs * tries).elapsed;
      }
      throw new AuditHttpError(refused ?? "unknown");
    },
    close: () => agent.close(),
  };
}
