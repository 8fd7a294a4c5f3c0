import type { LibrarySync, LibrarySyncs } from "../broker/libraries/ports.ts";
import type { AuditNote } from "../broker/ports.ts";
import {
  type ClientId,
  type OrganisationId,
  organisationOf,
  type ServerId,
  type SyncId,
} from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { Sealed } from "../domain/sealed.ts";
import type { DueSync } from "../domain/sync-turns.ts";
import type { SyncCursor } from "../sync/cursor.ts";
import type {
  BeginRunAnswer,
  ChangeId,
  CommitAnswer,
  NewSync,
  ReadChangesAnswer,
  Remembered,
  RunEnd,
  Sync,
  SyncPage,
  SyncSchedule,
  SyncStore,
  Unmarked,
} from "../sync/ports.ts";
import { DueHint } from "./due-hint.ts";
import {
  organisationNamesKey,
  startsKey,
  syncChangesKey,
  syncDueHintKey,
  syncDueKey,
  syncKey,
  syncObjectsKey,
  syncsKey,
} from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";
import { readRemembered, readSync, writeCursor } from "./sync-record.ts";

export interface RedisSyncStoreOptions {
  /** Changes kept of one sync; the oldest go. */
  readonly changesKept?: number;
  /** Syncs that a client may have in an organisation. */
  readonly perClientMax?: number;
}

export const CHANGES_KEPT = 100_000;
/** For every library and hundreds of workspaces; not for one a document. */
const PER_CLIENT_MAX = 1_000;
const SCANNED_AT_ONCE = 1_000;

/** Syncs, their cursors, what they have told, and when to look at them again. */
export class RedisSyncStore implements SyncStore, SyncSchedule, LibrarySyncs {
  readonly #store: RedisStore;
  readonly #changesKept: number;
  readonly #perClientMax: number;
  readonly #dueHint: DueHint;

  constructor(store: RedisStore, options: RedisSyncStoreOptions = {}) {
    this.#store = store;
    this.#dueHint = new DueHint(store, syncDueHintKey(), syncDueKey);
    this.#changesKept = options.changesKept ?? CHANGES_KEPT;
    this.#perClientMax = options.perClientMax ?? PER_CLIENT_MAX;
  }

  async insertSync(sync: NewSync, note: AuditNote): Promise<{ id: SyncId; created: boolean }> {
    const organisation = organisationOf(sync.id);
    const stored = (await this.#store.run(
      "sync-insert",
      [syncsKey(organisation), syncKey(sync.id), syncDueKey(organisation)],
      [
        nameInIndex(sync),
        sync.id,
        sync.client,
        sync.server,
        sync.library,
        sync.intervalMs,
        sync.fields === undefined ? "" : JSON.stringify(sync.fields),
        JSON.stringify(sync.wish),
        note.actor,
        note.requestId,
        this.#perClientMax,
      ],
    )) as SyncId | "";
    if (stored === "") {
      const detail = `A client has at most ${this.#perClientMax} syncs in an organisation: delete those that nobody reads.`;
      throw new Problem("configuration_refused", { detail });
    }
    await this.#hintSooner(organisation, stored);
    return { id: stored, created: stored === sync.id };
  }

  async findSync(id: SyncId): Promise<Sync | undefined> {
    return readSync(id, await this.#store.call((redis) => redis.hgetall(syncKey(id))));
  }

  async listSyncs(organisation: OrganisationId, client: ClientId): Promise<readonly Sync[]> {
    const index = await this.#store.call((redis) => redis.hgetall(syncsKey(organisation)));
    const ids = Object.entries(index).flatMap(([name, id]) =>
      name.startsWith(`${client} `) ? [id as SyncId] : [],
    );
    // Ids begin with the time they were made at.
    const syncs = await Promise.all(ids.sort().map((id) => this.findSync(id)));
    return syncs.filter((sync) => sync !== undefined);
  }

  async listLibrarySyncs(server: ServerId): Promise<readonly LibrarySync[]> {
    const index = await this.#store.call((redis) => redis.hgetall(syncsKey(organisationOf(server))));
    const ids = Object.entries(index).flatMap(([name, id]) =>
      name.split(" ", 2)[1] === server ? [id as SyncId] : [],
    );
    const syncs = await Promise.all(ids.sort().map((id) => this.findSync(id)));
    return syncs
      .filter((sync) => sync !== undefined)
      .map(({ counts, ...sync }) => ({ ...sync, failures: counts.failures }));
  }

  async listAllSyncs(organisation: OrganisationId): Promise<readonly Sync[]> {
    const ids = (await this.#store.call((redis) => redis.hvals(syncsKey(organisation)))) as SyncId[];
    const syncs = await Promise.all(ids.sort().map((id) => this.findSync(id)));
    return syncs.filter((sync) => sync !== undefined);
  }

  async wantSync(id: SyncId): Promise<"wanted" | "paused" | "gone"> {
    return (await this.#steer(id, "want")) as "wanted" | "paused" | "gone";
  }

  async pauseSync(id: SyncId, note: AuditNote): Promise<"paused" | "gone"> {
    return (await this.#steer(id, "pause", note)) as "paused" | "gone";
  }

  async resumeSync(id: SyncId, note: AuditNote): Promise<"resumed" | "gone"> {
    return (await this.#steer(id, "resume", note)) as "resumed" | "gone";
  }

  async resetSync(id: SyncId, note: AuditNote): Promise<"reset" | "gone"> {
    return (await this.#steer(id, "reset", note)) as "reset" | "gone";
  }

  async changeInterval(id: SyncId, intervalMs: Milliseconds, note: AuditNote): Promise<"changed" | "gone"> {
    return (await this.#steer(id, "every", note, intervalMs)) as "changed" | "gone";
  }

  async deleteSync(id: SyncId, note: AuditNote): Promise<"deleted" | "gone"> {
    const organisation = organisationOf(id);
    return (await this.#store.run(
      "sync-delete",
      [syncKey(id), syncsKey(organisation), syncObjectsKey(id), syncChangesKey(id), syncDueKey(organisation)],
      [id, note.actor, note.requestId],
    )) as "deleted" | "gone";
  }

  async beginRun(id: SyncId, quietMs: Milliseconds): Promise<BeginRunAnswer> {
    const answer = (await this.#store.run(
      "sync-begin",
      [syncKey(id), syncDueKey(organisationOf(id))],
      [id, quietMs],
    )) as Exclude<BeginRunAnswer["kind"], "begun"> | ["begun", string];
    if (typeof answer === "string") return { kind: answer };
    // Read afterwards: what another run stores in between is found by the number of its page.
    const sync = await this.findSync(id);
    if (sync === undefined) return { kind: "gone" };
    const { passStartedAt } = sync;
    return passStartedAt === undefined
      ? { kind: "not_due" }
      : { kind: "begun", sync: { ...sync, passStartedAt }, now: Number(answer[1]) };
  }

  async remembered(id: SyncId, objects: readonly string[]): Promise<readonly (Remembered | undefined)[]> {
    if (objects.length === 0) return [];
    const kept = (await this.#store.run(
      "sync-remembered",
      [syncObjectsKey(id)],
      [JSON.stringify(objects)],
    )) as (number | string)[];
    const known = new Array<Remembered | undefined>(objects.length).fill(undefined);
    for (let i = 0; i < kept.length; i += 2) known[Number(kept[i])] = readRemembered(String(kept[i + 1]));
    return known;
  }

  async unmarked(id: SyncId, scan: number, from: string | undefined, limit: number): Promise<Unmarked> {
    const objects: string[] = [];
    let next = from ?? "0";
    do {
      const [cursor, found] = await this.#store.call((redis) =>
        redis.hscan(syncObjectsKey(id), next, "COUNT", SCANNED_AT_ONCE),
      );
      for (let i = 0; i < found.length; i += 2) {
        if (readRemembered(found[i + 1]!).scan !== scan) objects.push(found[i]!);
      }
      next = cursor;
    } while (next !== "0" && objects.length < limit);
    return { objects, next: next === "0" ? undefined : next };
  }

  async commitPage(id: SyncId, page: SyncPage, quietMs: Milliseconds): Promise<CommitAnswer> {
    const organisation = organisationOf(id);
    const { cursor, pass, changes, marks, forgotten } = page;
    const answer = (await this.#store.run(
      "sync-commit",
      [syncKey(id), syncDueKey(organisation), syncObjectsKey(id), syncChangesKey(id)],
      [
        id,
        page.sequence,
        page.documents,
        page.unreadable,
        writeCursor(cursor),
        cursor.scans,
        pass === "more" ? 0 : 1,
        pass === "complete" || (pass === "again" && cursor.lastScan !== undefined) ? 1 : 0,
        pass === "again" ? 1 : 0,
        cursor.lastScan === undefined ? 0 : 1,
        quietMs,
        this.#changesKept,
        changes.length,
        forgotten.length,
        page.scanned ? 1 : 0,
        page.waitsFor ?? "",
        // One argument, because of a scan's page there are thousands.
        JSON.stringify(writeMarks(marks)),
        ...changes,
        ...forgotten,
      ],
    )) as CommitAnswer;
    // The next pass may be due before the quiet time that was noted while this one ran.
    if (pass !== "more") await this.#hintSooner(organisation, id);
    return answer;
  }

  async endRun(id: SyncId, sequence: number, end: RunEnd): Promise<void> {
    const { cursor } = end;
    await this.#store.run(
      "sync-end",
      [syncKey(id), syncDueKey(organisationOf(id))],
      [
        id,
        sequence,
        Math.ceil(end.retryAfterMs),
        end.code ?? "",
        end.park ? 1 : 0,
        cursor === undefined ? "" : writeCursor(cursor),
        cursor?.scans ?? "",
      ],
    );
    await this.#hintSooner(organisationOf(id), id);
  }

  async decideDeletions(
    id: SyncId,
    { cursor, how }: { readonly cursor: SyncCursor; readonly how: "released" | "discarded" },
    note: AuditNote,
  ): Promise<"decided" | "overtaken" | "gone"> {
    const organisation = organisationOf(id);
    const answer = (await this.#store.run(
      "sync-decide",
      [syncKey(id), syncDueKey(organisation)],
      [id, cursor.sequence, writeCursor(cursor), how, note.actor, note.requestId],
    )) as "decided" | "overtaken" | "gone";
    if (answer === "decided") await this.#hintSooner(organisation, id);
    return answer;
  }

  async readChanges(id: SyncId, after: ChangeId | undefined, limit: number): Promise<ReadChangesAnswer> {
    const [floor, entries] = (await this.#store.run(
      "sync-read-changes",
      [syncKey(id), syncChangesKey(id)],
      [after ?? "", limit],
    )) as [string, [ChangeId, ["at", string, "c", Sealed]][]];
    if (after !== undefined && floor !== "" && isBefore(after, floor)) return { kind: "expired" };
    return {
      kind: "read",
      truncated: floor !== "",
      changes: entries.map(([change, [, at, , sealed]]) => ({ id: change, storedAt: Number(at), sealed })),
    };
  }

  dueOrganisations(limit: number): Promise<readonly OrganisationId[]> {
    return this.#dueHint.dueOrganisations(limit);
  }

  async dueSyncs(organisation: OrganisationId, limit: number): Promise<readonly SyncId[]> {
    const now = await this.#store.now();
    const ids = await this.#store.call((redis) =>
      redis.zrangebyscore(syncDueKey(organisation), "-inf", now, "LIMIT", 0, limit),
    );
    return ids as SyncId[];
  }

  async findDue(ids: readonly SyncId[]): Promise<readonly DueSync[]> {
    const read = ids.map((id) =>
      this.#store.call((redis) => redis.hmget(syncKey(id), "due_at", "started_at", "passes", "objects")),
    );
    return (await Promise.all(read)).flatMap(([dueAt, startedAt, passes, objects], i) =>
      dueAt === null || dueAt === undefined
        ? []
        : [
            {
              id: ids[i]!,
              dueAt: Number(dueAt),
              underWay: startedAt !== null,
              objects: passes === null ? undefined : Number(objects ?? 0),
            },
          ],
    );
  }

  restateHint(organisation: OrganisationId): Promise<void> {
    return this.#dueHint.restate(organisation);
  }

  async restateAllHints(): Promise<void> {
    const ids = await this.#store.call((redis) => redis.hvals(organisationNamesKey()));
    for (const id of ids) await this.restateHint(id as OrganisationId);
  }

  async #steer(
    id: SyncId,
    how: "want" | "pause" | "resume" | "reset" | "every",
    note?: AuditNote,
    intervalMs?: Milliseconds,
  ): Promise<unknown> {
    const answer = await this.#store.run(
      "sync-steer",
      [syncKey(id), syncDueKey(organisationOf(id)), startsKey(id)],
      [id, how, note?.actor ?? "", note?.requestId ?? "", intervalMs ?? ""],
    );
    if (answer !== "paused" && answer !== "gone") await this.#hintSooner(organisationOf(id), id);
    return answer;
  }

  /**
   * The hint may be too early: whoever makes something due pulls it forward, the sweep puts it back. What was to be
   * stored is stored by now, so a hint that cannot be written (Redis is full) is left to the sweep that restates all.
   */
  async #hintSooner(organisation: OrganisationId, id: SyncId): Promise<void> {
    try {
      const due = await this.#store.call((redis) => redis.zscore(syncDueKey(organisation), id));
      if (due !== null) await this.#dueHint.atMost(organisation, Number(due));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
  }
}

function writeMarks(marks: SyncPage["marks"]): readonly string[] {
  const written: string[] = [];
  for (const [object, { version, scan }] of marks) written.push(object, `${version}.${scan.toString(36)}`);
  return written;
}

/** Names one client's sync of one library, or of workspaces in it; begins with client and server (`listSyncs`). */
function nameInIndex({ client, server, library, wish: { workspaces } }: NewSync): string {
  const whole = `${client} ${server} ${library}`;
  return workspaces === undefined ? whole : `${whole}/${JSON.stringify(workspaces)}`;
}

function isBefore(a: string, b: string): boolean {
  const [aPage = 0, aIndex = 0] = a.split("-").map(Number);
  const [bPage = 0, bIndex = 0] = b.split("-").map(Number);
  return aPage < bPage || (aPage === bPage && aIndex < bIndex);
}
