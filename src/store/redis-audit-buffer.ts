import type { AuditBuffer, AuditEntry, AuditJournal } from "../broker/audit/ports.ts";
import { auditKey } from "./keys.ts";
import { fieldsOf } from "./redis-grant-store.ts";
import type { RedisStore } from "./redis-store.ts";

export class RedisAuditBuffer implements AuditBuffer {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async read(journal: AuditJournal, limit: number): Promise<readonly AuditEntry[]> {
    const entries = await this.#store.call((redis) =>
      redis.xrange(auditKey(journal), "-", "+", "COUNT", limit),
    );
    return entries.map(([id, flat]) => ({
      sequence: Number(id.slice(0, id.indexOf("-"))),
      fields: fieldsOf(flat),
    }));
  }

  async acknowledge(journal: AuditJournal, sequence: number): Promise<void> {
    await this.#store.call((redis) => redis.xtrim(auditKey(journal), "MINID", `${sequence + 1}-0`));
  }

  async size(journal: AuditJournal): Promise<number> {
    return this.#store.call((redis) => redis.xlen(auditKey(journal)));
  }
}
