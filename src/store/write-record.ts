import type { RecordWrite } from "../broker/ports.ts";
import { Problem } from "../domain/problem.ts";
import type { RedisStore, ScriptName } from "./redis-store.ts";
import { AlteredRecord, ClosedRecord, type SealedRecords } from "./sealed-records.ts";

/** Where records that operators manage are kept, and what makes them believed. */
export interface RecordPlaces {
  readonly store: RedisStore;
  readonly sealed: SealedRecords;
}

/**
 * A record that an operator manages, with its name and its audit entry in one script.
 *
 * What was read and what is stored are compared as records, since a reader adds what an older record lacks; that nothing
 * comes in between, the script sees by the text.
 */
export async function writeRecord<T>(
  { store, sealed }: RecordPlaces,
  script: ScriptName,
  keys: readonly [record: string, ...others: string[]],
  { before, fields, act, note }: RecordWrite<T>,
  to: {
    readonly stored: string | null;
    readonly read: (stored: unknown) => T;
    /** Undefined: it is deleted. */
    readonly record: (T & object) | undefined;
    readonly more: readonly (string | number)[];
    readonly audited: readonly [noun: string, named: Readonly<Record<string, string>>];
  },
): Promise<void> {
  const { stored, read, record, more, audited } = to;
  const [place] = keys;
  const found = sealed.read(place, stored, read);
  const [noun, named] = audited;
  const entry = {
    action: `${noun}.${act ?? (before === undefined ? "created" : record === undefined ? "deleted" : "changed")}`,
    actor: note.actor,
    ...named,
    fields: fields.join(" "),
    request: note.requestId,
    address: note.address ?? "",
  };
  const outcome =
    JSON.stringify(found) === JSON.stringify(before) &&
    (await store.run(script, keys, [
      stored ?? "",
      record === undefined ? "" : sealed.seal(place, record),
      ...more,
      ...Object.entries(entry).flat(),
    ]));
  if (outcome !== "stored") throw new Problem("configuration_conflict");
}

/** Null: nothing is stored there. */
export const storedText = (store: RedisStore, key: string): Promise<string | null> =>
  store.call((redis) => redis.get(key));

/** A record by its name. Names lie beside records: that a name leads to a record of another name is refused here. */
export async function findNamed<T extends { readonly name: string }>(
  { store, sealed }: RecordPlaces,
  names: string,
  name: string,
  find: (id: string) => Promise<T | undefined>,
  belongs: (record: T) => boolean = () => true,
): Promise<T | undefined> {
  const id = await store.call((redis) => redis.hget(names, name));
  if (id === null) return undefined;
  const record = await find(id);
  if (record !== undefined && (record.name !== name || !belongs(record)))
    throw sealed.misled(`${names} ${name}`, id);
  return record;
}

/**
 * Every record that has a name, in the order of ids. One that was altered is left out, and told in the log: it must not keep
 * the jobs from all others. So is one whose root key is missing, unless it is so with all of them: then the keyset is wrong. Who
 * wants it by its id or name is refused.
 */
export async function allNamed<T extends { readonly name: string }>(
  { store, sealed }: RecordPlaces,
  names: string,
  find: (id: string) => Promise<T | undefined>,
  belongs: (record: T) => boolean = () => true,
  { mayBeNone = false }: { readonly mayBeNone?: boolean } = {},
): Promise<readonly T[]> {
  const ids = Object.entries(await store.call((redis) => redis.hgetall(names)));
  const records = await Promise.all(
    ids
      .sort(([, a], [, b]) => (a < b ? -1 : 1))
      .map(async ([name, id]) => {
        try {
          const record = await find(id);
          if (record === undefined || (record.name === name && belongs(record))) return record;
          throw sealed.misled(`${names} ${name}`, id);
        } catch (error) {
          if (error instanceof AlteredRecord) return undefined;
          if (error instanceof ClosedRecord) return error;
          throw error;
        }
      }),
  );
  const closed = records.filter((record) => record instanceof ClosedRecord);
  const open = records.filter((record) => record !== undefined && !(record instanceof ClosedRecord)) as T[];
  if (closed.length > 0 && open.length === 0 && !mayBeNone) throw closed[0]!;
  for (const record of closed) sealed.leftOut(record);
  return open;
}
