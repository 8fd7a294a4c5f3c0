import type { ServerDirectory } from "../broker/authorization/ports.ts";
import type { ClientStore } from "../broker/clients/ports.ts";
import type { Stops } from "../broker/containment/ports.ts";
import type { AuditNote, Clock, Log, Random, Sealer, Timers } from "../broker/ports.ts";
import type { ClientId, GrantId, OrganisationId, ServerId, SyncId } from "../domain/id.ts";
import type { Instant, Milliseconds } from "../domain/instant.ts";
import type { ProblemCode } from "../domain/problem-catalogue.ts";
import type { Sealed } from "../domain/sealed.ts";
import type { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";
import type { LibrarySubject } from "../domain/subject.ts";
import type { DueSync } from "../domain/sync-turns.ts";
import type { SyncWish } from "../domain/sync-wish.ts";
import type { SyncCursor } from "./cursor.ts";
import type { DocumentSource } from "./library-source.ts";
import type { ObjectSource } from "./object-source.ts";
import type { SyncSpace } from "./reading-ports.ts";
import type { SyncField } from "./sync-fields.ts";

export type {
  DocumentPage,
  DocumentQuery,
  DocumentSource,
  EventPage,
  LibraryDocument,
  LibraryEvent,
} from "./library-source.ts";

/** What the stories of this room need. `main` introduces them. */
export interface SyncPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly timers: Pick<Timers, "after">;
  readonly sealer: Pick<Sealer, "seal" | "open" | "fingerprint" | "digests">;
  readonly syncs: SyncStore;
  readonly space: SyncSpace;
  readonly schedule: SyncSchedule;
  readonly announcements: ChangeAnnouncements;
  readonly documents: DocumentSource;
  readonly objects: ObjectSource;
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
  /** Whose: a scan that begins with one admin's eyes and ends with another's proves nothing. */
  readonly grant: GrantId;
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
  readonly fields: readonly SyncField[] | undefined;
  readonly createdAt: Instant;
  readonly state: SyncState;
  /** Why it is parked: what the one who must act has to know. */
  readonly parkedBecause: ProblemCode | undefined;
  readonly cursor: SyncCursor;
  /** When the pass under way began; undefined between two. */
  readonly passStartedAt: Instant | undefined;
  /** Since when it knows all that was there when it began. */
  readonly baselineAt: Instant | undefined;
  readonly lastCompleteAt: Instant | undefined;
  readonly lastError: { readonly code: ProblemCode; readonly at: Instant } | undefined;
  /** When the schedule looks at it next; undefined while paused. */
  readonly dueAt: Instant | undefined;
  readonly counts: SyncCounts;
}

/** `parked`: waits for a person, and goes on by itself once he has acted. `paused`: the client said so. */
export type SyncState = "active" | "paused" | "parked";

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
  readonly fields: readonly SyncField[] | undefined;
}

export interface SyncStore {
  /**
   * Stores a sync, due at once. MUST be atomic, and idempotent by client × server × library × workspaces: where there is one already
   * it is left as it is, and its id is the answer.
   * @throws Problem("configuration_refused") where the client has as many as it may
   */
  insertSync(sync: NewSync, note: AuditNote): Promise<{ readonly id: SyncId; readonly created: boolean }>;
  findSync(id: SyncId): Promise<Sync | undefined>;
  /** A client's syncs in one organisation, oldest first. */
  listSyncs(organisation: OrganisationId, client: ClientId): Promise<readonly Sync[]>;
  /** Those of every client, for operators. */
  listAllSyncs(organisation: OrganisationId): Promise<readonly Sync[]>;
  /** Makes a sync due. A pass that is under way is followed by another: it may have gone past what changed. */
  wantSync(id: SyncId): Promise<"wanted" | "paused" | "gone">;
  /** A paused sync is due no more, and whoever is running it can commit no further page. */
  pauseSync(id: SyncId, note: AuditNote): Promise<"paused" | "gone">;
  resumeSync(id: SyncId, note: AuditNote): Promise<"resumed" | "gone">;
  /**
   * Forgets how far a sync has read, not what it has told: the next pass looks at everything again and tells what is otherwise.
   * Whoever is running it can commit no further page. Also ends what an operator was to decide.
   */
  resetSync(id: SyncId, note: AuditNote): Promise<"reset" | "gone">;
  changeInterval(id: SyncId, intervalMs: Milliseconds, note: AuditNote): Promise<"changed" | "gone">;
  /** Ends a sync with its objects and its changes. */
  deleteSync(id: SyncId, note: AuditNote): Promise<"deleted" | "gone">;

  /**
   * Begins a pass, or goes on with the one under way. The sync is due again after `quietMs`: should its run die, the
   * schedule finds it.
   */
  beginRun(id: SyncId, quietMs: Milliseconds): Promise<BeginRunAnswer>;
  /** What is remembered of these objects, in their order. */
  remembered(id: SyncId, objects: readonly string[]): Promise<readonly (Remembered | undefined)[]>;
  /**
   * Objects that the scan of this number has not met, some at a time.
   * @param from where the answer before ended; undefined: from the beginning.
   */
  unmarked(id: SyncId, scan: number, from: string | undefined, limit: number): Promise<Unmarked>;
  /**
   * Stores a page: its changes, the versions told, and how to go on. MUST be atomic, and only if `page.sequence` is the
   * one that is due; otherwise answers `overtaken` and changes nothing. Makes a parked sync active.
   */
  commitPage(id: SyncId, page: SyncPage, quietMs: Milliseconds): Promise<CommitAnswer>;
  /** Ends a run before its pass is complete. Changes nothing once another page than `sequence` is due. */
  endRun(id: SyncId, sequence: number, end: RunEnd): Promise<void>;

  /** What an operator decided on deletions that are held: goes on from `cursor`, at once. MUST be atomic, as a page is. */
  decideDeletions(
    id: SyncId,
    decision: {
      readonly cursor: SyncCursor;
      readonly how: "released" | "discarded";
    },
    note: AuditNote,
  ): Promise<"decided" | "overtaken" | "gone">;

  /**
   * Changes behind `after` in the order of the stream.
   * @param after undefined: from the oldest that is kept.
   */
  readChanges(id: SyncId, after: ChangeId | undefined, limit: number): Promise<ReadChangesAnswer>;
}

export type BeginRunAnswer =
  | {
      readonly kind: "begun";
      readonly sync: Sync & { readonly passStartedAt: Instant };
      /** The store's own time: what lies in a cursor is compared with it. */
      readonly now: Instant;
    }
  /** Someone has just run it: a job that came twice. */
  | { readonly kind: "not_due" }
  | { readonly kind: "paused" }
  | { readonly kind: "gone" };

export type CommitAnswer = "committed" | "overtaken" | "paused" | "gone";

/** All that is kept of an object. */
export interface Remembered {
  /** Digest of what was told of it. */
  readonly version: string;
  /** Number of the last scan that met it; of the feed, the one that was under way or came before. */
  readonly scan: number;
}

export interface Unmarked {
  readonly objects: readonly string[];
  /** Undefined: these were the last. */
  readonly next: string | undefined;
}

export interface SyncPage {
  readonly sequence: number;
  /** How to go on. */
  readonly cursor: SyncCursor;
  readonly changes: readonly Sealed[];
  readonly marks: readonly (readonly [object: string, remembered: Remembered])[];
  readonly forgotten: readonly string[];
  /** Documents that iManage has shown. */
  readonly documents: number;
  readonly unreadable: number;
  /** A full scan ends with this page. */
  readonly scanned?: boolean;
  readonly pass: PassEnd;
  /** It tells what changes, and stays parked with this reason. */
  readonly waitsFor?: ProblemCode | undefined;
}

/**
 * `more`: the pass goes on. `again`: it is over, and the next is due at once, since a scan is under way.
 * `complete`: it is over, and the sync knows all that has happened. `held`: it is over, but for deletions that an operator decides on.
 */
export type PassEnd = "more" | "again" | "complete" | "held";

export interface RunEnd {
  /** When the sync is due again. */
  readonly retryAfterMs: Milliseconds;
  /** Undefined: nothing was wrong, it gave way to others. */
  readonly code: ProblemCode | undefined;
  /** A person must act first. */
  readonly park: boolean;
  /** To go on from, where it is not from where the run stood. */
  readonly cursor?: SyncCursor;
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
