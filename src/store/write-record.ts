import type { RecordWrite } from "../broker/ports.ts";
import type { AuditAction } from "../domain/audit-actions.ts";
import { Problem } from "../domain/problem.ts";
import type { RedisStore, ScriptName } from "./redis-store.ts";

type Recorded = "organisation" | "server" | "registration" | "client" | "policy";

/**
 * A record that an operator manages, with its name and its audit entry in one script.
 *
 * What was read and what is stored are compared as records, since a reader adds what an older record lacks; that nothing
 * comes in between, the script sees by the text.
 */
export async function writeRecord<T>(
  store: RedisStore,
  script: ScriptName,
  keys: readonly string[],
  { before, fields, note }: RecordWrite<T>,
  to: {
    readonly stored: string;
    readonly read: (stored: unknown) => T;
    readonly record: T;
    readonly more: readonly (string | number)[];
    readonly audited: readonly [noun: Recorded, named: Readonly<Record<string, string>>];
  },
): Promise<void> {
  const { stored, read, record, more, audited } = to;
  const found = stored === "" ? undefined : JSON.stringify(read(JSON.parse(stored)));
  const [noun, named] = audited;
  const entry: { readonly action: AuditAction } & Readonly<Record<string, string>> = {
    action: `${noun}.${before === undefined ? "created" : "changed"}`,
    actor: note.actor,
    ...named,
    fields: fields.join(" "),
    request: note.requestId,
    address: note.address ?? "",
  };
  const outcome =
    found === (before && JSON.stringify(before)) &&
    (await store.run(script, keys, [
      stored,
      JSON.stringify(record),
      ...more,
      ...Object.entries(entry).flat(),
    ]));
  if (outcome !== "stored") throw new Problem("configuration_conflict");
}

/** Empty: nothing is stored there. */
export async function storedText(store: RedisStore, key: string): Promise<string> {
  return (await store.call((redis) => redis.get(key))) ?? "";
}

/** A record's id by its name. */
export async function idNamed(store: RedisStore, names: string, name: string): Promise<string | undefined> {
  return (await store.call((redis) => redis.hget(names, name))) ?? undefined;
}

/** Every record that has a name, in the order of ids. */
export async function allNamed<T>(
  store: RedisStore,
  names: string,
  find: (id: string) => Promise<T | undefined>,
): Promise<readonly T[]> {
  const ids = await store.call((redis) => redis.hvals(names));
  const records = await Promise.all(ids.sort().map(find));
  return records.filter((record) => record !== undefined);
}
