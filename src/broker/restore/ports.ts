import type { AuditJournal } from "../../domain/audit-entry.ts";
import type { UpstreamUser } from "../../domain/grant.ts";
import type { GrantId, ServerId } from "../../domain/id.ts";
import type { RestoreMode } from "../../domain/restore-mode.ts";
import type { AuditNote } from "../ports.ts";

/** How far a journal has come: what is lower was earlier. */
export interface StorePosition {
  /** How many times its records were put back. */
  readonly epoch: number;
  /** Number of the newest entry. */
  readonly sequence: number;
}

/** What the store has of a grant, for who compares it with the exported audit. */
export interface StoredGrant {
  readonly id: GrantId;
  readonly server: ServerId;
  readonly owner: UpstreamUser;
  readonly state: string;
  /** Number of the entry of its newest refresh token. Undefined: it is from a version that did not note it. */
  readonly tokenSequence: number | undefined;
}

/** Keeps outside the store how far the store was. */
export interface StoreWitness {
  /** What was written last; nothing where nothing was, or where it cannot be read. */
  read(): Promise<ReadonlyMap<AuditJournal, StorePosition>>;
  /** MUST be all or nothing. */
  write(positions: ReadonlyMap<AuditJournal, StorePosition>): Promise<void>;
}

export interface RestoreStore {
  positions(
    journals: readonly AuditJournal[],
  ): Promise<readonly (StorePosition & { readonly restore: RestoreMode | undefined })[]>;
  /**
   * Stops refreshes and tokens of a journal that is older than `known`. MUST compare and stop in one step: refreshes that begin
   * afterwards, in whichever process, are refused.
   */
  enter(journal: AuditJournal, known: StorePosition): Promise<"entered" | "restoring" | "fine">;
  /** Lets the journal go on behind its last exported entry. */
  adopt(journal: AuditJournal, sequence: number, hash: string): Promise<"adopted" | "not_restoring">;
  /** In the order asked for; undefined: there is none of that id. */
  grants(ids: readonly GrantId[]): Promise<readonly (StoredGrant | undefined)[]>;
  /** Only where the grant is older than entry `sequence`. */
  mark(
    grant: GrantId,
    sequence: number,
    as: "suspect" | "reauthorization_required",
  ): Promise<"marked" | "known" | "gone" | "already">;
  release(
    journal: AuditJournal,
    stale: number,
    note: AuditNote,
  ): Promise<"released" | "not_restoring" | "not_adopted">;
}
