import type { MigrationJournal, MigrationProgress, StoreFormats } from "../broker/records/migration-ports.ts";
import type { Instant, Milliseconds } from "../domain/instant.ts";
import type { SeenProcess, StoreMark } from "../domain/store-format.ts";
import { migrationKey, processesKey, storeFormatKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

/** What a store says of itself as a whole: its format, who is at work on it, how far migrations are. */
export class RedisStoreFormat implements StoreFormats, MigrationJournal {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async mark(): Promise<StoreMark | undefined> {
    const stored = await this.#store.call((redis) => redis.hmget(storeFormatKey(), "format", "since", "by"));
    return stored[0] === null ? undefined : markOf(stored);
  }

  async begin(format: number, by: string): Promise<StoreMark> {
    return markOf((await this.#store.run("format-begin", [storeFormatKey()], [format, by])) as string[]);
  }

  async raise(format: number, by: string, seenWithinMs: Milliseconds): Promise<readonly SeenProcess[]> {
    const keys = [storeFormatKey(), processesKey()];
    const held = await this.#store.run("format-raise", keys, [format, by, seenWithinMs]);
    return (held as string[]).map((text) => JSON.parse(text) as SeenProcess);
  }

  async announce({ id, ...process }: Omit<SeenProcess, "seenAt">): Promise<void> {
    await this.#store.run("process-announce", [processesKey()], [id, JSON.stringify({ id, ...process })]);
  }

  async leave(id: string): Promise<void> {
    await this.#store.call((redis) => redis.hdel(processesKey(), id));
  }

  async processes(): Promise<{ readonly now: Instant; readonly seen: readonly SeenProcess[] }> {
    const stored = await this.#store.call((redis) => redis.hvals(processesKey()));
    const seen = stored.map((text) => JSON.parse(text) as SeenProcess);
    return { now: await this.#store.now(), seen: seen.sort((a, b) => b.startedAt - a.startedAt) };
  }

  async find(migration: string): Promise<MigrationProgress | undefined> {
    const field = await this.#store.call((redis) => redis.hgetall(migrationKey(migration)));
    if (field.started_at === undefined) return undefined;
    return {
      cursor: field.cursor === "" ? undefined : field.cursor,
      looked: Number(field.looked),
      changed: Number(field.changed),
      missed: Number(field.missed),
      startedAt: Number(field.started_at),
      doneAt: field.done_at === undefined ? undefined : Number(field.done_at),
    };
  }

  async note(
    migration: string,
    { cursor = "", looked, changed, missed }: Parameters<MigrationJournal["note"]>[1],
    done: boolean,
  ): Promise<void> {
    const key = migrationKey(migration);
    const now = await this.#store.now();
    const fields = { cursor, looked, changed, missed, ...(done && { done_at: now }) };
    await this.#store.call((redis) => redis.multi().hsetnx(key, "started_at", now).hset(key, fields).exec());
  }
}

const markOf = ([format, since, by]: readonly (string | null)[]): StoreMark => ({
  format: Number(format),
  since: Number(since),
  by: by ?? "",
});
