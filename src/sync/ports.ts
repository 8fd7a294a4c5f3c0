import type { ApiOutcome, ServerDirectory } from "../broker/authorization/ports.ts";
import type { ClientStore } from "../broker/clients/ports.ts";
import type { Stops } from "../broker/containment/ports.ts";
import type { AuditNote, Clock, Log, Random, Sealer } from "../broker/ports.ts";
import type { ClientId, OrganisationId, ServerId, SyncId } from "../domain/id.ts";
import type { Instant, Milliseconds } from "../domain/instant.ts";
import type { ProblemCode } from "../domain/problem-catalogue.ts";
import type { Sealed } from "../domain/sealed.ts";
import type { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";
import type { LibrarySubject } from "../domain/subject.ts";
import type { DueSync } from "../domain/sync-turns.ts";
import type { SyncWish } from "../domain/sync-wish.ts";
import type { DocumentField } from "./document-fields.ts";

/** What the stories of this room need. `main` introduces them. */
export interface SyncPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly sealer: Pick<Sealer, "seal" | "open" | "fingerprint">;
  readonly syncs: SyncStore;
  readonly schedule: SyncSchedule;
  readonly announcements: ChangeAnnouncements;
  readonly documents: DocumentSource;
  readonly servers: Pick<ServerDirectory, "findServer">;
  /** Policies: action `sync`. Standings as whoever lets clients in sees them: nobody else asks where a worker acts. */
  readonly clients: Pick<ClientStore, "findPolicy" | "findStanding">;
  /** What was read for a client stays here where its tokens are stopped. */
  readonly stops: Stops;
  /** `AccessTokens.provide`: so policy, containment, rate and audit hold for a worker as for anyone. */
  readonly accessToken: (request: SyncTokenRequest) => Promise<SyncToken>;
}

export interface SyncTokenRequest {
  /** By what in the client's policy: the token stays in the broker, so `sync` is enough. */
  readonly action: "sync";
  readonly client: ClientId;
  readonly server: ServerId;
  readonly subject: LibrarySubject;
  /** Fingerprint of a token that iManage answered 401 to. */
  readonly rejected?: string;
  readonly note: AuditNote;
}

export interface SyncToken {
  readonly accessToken: Secret;
  readonly fingerprint: string;
  readonly server: Server;
  readonly customerId: string;
}

/** A client's standing wish to be told what changes in one library. */
export interface Sync {
  readonly v: 1;
  readonly id: SyncId;
  readonly organisation: OrganisationId;
  readonly client: ClientId;
  readonly server: ServerId;
  readonly library: string;
  readonly wish: SyncWish;
  /** From the start of one pass to the start of the next. */
  readonly intervalMs: Milliseconds;
  /** What a change tells; undefined: every field. */
  readonly fields: readonly DocumentField[] | undefined;
  readonly createdAt: Instant;
  readonly state: SyncState;
  /** Why it is parked: what the one who must act has to know. */
  readonly parkedBecause: ProblemCode | undefined;
  readonly cursor: SyncCursor;
  readonly lastCompleteAt: Instant | undefined;
  readonly lastError: { readonly code: ProblemCode; readonly at: Instant } | undefined;
  /** When the schedule looks at it next; undefined while paused. */
  readonly dueAt: Instant | undefined;
  readonly counts: SyncCounts;
}

/** `parked`: waits for a person, and goes on by itself once he has acted. `paused`: the client said so. */
export type SyncState = "active" | "paused" | "parked";

/** How far a sync has read. Everything needed to go on after a kill. */
export interface SyncCursor {
  /** Number of the next page, over all passes: whoever commits another number is told that he is late. */
  readonly sequence: number;
  /** Documents edited since then are read; undefined: all of them. */
  readonly editedFrom: Instant | undefined;
  /** The pass under way; undefined between two. */
  readonly pass: PassCursor | undefined;
}

export interface PassCursor {
  readonly startedAt: Instant;
  /** iManage's cursor of the next page; undefined: its first. */
  readonly page: string | undefined;
  /** The latest edit date met in this pass. */
  readonly latestEditAt: Instant | undefined;
}

export interface SyncCounts {
  /** Passes that were completed. */
  readonly passes: number;
  /** Rows that iManage has shown. */
  readonly documents: number;
  /** Changes that went into the stream. */
  readonly changes: number;
  /** Rows without an id, number or version: nothing could be told about them. */
  readonly unreadable: number;
  /** Objects whose version is remembered. */
  readonly objects: number;
  /** Failures since the last page that was stored. */
  readonly failures: number;
}

export interface NewSync {
  readonly id: SyncId;
  readonly client: ClientId;
  readonly server: ServerId;
  readonly library: string;
  readonly wish: SyncWish;
  readonly intervalMs: Milliseconds;
  readonly fields: readonly DocumentField[] | undefined;
}

export interface SyncStore {
  /**
   * Stores a sync, due at once. MUST be atomic, and idempotent by client × server × library × workspaces: where there is one already
   * it is left as it is, and its id is the answer.
   */
  insertSync(sync: NewSync, note: AuditNote): Promise<{ readonly id: SyncId; readonly created: boolean }>;
  findSync(id: SyncId): Promise<Sync | undefined>;
  /** A client's syncs in one organisation, oldest first. */
  listSyncs(organisation: OrganisationId, client: ClientId): Promise<readonly Sync[]>;
  /** Makes a sync due. A pass that is under way is followed by another: it may have gone past what changed. */
  wantSync(id: SyncId): Promise<"wanted" | "paused" | "gone">;
  /** A paused sync is due no more, and whoever is running it can commit no further page. */
  pauseSync(id: SyncId, note: AuditNote): Promise<"paused" | "gone">;
  resumeSync(id: SyncId, note: AuditNote): Promise<"resumed" | "gone">;
  /** Ends a sync with its objects and its changes. */
  deleteSync(id: SyncId, note: AuditNote): Promise<"deleted" | "gone">;

  /**
   * Begins a pass, or goes on with the one under way. The sync is due again after `quietMs`: should its run die, the
   * schedule finds it.
   */
  beginRun(id: SyncId, quietMs: Milliseconds): Promise<BeginRunAnswer>;
  /** The versions last told of these objects, in their order. */
  toldVersions(id: SyncId, objects: readonly string[]): Promise<readonly (string | undefined)[]>;
  /**
   * Stores a page: its changes, the versions told, and how to go on. MUST be atomic, and only if `page.sequence` is the
   * one that is due; otherwise answers `overtaken` and changes nothing. Makes a parked sync active.
   */
  commitPage(id: SyncId, page: SyncPage, quietMs: Milliseconds): Promise<CommitAnswer>;
  /** Ends a run before its pass is complete. Changes nothing once another page than `sequence` is due. */
  endRun(id: SyncId, sequence: number, end: RunEnd): Promise<void>;

  /**
   * Changes behind `after` in the order of the stream.
   * @param after undefined: from the oldest that is kept.
   */
  readChanges(id: SyncId, after: ChangeId | undefined, limit: number): Promise<ReadChangesAnswer>;
}

export type BeginRunAnswer =
  | { readonly kind: "begun"; readonly sync: Sync & { readonly cursor: { readonly pass: PassCursor } } }
  /** Someone has just run it: a job that came twice. */
  | { readonly kind: "not_due" }
  | { readonly kind: "paused" }
  | { readonly kind: "gone" };

export type CommitAnswer = "committed" | "overtaken" | "paused" | "gone";

export interface SyncPage {
  readonly sequence: number;
  readonly changes: readonly NewChange[];
  readonly documents: number;
  readonly unreadable: number;
  readonly latestEditAt: Instant | undefined;
  /** Undefined: this was the last page, the pass is complete. */
  readonly next: string | undefined;
  /** From where the next pass reads, should this one be complete. */
  readonly editedFrom: Instant | undefined;
}

/** What is stored of a change: the object's id and version to compare with, all else sealed. */
export interface NewChange {
  readonly object: string;
  readonly version: string;
  readonly sealed: Sealed;
}

export interface RunEnd {
  /** When the sync is due again. */
  readonly retryAfterMs: Milliseconds;
  /** Undefined: nothing was wrong, it gave way to others. */
  readonly code: ProblemCode | undefined;
  /** A person must act first. */
  readonly park: boolean;
  /** Forget iManage's page cursor: the pass starts again from its first page. */
  readonly restartPass: boolean;
}

/** `<sequence of the page>-<index in the page>`: known before it is stored, so that it can be part of the seal. */
export type ChangeId = `${number}-${number}`;

export interface StoredChange {
  readonly id: ChangeId;
  /** When it was stored. */
  readonly storedAt: Instant;
  readonly sealed: Sealed;
}

export type ReadChangesAnswer =
  | {
      readonly kind: "read";
      readonly changes: readonly StoredChange[];
      /** Older changes than the oldest that is kept have been dropped. */
      readonly truncated: boolean;
    }
  /** What follows `after` is not kept any more. */
  | { readonly kind: "expired" };

/** The schedule of record (design §3.9), as `RefreshSchedule` is for grants. */
export interface SyncSchedule {
  /** Organisations that may have something due, by the hint. */
  dueOrganisations(limit: number): Promise<readonly OrganisationId[]>;
  dueSyncs(organisation: OrganisationId, limit: number): Promise<readonly SyncId[]>;
  /** How far these of one organisation have come, as their turns need to know; those that are gone are left out. */
  findDue(ids: readonly SyncId[]): Promise<readonly DueSync[]>;
  /** Writes the hint anew from the organisation's own due set. MUST never leave it later than the truth. */
  restateHint(organisation: OrganisationId): Promise<void>;
  /** The same for every organisation: what heals a hint that was lost. */
  restateAllHints(): Promise<void>;
}

/** Wakes whoever waits for changes. Announcements may be lost: read again afterwards, decide nothing from them. */
export interface ChangeAnnouncements {
  /** Listens from now on; `arrived` resolves with the next announcement, after `timeoutMs`, or when cancelled. */
  next(id: SyncId, timeoutMs: Milliseconds): { readonly arrived: Promise<void>; cancel(): void };
}

/** A library's documents, as iManage lists them. `ImanageApi` is one. */
export interface DocumentSource {
  listDocuments(server: Server, accessToken: Secret, query: DocumentQuery): Promise<ApiOutcome<DocumentPage>>;
}

export interface DocumentQuery {
  readonly customerId: string;
  readonly library: string;
  /** Both ends belong to the window. */
  readonly editedFrom: Instant | undefined;
  readonly editedTo: Instant | undefined;
  readonly cursor: string | undefined;
  readonly limit: number;
}

export interface DocumentPage {
  readonly documents: readonly LibraryDocument[];
  /** Undefined: this was the last page. */
  readonly next: string | undefined;
  readonly unreadable: number;
}

/** iManage's own noun, read: a document as its library lists it. */
export interface LibraryDocument {
  /** `LIB!number.version`. */
  readonly id: string;
  readonly number: number;
  readonly version: number;
  readonly name: string | undefined;
  readonly extension: string | undefined;
  readonly size: number | undefined;
  readonly class: string | undefined;
  readonly author: string | undefined;
  readonly lastUser: string | undefined;
  readonly createdAt: Instant | undefined;
  readonly editedAt: Instant | undefined;
  readonly profileEditedAt: Instant | undefined;
  readonly fileEditedAt: Instant | undefined;
  readonly workspaceId: string | undefined;
  readonly workspaceName: string | undefined;
  readonly defaultSecurity: string | undefined;
  readonly checkedOut: boolean | undefined;
  readonly custom1: string | undefined;
  readonly custom2: string | undefined;
}
