import type { Response } from "express";
import type { z } from "zod";
import type { Caller } from "../broker/clients/ports.ts";
import type { ProvenClient } from "../broker/clients/tokens-on-their-way.ts";
import type { AuditNote } from "../broker/ports.ts";
import type { Client } from "../domain/client.ts";
import type { ClientId } from "../domain/id.ts";
import type { ProblemCode } from "../domain/problem-catalogue.ts";
import type { HttpDeps } from "./deps.ts";

/**
 * One route under `/v1`, with everything that the OpenAPI document says about it. Requests are strict, answers open: what a
 * schema does not name is refused on the way in.
 */
export interface Route {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  /** With `{name}` for parameters, as OpenAPI writes it. */
  readonly path: `/v1/${string}`;
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodObject;
  /** Takes an `Idempotency-Key`: repeated within a day, the request is done once. */
  readonly idempotent?: true;
  readonly answer: {
    readonly status: 200 | 201 | 204;
    readonly description: string;
    readonly schema?: z.ZodType;
    /**
     * To callers who accept `application/x-ndjson` the same is told line by line, as it comes: the handler then answers an
     * async iterable (`RouteCall.streamed`). What fails before the first line is a problem like any other. Without a `schema`
     * it is told in no other way.
     */
    readonly lines?: z.ZodType;
    /** Media types besides JSON: which one is sent, the handler says by answering with a {@link Content}. */
    readonly others?: readonly string[];
  };
  /** Besides those that any request under `/v1` can meet (`everyRoute`). */
  readonly problems: readonly ProblemCode[];
  readonly handle: (call: RouteCall<never, never, never>) => Promise<unknown>;
}

/** What any route answers: a request that cannot be read, a caller not known, a store or a record not well, a defect of ours. */
export const everyRoute = [
  "invalid_request",
  "invalid_client",
  "proof_refused_for_now",
  "store_unavailable",
  "integrity_failure",
  "internal_error",
] as const satisfies readonly ProblemCode[];

/** A request that has been read: who calls, what for, and what he sent, validated. */
export interface RouteCall<P, Q, B> {
  readonly deps: HttpDeps;
  readonly client: ClientId;
  /** The same with where it calls from: what policies are asked about. */
  readonly caller: Caller;
  /** The same as its proof named it. */
  readonly proven: ProvenClient;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly note: AuditNote;
  /** The caller's `Idempotency-Key`, on routes that take one. */
  readonly idempotencyKey: string | undefined;
  /** The caller wants lines as they come, and the route has them. */
  readonly streamed: boolean;
  /** Which of these media types the caller would rather have; the first where it is all the same to him. */
  readonly prefers: <T extends string>(...types: readonly [T, ...T[]]) => T;
  /** A signal that ends when the caller goes away. */
  readonly untilGone: () => AbortSignal;
  /** The caller's whole record, where a story needs it. */
  readonly record: () => Promise<Client>;
}

/** An answer that is not JSON. */
export class Content {
  readonly type: string;
  readonly body: string | Uint8Array;
  readonly headers: Readonly<Record<string, string>>;

  constructor(type: string, body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}) {
    this.type = type;
    this.body = body;
    this.headers = headers;
  }
}

type Read<S> = S extends z.ZodType ? z.infer<S> : undefined;

/** Ties a route's handler to its own schemas. */
export function route<
  P extends z.ZodObject | undefined = undefined,
  Q extends z.ZodObject | undefined = undefined,
  B extends z.ZodObject | undefined = undefined,
>(
  definition: Omit<Route, "params" | "query" | "body" | "handle"> & {
    readonly params?: P;
    readonly query?: Q;
    readonly body?: B;
    readonly handle: (call: RouteCall<Read<P>, Read<Q>, Read<B>>) => Promise<unknown>;
  },
): Route {
  return definition as unknown as Route;
}

/** The id under which everything about a request is answered and logged. Made here, never taken from the caller. */
export function giveRequestId(response: Response, requestId: string): void {
  response.locals.requestId = requestId;
  response.set("X-Request-Id", requestId);
}

export const requestIdOf = (response: Response): string => String(response.locals.requestId ?? "");
