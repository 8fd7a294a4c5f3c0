import type { Milliseconds } from "../domain/instant.ts";
import type { HeldBack, RefreshEnd, TokenResult } from "../domain/outcomes.ts";

/**
 * Counts what happens, for operators. A call costs some ten nanoseconds and never throws; what is counted are kinds of
 * things, from lists that end: no id, name or address goes in.
 */
export interface Meters {
  /** One request for an access token, however it ended. */
  tokenRequest(result: TokenResult, by: "client" | "sync", elapsedMs: Milliseconds): void;
  /** One refresh that was begun. Exactly once. */
  refresh(end: RefreshEnd, why: "expired" | "rejected" | "due", elapsedMs: Milliseconds): void;
  /** One that was wanted and not begun. */
  refreshHeldBack(why: HeldBack): void;
  /** One request to somebody else, from its beginning to the last byte. */
  call(to: CalledParty, end: CallEnd, elapsedMs: Milliseconds): void;
  /** One answer of Redis that somebody waited for. */
  storeCall(operation: string, end: "answered" | "failed", elapsedMs: Milliseconds): void;
  /** One attempt to tell a receiver an event. */
  delivery(end: DeliveryEnd, elapsedMs: Milliseconds): void;
  /** One job of a queue. */
  job(queue: string, end: "completed" | "failed", elapsedMs: Milliseconds): void;
  /** Audit entries that have been kept elsewhere, and of one batch that could not be. */
  auditExported(entries: number): void;
  auditExportFailed(): void;
  /** One request that we answered. */
  httpRequest(surface: HttpSurface, status: number | "aborted", elapsedMs: Milliseconds): void;
}

/** What we call: iManage's token endpoint, its REST API, its revocation, a look of a diagnosis; keys that others publish. */
export type CalledParty = "token" | "api" | "revocation" | "probe" | "keys";

/** `refused`: a status below 500. `failed`: one above, or an answer that was cut. `unanswered`: it may have been acted upon. */
export type CallEnd = "ok" | "refused" | "throttled" | "failed" | "unanswered" | "not_sent";

/** `refused`: this event alone. `failed`: the receiver takes nothing. `dead`: it was the last attempt. */
export type DeliveryEnd = "taken" | "refused" | "failed" | "gone" | "dead";

/** Which of our doors. */
export type HttpSurface = "token" | "api" | "pages" | "unmatched";
