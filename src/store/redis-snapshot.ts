import { type ChainableCommander, Cluster, type Redis } from "ioredis";
import type { JournalPosition, SnapshotItem, StoredKey, StoreSnapshot } from "../broker/backup/ports.ts";
import type { AuditJournal } from "../domain/audit-entry.ts";
import { organisationId, type Route } from "../domain/id.ts";
import { Problem } from "../domain/problem.ts";
import { auditGateKey, auditHeadKey, NOT_BACKED_UP } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

const KEYS_AT_ONCE = 200;
/** So many of a shard are copied in one step, for which nobody else is served: a few milliseconds. */
const AT_A_STROKE = 500;
const ROUNDS_MAX = 20;
const STROKES_MAX = 200;
/** The channel on which a client without RESP3 hears what was changed (Redis' server-assisted client-side caching). */
const CHANGED = "__redis__:invalidate";

/**
 * Copies everything while others write. All keys are walked over once, and Redis tells meanwhile which of them change. Shard by
 * shard these are copied again, until few are left; those in one step (MULTI). What nobody had changed by the end of that step has
 * been the same all the time, so the whole shard is as it was at that step. Where something else of it had changed as well, the
 * step is made again with that.
 */
export class RedisSnapshot implements StoreSnapshot {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async *items(): AsyncIterable<SnapshotItem> {
    const { connection } = this.#store;
    const nodes = connection instanceof Cluster ? connection.nodes("master") : [connection];
    if (nodes.length === 0) throw new Problem("store_unavailable", { detail: "no master is known" });
    for (const node of nodes) {
      const walk = new NodeWalk(node);
      try {
        yield* walk.items();
      } catch (error) {
        if (error instanceof Problem) throw error;
        const detail = `Redis: ${error instanceof Error ? error.message.split(" ", 1)[0] : "unknown"}`;
        throw new Problem("store_unavailable", { detail });
      } finally {
        walk.close();
      }
    }
  }
}

class NodeWalk {
  readonly #data: Redis;
  /** Hears what changes. */
  readonly #ear: Redis;
  readonly #changed = new Map<string, Set<string>>();
  readonly #tags = new Set<string>();
  #deaf: string | undefined;

  constructor(node: Redis) {
    // A connection that was lost has missed something: the backup is made anew.
    const options = { retryStrategy: () => null, lazyConnect: false, enableOfflineQueue: true };
    this.#data = node.duplicate({ ...options, maxRetriesPerRequest: null });
    this.#ear = node.duplicate({ ...options, maxRetriesPerRequest: null });
    for (const connection of [this.#data, this.#ear]) connection.on("error", () => {});
    this.#ear.on("messageBuffer", (_: Buffer, keys: unknown) => this.#hear(keys));
  }

  close(): void {
    this.#data.disconnect();
    this.#ear.disconnect();
  }

  async *items(): AsyncIterable<SnapshotItem> {
    await this.#listen();
    let cursor = "0";
    do {
      const [next, found] = await this.#data.scan(cursor, "MATCH", "b1:*", "COUNT", KEYS_AT_ONCE);
      cursor = next;
      const keys = found.filter((key) => tagOf(key) !== undefined);
      for (const key of keys) this.#tags.add(tagOf(key)!);
      yield* this.#copy(keys);
    } while (cursor !== "0");
    await this.#catchUp();
    // What belongs to no organisation first: an organisation names clients, and none of them names an organisation that is not there.
    for (const tag of [...this.#tags].sort().reverse()) yield* this.#shard(tag);
  }

  async #listen(): Promise<void> {
    const id = await this.#ear.client("ID");
    await this.#ear.subscribe(CHANGED);
    await this.#data.call("CLIENT", "TRACKING", "ON", "REDIRECT", String(id), "BCAST", "PREFIX", "b1:");
  }

  /** Everything that was changed before this was asked for has been heard of when it resolves. */
  async #catchUp(): Promise<void> {
    // One after the other: Redis tells of changes at the end of the round in which they were made.
    await this.#data.ping();
    await this.#ear.ping();
    if (this.#deaf !== undefined)
      throw new Problem("store_unavailable", { detail: `The backup is not whole: ${this.#deaf}.` });
  }

  async *#shard(tag: string): AsyncIterable<SnapshotItem> {
    for (let round = 0; round < ROUNDS_MAX && (this.#changed.get(tag)?.size ?? 0) > AT_A_STROKE; round++) {
      const keys = this.#take(tag);
      for (let at = 0; at < keys.length; at += KEYS_AT_ONCE)
        yield* this.#copy(keys.slice(at, at + KEYS_AT_ONCE));
      await this.#catchUp();
    }
    const journal = journalOf(tag);
    const keys = new Set<string>();
    for (let stroke = 0; stroke < STROKES_MAX; stroke++) {
      for (const key of this.#take(tag)) keys.add(key);
      const { copied, position } = await this.#stroke([...keys], journal);
      await this.#catchUp();
      if ([...(this.#changed.get(tag) ?? [])].some((key) => !keys.has(key))) continue;
      for (const stored of copied) yield { kind: "key", stored };
      yield { kind: "shard", shard: { tag, journal: position } };
      this.#changed.delete(tag);
      return;
    }
    throw new Problem("store_unavailable", { detail: `${tag} was changed too fast to be copied.` });
  }

  #take(tag: string): readonly string[] {
    const keys = [...(this.#changed.get(tag) ?? [])];
    this.#changed.delete(tag);
    return keys;
  }

  async *#copy(keys: readonly string[]): AsyncIterable<SnapshotItem> {
    if (keys.length === 0) return;
    for (const stored of readKeys(keys, await answersOf(askFor(this.#data.pipeline(), keys))))
      yield { kind: "key", stored };
  }

  /** Copies keys and the journal's position as they are at one moment. */
  async #stroke(
    keys: readonly string[],
    journal: AuditJournal | undefined,
  ): Promise<{ copied: readonly StoredKey[]; position: JournalPosition | undefined }> {
    const asked = askFor(this.#data.multi(), keys);
    if (journal !== undefined) {
      asked.hmget(auditGateKey(journal), "audit", "epoch");
      asked.hmget(auditHeadKey(journal), "sequence", "hash");
    }
    const answers = await answersOf(asked);
    const [gate, head] = answers.slice(keys.length * 2) as (string | null)[][];
    const position = journal && {
      journal,
      sequence: Number(gate![0] ?? 0),
      epoch: Number(gate![1] ?? 0),
      exported: Number(head![0] ?? 0),
      hash: head![1] ?? undefined,
    };
    return { copied: readKeys(keys, answers), position };
  }

  #hear(keys: unknown): void {
    // No list: everything was deleted.
    if (!Array.isArray(keys)) this.#lost("everything was deleted meanwhile");
    else for (const bytes of keys as Buffer[]) this.#note(bytes.toString());
  }

  #note(key: string): void {
    const tag = tagOf(key);
    if (tag === undefined) return;
    this.#tags.add(tag);
    const changed = this.#changed.get(tag);
    if (changed === undefined) this.#changed.set(tag, new Set([key]));
    else changed.add(key);
  }

  #lost(why: string): void {
    this.#deaf ??= why;
  }
}

/** What lies in one slot and is copied as of one moment. Undefined: it is not copied. */
function tagOf(key: string): string | undefined {
  const tag = /^b1:\{([os]:[^}]+)\}:/.exec(key)?.[1];
  return tag === undefined || NOT_BACKED_UP.includes(tag) ? undefined : tag;
}

const journalOf = (tag: string): AuditJournal | undefined =>
  tag.startsWith("o:")
    ? organisationId(tag.slice(2) as Route)
    : tag === "s:client"
      ? "clients"
      : tag === "s:registration"
        ? "registrations"
        : undefined;

function askFor(commands: ChainableCommander, keys: readonly string[]): ChainableCommander {
  for (const key of keys) commands.dumpBuffer(key).pexpiretime(key);
  return commands;
}

async function answersOf(commands: ChainableCommander): Promise<readonly unknown[]> {
  const answers = await commands.exec();
  if (answers === null) throw new Problem("store_unavailable", { detail: "Redis gave up a transaction." });
  for (const [error] of answers) {
    if (error !== null)
      throw new Problem("store_unavailable", { detail: `Redis: ${error.message.split(" ", 1)[0]}` });
  }
  return answers.map(([, answer]) => answer);
}

const readKeys = (keys: readonly string[], answers: readonly unknown[]): readonly StoredKey[] =>
  keys.map((key, i) => {
    const ends = answers[i * 2 + 1] as number;
    return {
      key,
      value: (answers[i * 2] as Buffer | null) ?? undefined,
      expiresAt: ends > 0 ? ends : undefined,
    };
  });
