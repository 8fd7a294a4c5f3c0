import { LRUCache } from "lru-cache";
import { Agent, type Dispatcher } from "undici";
import type { CallEnd, CalledParty, Meters } from "../broker/meter-ports.ts";
import type { Tracer } from "../broker/tracer.ts";
import type { ConnectionSeen } from "../domain/diagnosis-seen.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { decideUrl, type EgressRules, egressRules } from "./egress-guard.ts";
import { type ConnectOptions, guardedConnector } from "./guarded-connect.ts";
import { inspectConnection } from "./inspect-connection.ts";
import { type OutboundReason, reasonOf } from "./outbound-reason.ts";
import type { EgressProxy } from "./proxy-tunnel.ts";

export interface OutboundRequest {
  /** Whom it asks, for the metrics. Undefined: it is not counted here. */
  readonly to?: CalledParty;
  readonly method: "GET" | "POST";
  /** What it is, for a trace: a kind, never a part of the address. */
  readonly span?: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** From the call to the last byte. */
  readonly deadlineMs?: Milliseconds;
  /** From the request to the answer's head. */
  readonly headersTimeoutMs?: Milliseconds;
  readonly bodyLimitBytes?: number;
  /** PEM certificates trusted for this request besides the public ones. Undefined: the public ones alone. */
  readonly trusted?: string | undefined;
}

/** What became of one request. Nothing is thrown; what was received before a cut is kept. */
export type Exchange =
  /** Surely no byte of it left: it never got a connection that the guard let through. */
  | { readonly kind: "not_sent"; readonly reason: OutboundReason }
  /** Handed to a connection, and no answer came back. It may have been acted upon. */
  | { readonly kind: "unanswered"; readonly reason: OutboundReason; readonly elapsedMs: Milliseconds }
  | ({ readonly kind: "answer" } & RawAnswer);

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case; repeated ones joined. */
  readonly headers: Readonly<Record<string, string>>;
  /** As it came, up to the limit: undecoded, perhaps cut. */
  readonly body: Uint8Array;
  /** Undefined: all of it came. */
  readonly cutBy: OutboundReason | undefined;
  readonly elapsedMs: Milliseconds;
}

export interface OutboundOptions extends Partial<EgressRules> {
  readonly connectTimeoutMs?: Milliseconds;
  readonly proxy?: EgressProxy | undefined;
  readonly monotonicMs?: () => Milliseconds;
  readonly meters?: Pick<Meters, "call">;
  readonly lookup?: ConnectOptions["lookup"];
  readonly dial?: ConnectOptions["dial"];
  readonly tracer?: Tracer | undefined;
}

export const TOKEN_BODY_LIMIT_BYTES = 256 * 1024;
const DEADLINE_MS = seconds(60);
const HEADERS_TIMEOUT_MS = seconds(30);
const CONNECT_TIMEOUT_MS = seconds(10);
const HEAD_LIMIT_BYTES = 16 * 1024;
const CONNECTIONS_PER_ORIGIN = 64;
/** Sets of connections kept: one for each bundle of private certificates in use, and the one with none. */
const AGENTS_KEPT = 1_000;

/**
 * The one door to the outside. Connections are kept per origin and opened by the guard alone, and never shared between
 * requests that trust different certificates; redirects are answers like any other; nothing is decompressed; proxies in the
 * environment are not looked at.
 */
export class Outbound {
  readonly #rules: EgressRules;
  readonly #options: OutboundOptions;
  readonly #monotonicMs: () => Milliseconds;
  /** By the PEM text they trust besides the public certificates. One that is dropped finishes what it has begun. */
  readonly #agents = new LRUCache<string, Agent>({
    max: AGENTS_KEPT,
    dispose: (agent) => {
      const closed = agent.close().finally(() => this.#closing.delete(closed));
      this.#closing.add(closed);
    },
  });
  readonly #closing = new Set<Promise<void>>();
  #closed = false;

  constructor(options: OutboundOptions = {}) {
    this.#rules = egressRules(options);
    this.#options = options;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
  }

  /** One request, once. Only the deadlines end it: no caller can. */
  exchange(request: OutboundRequest): Promise<Exchange> {
    const { tracer } = this.#options;
    if (tracer === undefined) return this.#counted(request);
    const { method, span: name = "outbound" } = request;
    return tracer.span(name, { method }, async (span) => {
      const exchange = await this.#counted(request);
      span.note(
        exchange.kind === "answer"
          ? { status: exchange.status, ...(exchange.cutBy !== undefined && { outcome: exchange.cutBy }) }
          : { outcome: `${exchange.kind} ${exchange.reason}` },
      );
      return exchange;
    });
  }

  async #counted(request: OutboundRequest): Promise<Exchange> {
    const { meters } = this.#options;
    if (meters === undefined || request.to === undefined) return this.#send(request);
    const startedAt = this.#monotonicMs();
    const exchange = await this.#send(request);
    meters.call(request.to, callEndOf(exchange), this.#monotonicMs() - startedAt);
    return exchange;
  }

  #send(request: OutboundRequest): Promise<Exchange> {
    const verdict = decideUrl(request.url, this.#rules);
    if (!verdict.allowed) return Promise.resolve({ kind: "not_sent", reason: verdict.because });
    if (this.#closed) return Promise.resolve({ kind: "not_sent", reason: "closing" });
    return new Promise((resolve) => {
      const handler = new Capture(request, this.#monotonicMs, resolve);
      try {
        this.#agentTrusting(request.trusted).dispatch(
          {
            origin: verdict.url.origin,
            path: `${verdict.url.pathname}${verdict.url.search}`,
            method: request.method,
            headers: { ...request.headers, "accept-encoding": "identity" },
            body: request.body ?? null,
          },
          handler,
        );
      } catch (error) {
        handler.end(reasonOf(error));
      }
    });
  }

  /** Goes the way of a connection step by step, through the same guard, and sends nothing on it. */
  inspect(url: string, trusted: string | undefined): Promise<ConnectionSeen> {
    return inspectConnection(this.#connecting(trusted), this.#monotonicMs, url);
  }

  /** Lets what is under way finish; what is asked afterwards is not sent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#agents.clear();
    await Promise.all(this.#closing);
  }

  #connecting(trusted: string | undefined): ConnectOptions {
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS, lookup, dial, proxy } = this.#options;
    return { rules: this.#rules, connectTimeoutMs, trusted, proxy, lookup, dial };
  }

  #agentTrusting(trusted: string | undefined): Agent {
    const key = trusted ?? "";
    const known = this.#agents.get(key);
    if (known !== undefined) return known;
    const agent = new Agent({
      connect: guardedConnector(this.#connecting(trusted)),
      allowH2: false,
      connections: CONNECTIONS_PER_ORIGIN,
      maxHeaderSize: HEAD_LIMIT_BYTES,
      // Both are timed here, from one clock and to the millisecond.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#agents.set(key, agent);
    return agent;
  }
}

function callEndOf(exchange: Exchange): CallEnd {
  if (exchange.kind !== "answer") return exchange.kind;
  const { status, cutBy } = exchange;
  if (status === 429) return "throttled";
  if (status >= 500 || cutBy !== undefined) return "failed";
  return status >= 400 ? "refused" : "ok";
}

/**
 * Follows one request through undici. `onRequestStart` is called after a connection is there and before the first byte is
 * written to it: what fails earlier was not sent, what fails later may have been acted upon.
 */
class Capture implements Dispatcher.DispatchHandler {
  readonly #limit: number;
  readonly #headersTimeoutMs: Milliseconds;
  readonly #monotonicMs: () => Milliseconds;
  readonly #startedAt: Milliseconds;
  readonly #deadline: NodeJS.Timeout;
  #headersTimer: NodeJS.Timeout | undefined;
  #settle: ((exchange: Exchange) => void) | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #head: Pick<RawAnswer, "status" | "headers"> | undefined;
  readonly #chunks: Uint8Array[] = [];
  #received = 0;

  constructor(
    request: OutboundRequest,
    monotonicMs: () => Milliseconds,
    settle: (exchange: Exchange) => void,
  ) {
    this.#limit = request.bodyLimitBytes ?? TOKEN_BODY_LIMIT_BYTES;
    this.#headersTimeoutMs = request.headersTimeoutMs ?? HEADERS_TIMEOUT_MS;
    this.#monotonicMs = monotonicMs;
    this.#startedAt = monotonicMs();
    this.#settle = settle;
    this.#deadline = setTimeout(() => this.#cut("deadline"), request.deadlineMs ?? DEADLINE_MS);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#settle === undefined) {
      // The deadline passed while we waited for a connection, and the caller was told that nothing left.
      controller.abort(new Error("deadline"));
      return;
    }
    this.#controller = controller;
    this.#headersTimer = setTimeout(() => this.#cut("headers_timeout"), this.#headersTimeoutMs);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // 1xx is not the answer yet.
    if (status < 200) return;
    clearTimeout(this.#headersTimer);
    this.#head = { status, headers: joined(headers) };
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    const room = this.#limit - this.#received;
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    this.#received += Math.min(chunk.length, room);
    if (chunk.length > room) this.#cut("body_too_large");
  }

  onResponseEnd(): void {
    this.end(undefined);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.end(reasonOf(error));
  }

  end(reason: OutboundReason | undefined): void {
    const settle = this.#settle;
    this.#settle = undefined;
    clearTimeout(this.#deadline);
    clearTimeout(this.#headersTimer);
    settle?.(this.#exchange(reason));
  }

  #cut(reason: OutboundReason): void {
    this.end(reason);
    this.#controller?.abort(new Error(reason));
  }

  #exchange(reason: OutboundReason | undefined): Exchange {
    const elapsedMs = this.#monotonicMs() - this.#startedAt;
    if (this.#head !== undefined)
      return { kind: "answer", ...this.#head, body: Buffer.concat(this.#chunks), cutBy: reason, elapsedMs };
    if (this.#controller !== undefined) return { kind: "unanswered", reason: reason ?? "failed", elapsedMs };
    return { kind: "not_sent", reason: reason ?? "failed" };
  }
}

function joined(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) result[name.toLowerCase()] = Array.isArray(value) ? value.join(", ") : value;
  }
  return result;
}
