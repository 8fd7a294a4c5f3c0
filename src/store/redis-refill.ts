import { Cluster } from "ioredis";
import type { JournalPosition, StoredKey, StoreRefill } from "../broker/backup/ports.ts";
import { type Instant, rfc3339 } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { auditGateKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

const ENOUGH = 1_000;

/** Fills an empty store from a backup. */
export class RedisRefill implements StoreRefill {
  readonly #store: RedisStore;
  /** By the name of the gate: what says that the organisation is being put back. */
  readonly #closed = new Map<string, string>();

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async occupied(): Promise<number> {
    const { connection } = this.#store;
    const nodes = connection instanceof Cluster ? connection.nodes("master") : [connection];
    let found = 0;
    for (const node of nodes) {
      let cursor = "0";
      do {
        const [next, keys] = await node.scan(cursor, "MATCH", "b1:*", "COUNT", ENOUGH);
        // A worker that waits for this store has made its queues there: they hold nothing that a backup has.
        found += keys.filter((key) => !key.startsWith("b1:{q:")).length;
        cursor = next;
      } while (cursor !== "0" && found < ENOUGH);
    }
    return found;
  }

  async close(journals: readonly JournalPosition[], at: Instant): Promise<void> {
    for (const { journal, epoch, sequence } of journals) {
      const gate = auditGateKey(journal);
      const marker = JSON.stringify({
        since: at,
        why: "restored",
        epoch,
        from: sequence,
        backup: rfc3339(at),
      });
      this.#closed.set(gate, marker);
      await this.#store.call((redis) => redis.hset(gate, "restore", marker));
    }
  }

  async write(keys: readonly StoredKey[]): Promise<void> {
    await Promise.all(keys.map((stored) => this.#put(stored)));
  }

  async #put({ key, value, expiresAt }: StoredKey): Promise<void> {
    if (value === undefined) {
      await this.#store.call((redis) => redis.unlink(key));
      return;
    }
    const marker = this.#closed.get(key);
    await this.#store.call(async (redis) => {
      const commands = redis.multi();
      commands.call(
        "RESTORE",
        key,
        expiresAt === undefined ? 0 : expiresAt,
        Buffer.from(value),
        "REPLACE",
        ...(expiresAt === undefined ? [] : ["ABSTTL"]),
      );
      // In one step: nobody sees it open.
      if (marker !== undefined) commands.hset(key, "restore", marker);
      const failed = (await commands.exec())?.find(([error]) => error !== null)?.[0];
      if (failed)
        throw new Problem("store_unavailable", { detail: `Redis: ${failed.message.slice(0, 120)}` });
    });
  }
}
