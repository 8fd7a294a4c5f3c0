import type { AuditBatch, AuditEntry, AuditJournal } from "../../domain/audit-entry.ts";
import type { OrganisationId } from "../../domain/id.ts";
import type { Instant, Milliseconds } from "../../domain/instant.ts";

/** The link of a hash chain. Implementations MUST be pure: the same entries give the same links, whoever computes them. */
export interface AuditChain {
  /** What stands before a journal's first entry. 43 characters, base64url. */
  beginning(journal: AuditJournal): string;
  next(previous: string, canonical: string): string;
}

/** How far a journal has left Redis, as its one chainer holds it. */
export interface AuditHead {
  readonly kind: "taken";
  /** Raised each time that somebody takes it. */
  readonly fence: number;
  /** The last entry that was acknowledged, and its link. */
  readonly sequence: number;
  /** Undefined: nothing of this journal was ever chained. */
  readonly hash: string | undefined;
}

/** Who may move a journal's head. */
export interface AuditLease {
  readonly journal: AuditJournal;
  readonly owner: string;
  readonly fence: number;
}

export interface AuditBuffer {
  /** Entries after `after`, oldest first. */
  read(journal: AuditJournal, after: number, limit: number): Promise<readonly AuditEntry[]>;
  /**
   * Makes `owner` the one who chains this journal for `leaseMs`. `nothing`: all of it has left. `held`: by somebody who lives,
   * or has not been dead for long enough.
   */
  take(
    journal: AuditJournal,
    owner: string,
    leaseMs: Milliseconds,
  ): Promise<AuditHead | { readonly kind: "nothing" | "held" }>;
  /** Whoever still holds it holds it for another `leaseMs`; 0 lets it go. */
  renew(lease: AuditLease, leaseMs: Milliseconds): Promise<void>;
  /**
   * Moves the head from `from` to `to`: entries up to there are kept elsewhere. MUST move it only where it stands at `from` and
   * nobody has taken it since (`lost`): what a slower chainer wrote meanwhile is the same, and it stops.
   */
  advance(lease: AuditLease, from: number, to: number, hash: string): Promise<"advanced" | "lost">;
  /** Entries that no export has acknowledged yet. */
  backlog(journal: AuditJournal): Promise<number>;
  /**
   * Removes what is acknowledged and either older than `keptMs` or more than `keptMax` entries ago. Bounded: answers how many
   * went, and there may be more.
   */
  trim(journal: AuditJournal, keptMs: Milliseconds, keptMax: number): Promise<number>;
}

/** Where exported entries are kept. `write` resolves only when they would survive a crash. */
export interface AuditSink {
  write(batch: AuditBatch): Promise<void>;
}

/** Reads what Redis still has of a journal, newest first. */
export interface AuditReader {
  /** Number of the newest entry; 0: there is none. */
  newest(journal: AuditJournal): Promise<number>;
  /** Entries before `before` (undefined: from the newest one on), newest first. */
  readBack(journal: AuditJournal, before: number | undefined, limit: number): Promise<readonly AuditEntry[]>;
  /** Number of the first entry at or after `at`, among those that are there. Undefined: there is none. */
  firstSince(journal: AuditJournal, at: Instant): Promise<number | undefined>;
}

export interface AuditJournals {
  listOrganisations(): Promise<readonly { readonly id: OrganisationId }[]>;
}
