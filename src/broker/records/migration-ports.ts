import type { Instant, Milliseconds } from "../../domain/instant.ts";
import type { SeenProcess, StoreMark } from "../../domain/store-format.ts";
import type { AuditNote } from "../ports.ts";

/** What a store says of itself as a whole, and who is at work on it. */
export interface StoreFormats {
  /** Undefined: nobody has marked it yet. */
  mark(): Promise<StoreMark | undefined>;
  /** Marks a store that has no mark. MUST be atomic; answers the mark that is there then. */
  begin(format: number, by: string): Promise<StoreMark>;
  /**
   * Lets records of a newer format be written. MUST be atomic, and never lowers the mark. Answers the processes that do not read
   * it and were seen within `seenWithinMs`: as long as there is one, nothing is raised.
   */
  raise(format: number, by: string, seenWithinMs: Milliseconds): Promise<readonly SeenProcess[]>;
  /** Says that a process is at work; it says so again and again. */
  announce(process: Omit<SeenProcess, "seenAt">): Promise<void>;
  leave(id: string): Promise<void>;
  /** Who was seen within the last hour, newest first. */
  processes(): Promise<{ readonly now: Instant; readonly seen: readonly SeenProcess[] }>;
}

/** Kinds of records that a migration may go through. */
export type MigratedNoun =
  | "organisation"
  | "server"
  | "registration"
  | "client"
  | "policy"
  | "subscription"
  | "grant";

export type RecordFields = Readonly<Record<string, unknown>>;

/** One stored record as a migration sees it: the members of a JSON record, the fields of a hash. */
export interface MigratedRecord {
  /** Key name. */
  readonly place: string;
  readonly fields: RecordFields;
}

/** Records one after another, whoever changes them meanwhile. */
export interface RecordWalk {
  /** How many there are, about: for a progress bar. */
  count(noun: MigratedNoun): Promise<number>;
  /**
   * All of them in a fixed order, in batches of at most `limit`, behind `after`. What is there all the time is met; what comes or
   * goes meanwhile may be. `cursor` is where to go on once the batch is done.
   */
  batches(
    noun: MigratedNoun,
    after: string | undefined,
    limit: number,
  ): AsyncIterable<{ readonly records: readonly MigratedRecord[]; readonly cursor: string }>;
  /**
   * Writes what a migration made of a record. MUST be atomic. False: what was read of it is another by now, and nothing was
   * written. Records that operators manage leave an audit entry in the same step.
   */
  write(record: MigratedRecord, to: RecordFields, note: AuditNote): Promise<boolean>;
}

/** How far a migration has come, for whoever goes on with it. */
export interface MigrationProgress {
  readonly cursor: string | undefined;
  /** Of the pass under way. */
  readonly looked: number;
  /** In all. */
  readonly changed: number;
  /** Records that were another by the time they were to be written: this pass is not the last one. */
  readonly missed: number;
  readonly startedAt: Instant;
  readonly doneAt: Instant | undefined;
}

export interface MigrationJournal {
  find(migration: string): Promise<MigrationProgress | undefined>;
  /** Notes how far it is; the time is the store's. */
  note(
    migration: string,
    progress: Omit<MigrationProgress, "startedAt" | "doneAt">,
    done: boolean,
  ): Promise<void>;
}
