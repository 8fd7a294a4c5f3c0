import { minutes } from "../../domain/instant.ts";
import type { SeenProcess } from "../../domain/store-format.ts";
import type { AuditNote, Timers } from "../ports.ts";
import type { MigrationJournal, MigrationProgress, RecordWalk, StoreFormats } from "./migration-ports.ts";
import type { Migration } from "./migrations.ts";

export interface MigratePorts {
  readonly migrations: readonly Migration[];
  readonly walk: RecordWalk;
  readonly journal: MigrationJournal;
  readonly formats: StoreFormats;
  readonly timers: Pick<Timers, "after">;
  readonly monotonicMs: () => number;
  /** Version of this process, for the store's mark. */
  readonly version: string;
}

export interface MigrateOptions {
  readonly dryRun: boolean;
  readonly note: AuditNote;
  /** Records looked at in a second, at most. */
  readonly perSecond: number;
  readonly batch?: number;
  /** Told after each batch. */
  readonly onProgress?: (migration: Migration, progress: MigrationStep) => void;
  /** Ends after the batch under way; what is done stays done. */
  readonly signal?: AbortSignal;
}

export interface MigrationStep {
  readonly looked: number;
  readonly changed: number;
  /** About; a record may come or go. */
  readonly of: number;
}

export interface MigrationOutcome {
  readonly name: string;
  readonly does: string;
  /** `before`: a run before this one ended it. `unfinished`: it was stopped, or records changed under it all the time. */
  readonly state: "before" | "done" | "would" | "unfinished";
  readonly looked: number;
  /** Written; in a dry run, what would be. */
  readonly changed: number;
  /** The store's format is raised for it. */
  readonly raises: number | undefined;
}

/** A process that is gone without a word counts for as long. */
export const SEEN_WITHIN_MS = minutes(1);
const BATCH = 100;
/** Passes over all records while others change them. One without a miss is enough. */
const PASSES_MAX = 5;

/**
 * Runs every migration that is not done, in their order. It may be killed anywhere: each batch is noted once it is written, a
 * record is changed in one step and only as it was read, and what is changed already is left alone.
 * @throws MigrationHeld while a process is at work that does not read what would be written
 */
export async function migrateRecords(
  ports: MigratePorts,
  options: MigrateOptions,
): Promise<readonly MigrationOutcome[]> {
  const outcomes: MigrationOutcome[] = [];
  let mark = await ports.formats.mark();
  for (const migration of ports.migrations) {
    const before = await ports.journal.find(migration.name);
    const told = { name: migration.name, does: migration.does };
    if (before?.doneAt !== undefined) {
      outcomes.push({ ...told, state: "before", looked: 0, changed: before.changed, raises: undefined });
      continue;
    }
    const raises = mark !== undefined && migration.format > mark.format ? migration.format : undefined;
    if (raises !== undefined && !options.dryRun) {
      await raiseOrRefuse(ports, raises);
      mark = { ...mark!, format: raises };
    }
    outcomes.push({ ...told, ...(await run(ports, migration, before, options)), raises });
    if (outcomes.at(-1)?.state === "unfinished") break;
  }
  return outcomes;
}

/** Before the first record of the new format: who does not read it must be gone by then, and must not come back. */
async function raiseOrRefuse({ formats, version }: MigratePorts, format: number): Promise<void> {
  const held = await formats.raise(format, version, SEEN_WITHIN_MS);
  if (held.length === 0) return;
  throw new MigrationHeld(
    `Format ${format} is not read by ${held.map(inWords).join(", ")}. Replace these processes by this version first; who was killed counts for a minute. Nothing was changed.`,
  );
}

/** Somebody is at work who could not read what would be written. */
export class MigrationHeld extends Error {}

const inWords = ({ roles, version, host, pid }: SeenProcess): string =>
  `${roles.join(" and ")} ${version} on ${host} (process ${pid})`;

async function run(
  ports: MigratePorts,
  migration: Migration,
  before: MigrationProgress | undefined,
  options: MigrateOptions,
): Promise<Pick<MigrationOutcome, "state" | "looked" | "changed">> {
  const { dryRun, signal } = options;
  const of = await ports.walk.count(migration.noun);
  let pass = { cursor: dryRun ? undefined : before?.cursor, looked: 0, changed: 0, missed: 0 };
  if (!dryRun && before !== undefined) pass = { ...pass, ...counted(before) };
  for (let passes = 0; passes < PASSES_MAX; passes++) {
    for await (const progress of walkOnce(ports, migration, pass, options)) {
      pass = progress;
      if (!dryRun) await ports.journal.note(migration.name, pass, false);
      options.onProgress?.(migration, { looked: pass.looked, changed: pass.changed, of });
      if (signal?.aborted) return { state: "unfinished", looked: pass.looked, changed: pass.changed };
    }
    const { looked, changed } = pass;
    if (dryRun) return { state: "would", looked, changed };
    if (pass.missed === 0) {
      await ports.journal.note(migration.name, pass, true);
      return { state: "done", looked, changed };
    }
    pass = { cursor: undefined, looked: 0, changed, missed: 0 };
  }
  return { state: "unfinished", looked: pass.looked, changed: pass.changed };
}

const counted = ({ looked, changed, missed }: MigrationProgress) => ({ looked, changed, missed });

type Pass = Pick<MigrationProgress, "cursor" | "looked" | "changed" | "missed">;

async function* walkOnce(
  { walk, timers, monotonicMs }: MigratePorts,
  { noun, change }: Migration,
  from: Pass,
  { dryRun, note, perSecond, batch = BATCH }: MigrateOptions,
): AsyncIterable<Pass> {
  let pass = from;
  for await (const { records, cursor } of walk.batches(noun, from.cursor, batch)) {
    const begunAt = monotonicMs();
    let { changed, missed } = pass;
    for (const record of records) {
      const to = change(record.fields);
      if (to === undefined) continue;
      if (dryRun || (await walk.write(record, to, note))) changed += 1;
      else missed += 1;
    }
    pass = { cursor, looked: pass.looked + records.length, changed, missed };
    yield pass;
    const restMs = (records.length / perSecond) * 1_000 - (monotonicMs() - begunAt);
    if (restMs > 0) await timers.after(restMs).elapsed;
  }
}
