import type { AuditBuffer, AuditHead, AuditLease, AuditReader } from "../broker/audit/ports.ts";
import type { QueueAct, QueueActs } from "../broker/operators/ports.ts";
import type { AuditNote } from "../broker/ports.ts";
import type { AuditEntry, AuditJournal } from "../domain/audit-entry.ts";
import type { Instant, Milliseconds } from "../domain/instant.ts";
import { auditGateKey, auditHeadKey, auditKey } from "./keys.ts";
import { fieldsOf } from "./redis-grant-store.ts";
import type { RedisStore } from "./redis-store.ts";

/** Removed in one script: a hundred of the stream's nodes, which takes Redis well under a millisecond. */
const TRIMMED_AT_ONCE = 10_000;

export class RedisAuditBuffer implements AuditBuffer, AuditReader, QueueActs {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async read(journal: AuditJournal, after: number, limit: number): Promise<readonly AuditEntry[]> {
    const entries = await this.#store.call((redis) =>
      redis.xrange(auditKey(journal), `${after + 1}-0`, "+", "COUNT", limit),
    );
    return entries.map(entryOf);
  }

  async readBack(
    journal: AuditJournal,
    before: number | undefined,
    limit: number,
  ): Promise<readonly AuditEntry[]> {
    const end = before === undefined ? "+" : `(${before}-0`;
    const entries = await this.#store.call((redis) =>
      redis.xrevrange(auditKey(journal), end, "-", "COUNT", limit),
    );
    return entries.map(entryOf);
  }

  async newest(journal: AuditJournal): Promise<number> {
    return Number((await this.#store.call((redis) => redis.hget(auditGateKey(journal), "audit"))) ?? 0);
  }

  async firstSince(journal: AuditJournal, at: Instant): Promise<number | undefined> {
    const found = Number(await this.#store.run("audit-find", [auditKey(journal)], [at]));
    return found === 0 ? undefined : found;
  }

  async take(
    journal: AuditJournal,
    owner: string,
    leaseMs: Milliseconds,
  ): Promise<AuditHead | { readonly kind: "nothing" | "held" }> {
    const keys = [auditGateKey(journal), auditHeadKey(journal), auditKey(journal)];
    const [kind, fence, sequence, hash] = (await this.#store.run("audit-take", keys, [owner, leaseMs])) as [
      "nothing" | "held" | "taken",
      number,
      number,
      string,
    ];
    return kind === "taken" ? { kind, fence, sequence, hash: hash === "" ? undefined : hash } : { kind };
  }

  async renew({ journal, fence }: AuditLease, leaseMs: Milliseconds): Promise<void> {
    await this.#store.run("audit-renew", [auditHeadKey(journal)], [fence, leaseMs]);
  }

  async advance(
    { journal, fence }: AuditLease,
    from: number,
    to: number,
    hash: string,
  ): Promise<"advanced" | "lost"> {
    const keys = [auditGateKey(journal), auditHeadKey(journal)];
    return (await this.#store.run("audit-advance", keys, [fence, from, to, hash])) as "advanced" | "lost";
  }

  async backlog(journal: AuditJournal): Promise<number> {
    const [newest, acknowledged] = await this.#store.call((redis) =>
      redis.hmget(auditGateKey(journal), "audit", "acked"),
    );
    if (acknowledged) return Number(newest) - Number(acknowledged);
    return this.#store.call((redis) => redis.xlen(auditKey(journal)));
  }

  async noteQueueAct({ kind, queue, job }: QueueAct, note: AuditNote): Promise<void> {
    const told = [note.actor, queue, job, note.requestId, note.address ?? ""];
    await this.#store.run("note-queue-act", [auditKey("queues")], [kind, ...told]);
  }

  async trim(journal: AuditJournal, keptMs: Milliseconds, keptMax: number): Promise<number> {
    const keys = [auditGateKey(journal), auditKey(journal)];
    return Number(await this.#store.run("audit-trim", keys, [keptMs, keptMax, TRIMMED_AT_ONCE]));
  }
}

const entryOf = ([id, flat]: [id: string, flat: string[]]): AuditEntry => ({
  sequence: Number(id.slice(0, id.indexOf("-"))),
  fields: fieldsOf(flat),
});
