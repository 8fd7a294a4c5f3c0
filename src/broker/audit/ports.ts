import type { OrganisationId } from "../../domain/id.ts";

/** One line of the audit, as the script that did the thing wrote it. */
export interface AuditEntry {
  /** Contiguous in its organisation, from 1. */
  readonly sequence: number;
  readonly fields: Readonly<Record<string, string>>;
}

export interface AuditBuffer {
  /** The oldest entries that no export has acknowledged yet. */
  read(organisation: OrganisationId, limit: number): Promise<readonly AuditEntry[]>;
  /** Entries up to `sequence` are kept elsewhere now and leave the buffer. */
  acknowledge(organisation: OrganisationId, sequence: number): Promise<void>;
  size(organisation: OrganisationId): Promise<number>;
}

/** Where exported entries are kept. `write` resolves only when they would survive a crash. */
export interface AuditSink {
  write(organisation: OrganisationId, entries: readonly AuditEntry[]): Promise<void>;
}
