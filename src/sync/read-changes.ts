import type { Caller } from "../broker/clients/ports.ts";
import { changeContext } from "../broker/seal-contexts.ts";
import { organisationOf, type SyncId } from "../domain/id.ts";
import { type Instant, type Milliseconds, seconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { Server } from "../domain/server.ts";
import { WaitingPlaces } from "../domain/waiting-places.ts";
import { type ChangeKind, decodeChange } from "./change.ts";
import { type ChangeCursors, makeChangeCursors, START } from "./change-cursor.ts";
import type { DocumentPayload } from "./document-fields.ts";
import type { ObjectPayloads } from "./object-fields.ts";
import type { ChangeId, StoredChange, SyncPorts } from "./ports.ts";
import type { Syncs } from "./syncs.ts";

/** One change of one object, as a client reads it. Told at least once; by `id` told once. */
export interface Change {
  readonly id: ChangeId;
  readonly kind: ChangeKind;
  readonly object: string;
  /** When it happened, by iManage's clock; undefined where it does not say, or the sync does not ask for edit dates. */
  readonly time: Instant | undefined;
  /** When the broker stored it. */
  readonly storedAt: Instant;
  /** Who, as far as iManage says: the last user. */
  readonly actor: string | undefined;
  /** Of a document that is there. */
  readonly document: DocumentPayload | undefined;
  /** Of a container, a user or a group that iManage shows. */
  readonly container: ObjectPayloads["container"] | undefined;
  readonly user: ObjectPayloads["user"] | undefined;
  readonly group: ObjectPayloads["group"] | undefined;
  /** The fields were too long to be kept: only what names the object is told. */
  readonly shortened: boolean;
}

export interface ChangePage {
  readonly changes: readonly Change[];
  /** To go on from; the same as before where nothing new was found. */
  readonly cursor: string;
  /** Only without a cursor: the stream's beginning is no longer kept, so this is not all that ever happened. */
  readonly truncated: boolean;
}

export interface ReadChanges {
  readonly caller: Caller;
  readonly sync: SyncId;
  /** Undefined: from the oldest change that is kept. */
  readonly cursor?: string;
  /** How long to wait for a change while there is none; at most a minute. */
  readonly waitMs?: Milliseconds;
  readonly limit?: number;
  /** Only these; the cursor goes past the others. */
  readonly kinds?: readonly ChangeKind[];
  /** Ends the wait: the caller has gone. */
  readonly signal?: AbortSignal;
}

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 500;
/** Of changes of other kinds: what takes longer is gone on with by the next request. */
const LOOKS_MAX = 20;
const WAIT_MAX_MS = seconds(60);

type ReaderPorts = Pick<
  SyncPorts,
  "clock" | "sealer" | "syncs" | "announcements" | "servers" | "clients" | "stops"
>;

/** Reads a sync's changes in their order, and waits for the next ones. */
export class ChangeReader {
  readonly #ports: ReaderPorts;
  readonly #syncs: Pick<Syncs, "find">;
  readonly #cursors: ChangeCursors;
  readonly #places = new WaitingPlaces();

  constructor(ports: ReaderPorts, syncs: Pick<Syncs, "find">) {
    this.#ports = ports;
    this.#syncs = syncs;
    this.#cursors = makeChangeCursors(ports.sealer);
  }

  /** @throws Problem("cursor_expired") when what follows the cursor is not kept any more; too_much_at_once. */
  read(request: ReadChanges): Promise<ChangePage> {
    const { caller, sync, waitMs = 0 } = request;
    if (waitMs <= 0) return this.#read(request);
    return this.#places.during(`${caller.client} ${sync}`, () => this.#read(request));
  }

  async #read(request: ReadChanges): Promise<ChangePage> {
    const { clock, syncs, announcements, clients, stops } = this.#ports;
    const { caller, sync: id, cursor, signal } = request;
    const limit = Math.min(Math.max(1, request.limit ?? LIMIT_DEFAULT), LIMIT_MAX);
    const deadline = clock.monotonicMs() + Math.min(Math.max(0, request.waitMs ?? 0), WAIT_MAX_MS);

    let position: ChangeId | undefined;
    let truncated = false;
    for (let looks = 1; ; looks++) {
      // Each time anew: the policy may have gone while we waited, or tokens have been stopped.
      const { server, library } = await this.#syncs.find(caller, id);
      const asked = { client: caller.client, server, library };
      const stop = await stops.findStop(organisationOf(server), asked);
      if (stop !== undefined) throw new Problem("contained", { members: { containment: stop } });
      if (cursor !== undefined) position ??= await this.#cursors.read(id, cursor);
      const leftMs = deadline - clock.monotonicMs();
      // Listen first, then look: a change that comes in between is announced to us.
      const announced = leftMs > 0 ? announcements.next(id, leftMs) : undefined;
      const cancel = () => announced?.cancel();
      signal?.addEventListener("abort", cancel);
      try {
        // Kinds are sealed, so what is asked for is looked for among many.
        const answer = await syncs.readChanges(id, position, request.kinds === undefined ? limit : LIMIT_MAX);
        if (answer.kind === "expired") throw new Problem("cursor_expired");
        truncated ||= position === undefined && answer.truncated;
        const opened = await this.#opened(id, server, answer.changes);
        const wanted = opened.filter(({ kind }) => request.kinds?.includes(kind) ?? true);
        const changes = wanted.slice(0, limit);
        position = (wanted.length > limit ? changes.at(-1) : answer.changes.at(-1))?.id ?? position;
        const more = answer.changes.length > 0;
        const over = looks === LOOKS_MAX || signal?.aborted || (!more && announced === undefined);
        if (changes.length > 0 || over) {
          return { changes, cursor: await this.#cursors.make(id, position ?? START), truncated };
        }
        if (more || announced === undefined) continue;
        await announced.arrived;
        // Its proof was looked at before it waited.
        const standing = await clients.findStanding(caller.client);
        if (standing?.state !== "active") throw new Problem("invalid_client");
      } finally {
        signal?.removeEventListener("abort", cancel);
        cancel();
      }
    }
  }

  async #opened(
    id: SyncId,
    serverId: Server["id"],
    stored: readonly StoredChange[],
  ): Promise<readonly Change[]> {
    if (stored.length === 0) return [];
    const server = await this.#ports.servers.findServer(serverId);
    if (server === undefined) throw new Problem("not_found");
    return Promise.all(
      stored.map(async ({ id: changeId, storedAt, sealed }) => {
        const page = Number(changeId.slice(0, changeId.indexOf("-")));
        const opened = decodeChange(await this.#ports.sealer.open(sealed, changeContext(server, id, page)));
        return {
          id: changeId,
          kind: opened.kind,
          object: opened.object,
          time: opened.at,
          storedAt,
          actor: opened.actor,
          document: opened.document,
          container: opened.container,
          user: opened.user,
          group: opened.group,
          shortened: opened.shortened ?? false,
        };
      }),
    );
  }
}
