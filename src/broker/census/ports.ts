import type { GrantState } from "../../domain/grant.ts";
import type { OrganisationId, ServerId } from "../../domain/id.ts";
import type { Instant, Milliseconds } from "../../domain/instant.ts";
import type { GateReason } from "../../domain/server-gate.ts";

/** What there is, of one organisation or of all together. */
export interface Census {
  readonly grants: Readonly<Record<GrantState, number>>;
  /** Authorizations whose refresh token ends within so long: their owners must renew them. Each counts in the longer ones too. */
  readonly ending: Readonly<Record<"1d" | "7d" | "30d", number>>;
  /** Grants to be refreshed within so long. */
  readonly due: Readonly<Record<"now" | "1h" | "1d", number>>;
  /** How long the refresh that waits longest has been due. */
  readonly overdueMs: Milliseconds;
  readonly auditBacklog: number;
  readonly auditOldestMs: Milliseconds;
  /** Tokens that wait to be revoked at iManage. */
  readonly revocations: number;
  readonly revocationOldestMs: Milliseconds;
  readonly receivers: Readonly<Record<"answering" | "down" | "off", number>>;
  readonly receiverDownMs: Milliseconds;
  /** Events on the lanes of subscriptions. */
  readonly eventsWaiting: number;
  /** Of the log, behind the subscription that has read least of it. */
  readonly eventsUnread: number;
  readonly eventsOldestMs: Milliseconds;
  readonly deadLetters: number;
  readonly syncs: Readonly<Record<"active" | "paused" | "parked", number>>;
  /** Since the last complete pass of the active sync for which that is longest. */
  readonly syncLagMs: Milliseconds;
  /** Active ones without a complete pass for three intervals and a minute. */
  readonly syncsBehind: number;
  readonly servers: readonly ServerGate[];
}

export interface ServerGate {
  readonly id: ServerId;
  readonly gate: "passing" | Exclude<GateReason, "busy">;
  /** Since when it has been closed. */
  readonly closedMs: Milliseconds;
}

/** Of all organisations, taken at one moment. */
export interface SharedCensus extends Omit<Census, "servers"> {
  readonly takenAt: Instant;
  readonly organisations: number;
  /** How many servers stand at which gate; and those that are not passing, the longest first, as many as are named. */
  readonly gates: Readonly<Record<ServerGate["gate"], number>>;
  readonly closed: readonly ServerGate[];
}

export interface AgedCensus {
  readonly census: SharedCensus;
  readonly ageMs: Milliseconds;
}

export interface CensusStore {
  now(): Promise<Instant>;
  /** MUST take a time that does not grow with the number of grants, events or documents. */
  ofOrganisation(organisation: OrganisationId): Promise<Census>;
  /** What somebody has taken last. */
  findShared(): Promise<SharedCensus | undefined>;
  /** True for one caller, until `ms` have passed. */
  lead(ms: Milliseconds): Promise<boolean>;
  share(census: SharedCensus): Promise<void>;
}

export interface CensusOrganisations {
  listOrganisationNames(): Promise<readonly { readonly id: OrganisationId }[]>;
}
