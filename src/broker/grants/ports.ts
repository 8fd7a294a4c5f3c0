import type { Grant } from "../../domain/grant.ts";
import type { TimelineEntry } from "../../domain/grant-timeline.ts";
import type {
  ClientId,
  ContainmentId,
  GrantId,
  OrganisationId,
  RegistrationId,
  ServerId,
} from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import type { Sealed } from "../../domain/sealed.ts";
import type { UserSubject } from "../../domain/subject.ts";
import type { AuditNote } from "../ports.ts";

export interface GrantStore {
  findGrant(id: GrantId): Promise<Grant | undefined>;
  /**
   * Grants by creation, newest last.
   * @param after answers those behind this position; undefined: from the start.
   */
  listGrants(
    organisation: OrganisationId,
    after: GrantPosition | undefined,
    limit: number,
  ): Promise<readonly Grant[]>;
  /** How many of an organisation's grants somebody uses. */
  countGrants(organisation: OrganisationId): Promise<number>;
  /** Who uses a grant. */
  listBindings(id: GrantId): Promise<readonly GrantBinding[]>;
  /** Ends a grant with all its bindings; its tokens go to the revocation outbox. MUST stop every replica at once. */
  deleteGrant(id: GrantId, note: AuditNote): Promise<"deleted" | "gone">;
  /** What is kept of a grant, oldest first: about the newest two hundred entries, also when it is gone, for as long as the audit. */
  timeline(id: GrantId): Promise<readonly TimelineEntry[]>;
  /** The grant that one user of a client is bound to. */
  findUserGrant(server: ServerId, client: ClientId, subject: UserSubject): Promise<GrantId | undefined>;
  /**
   * Lets another user of the same client have one's binding. MUST change nothing unless the one is bound to this grant, and the other to
   * it or to none (T11).
   */
  moveUser(
    server: ServerId,
    client: ClientId,
    move: { readonly from: UserSubject; readonly to: UserSubject; readonly grant: GrantId },
    note: AuditNote,
  ): Promise<"moved" | "already" | "unbound" | "bound_to_another" | "contained">;
  /**
   * Takes one user's binding back; the last one gone ends the grant. Answers the grant it was bound to.
   * @param from MUST leave a binding to any other grant alone: it may be another person's by now
   */
  unbindUser(
    server: ServerId,
    client: ClientId,
    subject: UserSubject,
    note: AuditNote,
    from?: GrantId,
  ): Promise<GrantId | undefined>;
}

export interface GrantPosition {
  readonly createdAt: Instant;
  readonly id: GrantId;
}

export type GrantBinding =
  | {
      readonly type: "user";
      readonly client: ClientId;
      readonly subject: UserSubject;
      readonly since: Instant;
    }
  | { readonly type: "library"; readonly library: string; readonly since: Instant };

/** The schedule of record: one due set per organisation, and a hint across organisations that may be lost. */
export interface RefreshSchedule {
  /** Organisations that have something due, by the hint. */
  dueOrganisations(limit: number): Promise<readonly OrganisationId[]>;
  /** Grants of an organisation that are due now, soonest first. */
  dueGrants(organisation: OrganisationId, limit: number): Promise<readonly GrantId[]>;
  /** Ends grants that nothing was bound to in time. Answers how many. */
  reapUnbound(organisation: OrganisationId, limit: number): Promise<number>;
  /** Notes on the timelines of an organisation's grants whose refresh tokens end soon. Answers how many. */
  warnOfExpiry(organisation: OrganisationId, limit: number): Promise<number>;
  /** Writes the hint anew from the organisation's own due set. */
  restateHint(organisation: OrganisationId): Promise<void>;
}

/** Tokens of ended grants, waiting to be revoked at iManage. */
export interface RevocationOutbox {
  /** The oldest, or those behind `after`. */
  pending(
    organisation: OrganisationId,
    limit: number,
    after?: PendingRevocation["entry"],
  ): Promise<readonly PendingRevocation[]>;
  /**
   * What became of one. `refused` leaves it in the outbox, until a containment's has been refused often enough for long enough.
   * A containment's receipt MUST be written in the same step; whoever comes second writes none.
   */
  settle(
    organisation: OrganisationId,
    entry: PendingRevocation["entry"],
    outcome: RevocationOutcome,
  ): Promise<"settled" | "waits" | "gone">;
}

export type RevocationOutcome =
  | { readonly kind: "revoked" | "already_dead" }
  /** Nothing can be done, or nothing may. */
  | { readonly kind: "given_up"; readonly why: string }
  | { readonly kind: "refused"; readonly why: string };

export interface PendingRevocation {
  /** Names the entry in its outbox. */
  readonly entry: string;
  readonly grant: GrantId;
  readonly server: ServerId;
  readonly registration: RegistrationId;
  readonly consentGeneration: number;
  readonly kind: "access-token" | "refresh-token";
  readonly token: Sealed;
  readonly attempt: number;
  readonly since: Instant;
  /** Which containment wants it, and keeps its receipt. */
  readonly containment?: ContainmentId;
}
