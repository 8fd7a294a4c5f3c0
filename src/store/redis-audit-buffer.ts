import type { AuditBuffer, AuditEntry } from "../broker/audit/ports.ts";
import type { OrganisationId } from "../domain/id.ts";
import { auditKey } from "./keys.ts";
import { fieldsOf } from "./redis-grant-store.ts";
import type { RedisStore } from "./redis-store.ts";

export class RedisAuditBuffer implements AuditBuffer {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async read(organisation: OrganisationId, limit: number): Promise<readonly AuditEntry[]> {
    const entries = await this.#store.call((redis) =>
      redis.xrange(auditKey(organisation), "-", "+", "COUNT", limit),
    );
    return entries.map(([id, flat]) => ({
      sequence: Number(id.slice(0, id.indexOf("-"))),
      fields: fieldsOf(flat),
    }));
  }

  async acknowledge(organisation: OrganisationId, sequence: number): Promise<void> {
    await this.#store.call((redis) => redis.xtrim(auditKey(organisation), "MINID", `${sequence + 1}-0`));
  }

  async size(organisation: OrganisationId): Promise<number> {
    return this.#store.call((redis) => redis.xlen(auditKey(organisation)));
  }
}
