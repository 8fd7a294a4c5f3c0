import type { OrganisationId } from "../../domain/id.ts";

/** Whose entries are numbered together: an organisation's, or those of records that belong to none. */
export type AuditJournal = OrganisationId | SharedJournal;
/** `registrations`: the operator's, which organisations share. */
export const SHARED_JOURNALS = ["clients", "registrations"] as const;
export type SharedJournal = (typeof SHARED_JOURNALS)[number];

/** One line of the audit, as the script that did the thing wrote it. */
export interface AuditEntry {
  /** Contiguous in its journal, from 1. */
  readonly sequence: number;
  readonly fields: Readonly<Record<string, string>>;
}

export interface AuditBuffer {
  /** The oldest entries that no export has acknowledged yet. */
  read(journal: AuditJournal, limit: number): Promise<readonly AuditEntry[]>;
  /** Entries up to `sequence` are kept elsewhere now and leave the buffer. */
  acknowledge(journal: AuditJournal, sequence: number): Promise<void>;
  size(journal: AuditJournal): Promise<number>;
}

/** Where exported entries are kept. `write` resolves only when they would survive a crash. */
export interface AuditSink {
  write(journal: AuditJournal, entries: readonly AuditEntry[]): Promise<void>;
}
