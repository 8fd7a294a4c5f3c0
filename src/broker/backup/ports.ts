import type { AuditJournal } from "../../domain/audit-entry.ts";
import type { Instant } from "../../domain/instant.ts";

/** One key of the store: its value in the store's own form, sealed as it was, and when it ends. */
export interface StoredKey {
  readonly key: string;
  /** Undefined: it was deleted while the backup was made. */
  readonly value: Uint8Array | undefined;
  /** Undefined: it stays. */
  readonly expiresAt: Instant | undefined;
}

/** What of the store belongs together and is copied as of one moment: an organisation, or records of one kind that belong to none. */
export interface Shard {
  /** `o:<route>`, or `s:<noun>`. */
  readonly tag: string;
  /** Where its journal of the audit stood at that moment; undefined: it has none. */
  readonly journal: JournalPosition | undefined;
}

export interface JournalPosition {
  readonly journal: AuditJournal;
  /** How many times the organisation was put back. */
  readonly epoch: number;
  /** Number of the newest entry. */
  readonly sequence: number;
  /** Number of the newest that had left Redis, and its link. */
  readonly exported: number;
  readonly hash: string | undefined;
}

export type SnapshotItem =
  | { readonly kind: "key"; readonly stored: StoredKey }
  /** All of it that was told, the later of two values of a key, is the shard as it was at one moment. */
  | { readonly kind: "shard"; readonly shard: Shard };

/** Reads everything that the broker keeps, while others write. */
export interface StoreSnapshot {
  /** MUST hold no more than a bounded number of keys at a time, and MUST fail where it cannot tell whether something was missed. */
  items(): AsyncIterable<SnapshotItem>;
}

/** Writes a copy into a store that holds nothing of ours. */
export interface StoreRefill {
  /** How many of our keys there are, counted no further than a thousand. */
  occupied(): Promise<number>;
  /** Before anything else: nobody works with an organisation that is not wholly there. */
  close(journals: readonly JournalPosition[], at: Instant): Promise<void>;
  write(keys: readonly StoredKey[]): Promise<void>;
}

/** A running MAC over a file, under a root key. */
export interface BackupMac {
  /** @param rootKey undefined: the primary one. @throws Problem("integrity_failure") that names it, where it is not usable */
  begin(rootKey?: string): BackupMacRun;
}

export interface BackupMacRun {
  readonly rootKey: string;
  /** The MAC over `text` and all that came before it, base64url. */
  next(text: string): string;
  /** Whether `mac` is that; in constant time. Goes on either way. */
  matches(text: string, mac: string): boolean;
}
