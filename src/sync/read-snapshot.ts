import type { ApiOutcome } from "../broker/authorization/ports.ts";
import type { Caller } from "../broker/clients/ports.ts";
import type { AuditNote } from "../broker/ports.ts";
import { organisationOf, type SyncId } from "../domain/id.ts";
import { type Milliseconds, minutes, seconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { type ChangeCursors, makeChangeCursors } from "./change-cursor.ts";
import { type DocumentPayload, payloadOf } from "./document-fields.ts";
import { withLentToken } from "./lent-token.ts";
import type { DocumentPage, DocumentQuery, LibraryDocument, LibraryPath } from "./library-source.ts";
import type { Sync, SyncPorts, SyncToken } from "./ports.ts";
import type { SnapshotSlots } from "./reading-ports.ts";
import { isWithoutList, problemOf, whyRefused } from "./refusals.ts";
import { documentFields } from "./sync-fields.ts";
import type { Syncs } from "./syncs.ts";

/** One line of a snapshot. Without the last kind of line it was cut. */
export type SnapshotLine =
  | { readonly kind: "begin"; readonly sync: SyncId; readonly cursor: string }
  | { readonly kind: "document"; readonly document: DocumentPayload }
  | { readonly kind: "end"; readonly documents: number; readonly unreadable: number };

export interface ReadSnapshot {
  readonly caller: Caller;
  readonly sync: SyncId;
  /** Its request id names this reading where it counts among those that go on at once. */
  readonly note: AuditNote;
  /** Ends the reading: the caller has gone. */
  readonly signal?: AbortSignal;
}

export interface SnapshotOptions {
  readonly pageSize?: number;
  readonly atOnce?: number;
  /** Without a sign of life for so long a reading is given up for dead, and its place is another's. */
  readonly heldMs?: Milliseconds;
  /** Between two attempts at a page that iManage did not give. */
  readonly patienceMs?: Milliseconds;
}

type Reading = { readonly note: AuditNote; readonly signal: AbortSignal | undefined };

/** What is listed: one workspace by itself, or the library; and in which workspaces that counts which is told, undefined: in any. */
interface Listing {
  readonly workspace?: string | undefined;
  readonly of: readonly string[] | undefined;
}
type NotListed = ReturnType<typeof whyRefused>;

const OPTIONS: Required<SnapshotOptions> = {
  pageSize: 500,
  atOnce: 2,
  heldMs: minutes(3),
  patienceMs: seconds(2),
};
const ATTEMPTS = 8;
const WAIT_MAX_MS = seconds(60);

type SnapshotPorts = Pick<
  SyncPorts,
  "clock" | "sealer" | "syncs" | "clients" | "stops" | "documents" | "accessToken" | "timers"
> & {
  readonly slots: SnapshotSlots;
};

/**
 * All documents of a sync as they are now, read from iManage page by page while they are told: nothing is stored, and no more
 * than a page is held. Whoever has read it to its end and then follows the changes from its cursor knows all there is.
 */
export class Snapshots {
  readonly #ports: SnapshotPorts;
  readonly #syncs: Pick<Syncs, "find">;
  readonly #cursors: ChangeCursors;
  readonly #options: Required<SnapshotOptions>;

  constructor(ports: SnapshotPorts, syncs: Pick<Syncs, "find">, options: SnapshotOptions = {}) {
    this.#ports = ports;
    this.#syncs = syncs;
    this.#cursors = makeChangeCursors(ports.sealer);
    this.#options = { ...OPTIONS, ...options };
  }

  /** @throws what stands in the way of the first page, before there is any line. */
  async *read({ caller, sync: id, note, signal }: ReadSnapshot): AsyncGenerator<SnapshotLine, void, void> {
    const reading: Reading = { note, signal };
    const { requestId } = note;
    const { slots, clock } = this.#ports;
    const { heldMs } = this.#options;
    const sync = await this.#allowed(caller, id);
    mustBeReady(sync);
    const { organisation, client } = sync;
    const fields = documentFields(sync.fields);
    const hold = () => this.#hold(sync, requestId);
    await hold();
    let heldAt = clock.monotonicMs();
    try {
      // Taken before anything is read: what happens from here on is behind it. Every change so far is of an earlier page.
      const cursor = await this.#cursors.make(id, `${sync.cursor.sequence - 1}-999999`);
      let [documents, unreadable] = [0, 0];
      let began = false;
      for await (const page of this.#pages(caller, sync, reading)) {
        const known = await this.#known(id, page.documents);
        if (!began) yield { kind: "begin", sync: id, cursor };
        began = true;
        for (const document of known) {
          if (signal?.aborted) return;
          yield { kind: "document", document: payloadOf(document, fields) };
          if (clock.monotonicMs() - heldAt > heldMs / 4) {
            await hold();
            heldAt = clock.monotonicMs();
          }
        }
        documents += known.length;
        unreadable += page.unreadable;
        if (signal?.aborted) return;
      }
      if (!signal?.aborted) yield { kind: "end", documents, unreadable };
    } finally {
      await slots.free(organisation, client, requestId);
    }
  }

  /** As `ChangeReader` looks before it tells anything. */
  async #allowed(caller: Caller, id: SyncId): Promise<Sync> {
    const { stops, clients } = this.#ports;
    const sync = await this.#syncs.find(caller, id);
    const { server, library } = sync;
    const stop = await stops.findStop(organisationOf(server), { client: caller.client, server, library });
    if (stop !== undefined) throw new Problem("contained", { members: { containment: stop } });
    if ((await clients.findStanding(caller.client))?.state !== "active") throw new Problem("invalid_client");
    return sync;
  }

  async #hold({ organisation, client }: Sync, reader: string): Promise<void> {
    const { atOnce, heldMs } = this.#options;
    const busyMs = await this.#ports.slots.hold(organisation, client, reader, { atOnce, heldMs });
    if (busyMs !== undefined)
      throw new Problem("snapshots_busy", { retryAfterMs: Math.min(busyMs, seconds(30)) });
  }

  /**
   * Chosen workspaces one after the other, as a scan lists them: one that iManage does not know or show has nothing to tell. Where it has no
   * such list, what has not been listed yet is sought in the whole library.
   */
  async *#pages(caller: Caller, { id, wish: { workspaces = [] } }: Sync, by: Reading) {
    let left = workspaces;
    let [served, absent] = [0, 0];
    for (; left.length > 0; left = left.slice(1)) {
      const why = yield* this.#listing(caller, id, { workspace: left[0], of: workspaces }, by);
      if (why === "unlisted") break;
      if (why === "absent") absent++;
      else if (why === undefined) served++;
    }
    if (served === 0 && absent > 0) left = workspaces;
    if (workspaces.length === 0 || left.length > 0) {
      yield* this.#listing(caller, id, { of: workspaces.length === 0 ? undefined : left }, by);
    }
  }

  /** Page by page to its end; answers why a workspace was not listed at all. */
  async *#listing(caller: Caller, id: SyncId, list: Listing, by: Reading) {
    let next: string | undefined;
    do {
      // Each time anew: the policy may have gone meanwhile, tokens may have been stopped.
      const page = await this.#page(await this.#allowed(caller, id), list, next, by);
      if (typeof page === "string") return page;
      yield page;
      next = page.next;
    } while (next !== undefined);
    return undefined;
  }

  /** What passes is waited for: a library of a million documents is thousands of pages, and one must not cost all. */
  async #page(
    sync: Sync,
    list: Listing,
    cursor: string | undefined,
    by: Reading,
  ): Promise<DocumentPage | NotListed> {
    for (let attempt = 1; ; attempt++) {
      try {
        const page = await this.#ask(sync, list, cursor, by);
        if (typeof page === "string") return page;
        return { ...page, documents: page.documents.filter(within(list.of)) };
      } catch (error) {
        if (!(error instanceof Problem) || error.remedy !== "time" || error.code === "token_rejected_again")
          throw error;
        // A cursor that iManage takes no more will not be taken later.
        const lost = cursor !== undefined && /status_400|cursor_stuck/.test(error.message);
        const waitMs = error.details.retryAfterMs ?? this.#options.patienceMs * 2 ** (attempt - 1);
        if (lost || attempt === ATTEMPTS || waitMs > WAIT_MAX_MS || by.signal?.aborted) throw error;
        await this.#ports.timers.after(waitMs).elapsed;
      }
    }
  }

  async #ask(
    sync: Sync,
    { workspace }: Listing,
    cursor: string | undefined,
    by: Reading,
  ): Promise<DocumentPage | NotListed> {
    const documents = (query: Partial<DocumentQuery>) =>
      this.#call(sync, by, ({ server, accessToken }, of) =>
        this.#ports.documents.listDocuments(server, accessToken, {
          ...{ ...of, editedFrom: undefined, editedTo: undefined, cursor: undefined },
          limit: this.#options.pageSize,
          ...query,
        }),
      );
    const answer = await documents({ workspace, cursor });
    if (answer.kind === "ok") return answer.value;
    const problem = problemOf(answer, "list of documents");
    if (workspace === undefined || cursor !== undefined || !isWithoutList(answer)) throw problem;
    // It is the workspace's list that is refused, where the library's is not.
    const any = await documents({ limit: 1 });
    if (any.kind !== "ok") throw problemOf(any, "list of documents");
    const found = await this.#call(sync, by, ({ server, accessToken }, of) =>
      this.#ports.documents.hasWorkspace(server, accessToken, { ...of, id: workspace }),
    );
    return whyRefused(answer, found);
  }

  async #call<T>(
    sync: Sync,
    { note }: Reading,
    act: (token: SyncToken, of: LibraryPath) => Promise<ApiOutcome<T>>,
  ): Promise<ApiOutcome<T>> {
    const { answer } = await withLentToken(
      this.#ports.accessToken,
      {
        action: "sync",
        client: sync.client,
        server: sync.server,
        subject: { type: "library", id: sync.library },
        note: { ...note, purpose: "snapshot" },
      },
      (token) => act(token, { customerId: token.customerId, library: sync.library }),
    );
    return answer;
  }

  /**
   * A document that the sync does not know yet is left out: it will be told as a change, behind the cursor. Were it told here and
   * gone before the sync has met it, nobody would ever tell that it went.
   */
  async #known(id: SyncId, documents: readonly LibraryDocument[]): Promise<readonly LibraryDocument[]> {
    const known = await this.#ports.syncs.remembered(
      id,
      documents.map((document) => document.id),
    );
    return documents.filter((_, i) => known[i] !== undefined);
  }
}

const within =
  (workspaces: readonly string[] | undefined) =>
  ({ workspaceId }: LibraryDocument): boolean =>
    // Of what names no workspace that is told which the sync has met.
    workspaces === undefined || workspaceId === undefined || workspaces.includes(workspaceId);

const READY_AGAIN_MS = seconds(10);

/** @throws Problem("sync_not_ready") until all that is there has been remembered once. */
function mustBeReady(sync: Sync): void {
  if (!sync.wish.wants.includes("documents")) {
    throw new Problem("invalid_request", {
      detail: "This sync is not about documents: `wants` does not name them.",
    });
  }
  if (sync.lastCompleteAt !== undefined) return;
  const detail =
    sync.parkedBecause === undefined
      ? "What is there is being remembered."
      : `The sync waits: ${sync.parkedBecause}. Its state says who must act.`;
  throw new Problem("sync_not_ready", { detail, retryAfterMs: READY_AGAIN_MS });
}
