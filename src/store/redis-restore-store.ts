import type { AuditNote } from "../broker/ports.ts";
import type { RestoreStore, StoredGrant, StorePosition } from "../broker/restore/ports.ts";
import type { AuditJournal } from "../domain/audit-entry.ts";
import type { UpstreamUser } from "../domain/grant.ts";
import type { GrantId, ServerId } from "../domain/id.ts";
import { type RestoreMode, readRestoreMode } from "../domain/restore-mode.ts";
import { auditGateKey, auditHeadKey, auditKey, grantKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

const AT_ONCE = 100;

export class RedisRestoreStore implements RestoreStore {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  positions(
    journals: readonly AuditJournal[],
  ): Promise<readonly (StorePosition & { readonly restore: RestoreMode | undefined })[]> {
    return inPages(journals, async (journal) => {
      const [sequence, epoch, restore] = await this.#store.call((redis) =>
        redis.hmget(auditGateKey(journal), "audit", "epoch", "restore"),
      );
      return {
        sequence: Number(sequence ?? 0),
        epoch: Number(epoch ?? 0),
        restore: restore ? readRestoreMode(restore) : undefined,
      };
    });
  }

  async enter(journal: AuditJournal, known: StorePosition): Promise<"entered" | "restoring" | "fine"> {
    const answer = await this.#store.run(
      "restore-enter",
      [auditGateKey(journal)],
      [known.epoch, known.sequence],
    );
    return answer as "entered" | "restoring" | "fine";
  }

  async adopt(journal: AuditJournal, sequence: number, hash: string): Promise<"adopted" | "not_restoring"> {
    const keys = [auditGateKey(journal), auditHeadKey(journal), auditKey(journal)];
    return (await this.#store.run("restore-adopt", keys, [sequence, hash])) as "adopted" | "not_restoring";
  }

  grants(ids: readonly GrantId[]): Promise<readonly (StoredGrant | undefined)[]> {
    return inPages(ids, async (id) => {
      const [server, owner, state, sequence] = await this.#store.call((redis) =>
        redis.hmget(grantKey(id), "server", "owner", "state", "rt_seq"),
      );
      if (!server) return undefined;
      return {
        id,
        server: server as ServerId,
        owner: JSON.parse(owner ?? "{}") as UpstreamUser,
        state: state ?? "",
        tokenSequence: sequence ? Number(sequence) : undefined,
      };
    });
  }

  async mark(
    grant: GrantId,
    sequence: number,
    as: "suspect" | "reauthorization_required",
  ): Promise<"marked" | "known" | "gone" | "already"> {
    const args = [grant, sequence, as, "restored_stale"];
    return (await this.#store.run("restore-mark", [grantKey(grant)], args)) as "marked";
  }

  async release(
    journal: AuditJournal,
    stale: number,
    note: AuditNote,
  ): Promise<"released" | "not_restoring" | "not_adopted"> {
    const args = [note.actor, note.requestId, stale];
    return (await this.#store.run("restore-release", [auditGateKey(journal)], args)) as "released";
  }
}

/** Some at a time, in their order: pipelined by the connection, and never a hundred thousand at once. */
async function inPages<A, B>(all: readonly A[], one: (item: A) => Promise<B>): Promise<readonly B[]> {
  const answers: B[] = [];
  for (let i = 0; i < all.length; i += AT_ONCE)
    answers.push(...(await Promise.all(all.slice(i, i + AT_ONCE).map(one))));
  return answers;
}
