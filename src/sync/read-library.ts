import type { ApiOutcome } from "../broker/authorization/ports.ts";
import type { ServerId } from "../domain/id.ts";
import { type Instant, type Milliseconds, seconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { withLentToken } from "./lent-token.ts";
import type { LibraryDocument, LibraryPath } from "./library-source.ts";
import { loadEach } from "./load-each.ts";
import { latest } from "./plan.ts";
import type { Sync, SyncPorts, SyncToken, SyncTokenRequest } from "./ports.ts";
import { problemOf, type Refusal } from "./refusals.ts";

const SEARCHED_AT_ONCE = 100;
const WORTH_A_SEARCH = 3;
/** How long a prepared token is one of this moment. */
const PREPARED_MS = seconds(1);

export interface Wanted {
  readonly object: string;
  /** When it changed: what is older than that is not what it became. */
  readonly at: Instant | undefined;
}

export interface Loaded {
  readonly found: ReadonlyMap<string, LibraryDocument>;
  /** Of which iManage says that there are none. */
  readonly absent: ReadonlySet<string>;
  /** Which it does not show to this admin. */
  readonly hidden: ReadonlySet<string>;
  /** Objects that iManage fails to tell of, however often it is asked. */
  readonly unloadable: number;
}

type CallPorts = Pick<SyncPorts, "clock" | "clients" | "documents" | "accessToken">;

export interface Called<T> {
  readonly token: SyncToken;
  readonly answer: Exclude<ApiOutcome<T>, { kind: "unauthorized" }>;
}

/**
 * The one way of a sync to iManage: a token of this very moment, then the calls. A token that iManage refuses is reported,
 * once, and replaced.
 */
export class LibraryCalls {
  readonly #ports: CallPorts;

  /** Servers whose search finds nothing by ids, as far as this run has seen. */
  readonly #unsearchable = new Set<ServerId>();

  /** The token of a call that follows in a moment, asked for while iManage is still at the one before. */
  #prepared:
    | { readonly sequence: number; readonly at: Milliseconds; readonly lent: Promise<SyncToken> }
    | undefined;

  constructor(ports: CallPorts) {
    this.#ports = ports;
  }

  /**
   * Asks for the token of the call of this number, which follows at once: waiting for it took a third of a scan's time.
   * The moment is the same: what was asked for longer ago than a second is not used.
   */
  prepare(sync: Sync, sequence: number): void {
    const lent = this.#lend(requestOf(sync, sequence));
    // Whether it was refused is asked when it is its turn.
    lent.catch(() => {});
    this.#prepared = { sequence, at: this.#ports.clock.monotonicMs(), lent };
  }

  /** @throws Problem for whoever gets no token, or none that iManage takes. */
  async call<T>(
    sync: Sync,
    sequence: number,
    act: (token: SyncToken, of: LibraryPath) => Promise<ApiOutcome<T>>,
  ): Promise<Called<T>> {
    let prepared = this.#takePrepared(sequence);
    const lend = (request: SyncTokenRequest): Promise<SyncToken> => {
      const lent = prepared ?? this.#lend(request);
      prepared = undefined;
      return lent;
    };
    const { token, answer } = await withLentToken(lend, requestOf(sync, sequence), (lent) =>
      act(lent, { customerId: lent.customerId, library: sync.library }),
    );
    if (answer.kind === "unauthorized") throw problemOf(answer, "refusal");
    return { token, answer };
  }

  #takePrepared(sequence: number): Promise<SyncToken> | undefined {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    if (prepared?.sequence !== sequence) return undefined;
    return this.#ports.clock.monotonicMs() - prepared.at <= PREPARED_MS ? prepared.lent : undefined;
  }

  async #lend(request: SyncTokenRequest): Promise<SyncToken> {
    const [standing, token] = await Promise.all([
      this.#ports.clients.findStanding(request.client),
      this.#ports.accessToken(request),
    ]);
    if (standing?.state !== "active") throw stoppedClient();
    return token;
  }

  /**
   * Documents by their ids: by one search, those of which it is known when they changed, and one by one those that it does not find, or not as new as the feed says. What
   * iManage does not show is left out: neither a refusal nor an absence of one object says that it was deleted.
   * @param patient false: those that cannot be loaded at all are left out too, and counted.
   */
  load(sync: Sync, sequence: number, wanted: readonly Wanted[], patient: boolean): Promise<Called<Loaded>> {
    return this.call(sync, sequence, async (token, of) => {
      const found = new Map<string, LibraryDocument>();
      const absent = new Set<string>();
      const hidden = new Set<string>();
      const dated = wanted.filter(({ at }) => at !== undefined);
      for (let i = 0; i < dated.length; i += SEARCHED_AT_ONCE) {
        if (!(await this.#search(token, of, dated.slice(i, i + SEARCHED_AT_ONCE), found))) break;
      }
      const load = async ({ object }: Wanted): Promise<Refusal | undefined> => {
        const path = { ...of, id: object };
        const answer = await this.#ports.documents.readDocument(token.server, token.accessToken, path);
        if (answer.kind === "forbidden") hidden.add(object);
        else if (answer.kind !== "ok") return answer;
        else if (answer.value === undefined) absent.add(object);
        else found.set(object, answer.value);
        return undefined;
      };
      const rest = wanted.filter(({ object }) => !found.has(object));
      const isAnswering = () => this.isAnswering(token, of);
      const loaded = await loadEach(rest, { load, patient, isAnswering });
      if (loaded.kind !== "ok") return loaded;
      return { kind: "ok", value: { found, absent, hidden, unloadable: loaded.value } };
    });
  }

  /** Asked where an object was not answered for: is it iManage that is away? */
  async isAnswering({ server, accessToken }: SyncToken, of: LibraryPath): Promise<boolean> {
    const answer = await this.#ports.documents.listDocuments(server, accessToken, {
      ...{ ...of, editedFrom: undefined, editedTo: undefined, cursor: undefined },
      limit: 1,
    });
    return answer.kind === "ok";
  }

  /** Answers whether it is worth to search for more: an iManage that finds nothing by ids is not asked again for a while. */
  async #search(
    { server, accessToken }: SyncToken,
    of: LibraryPath,
    wanted: readonly Wanted[],
    found: Map<string, LibraryDocument>,
  ): Promise<boolean> {
    if (wanted.length < WORTH_A_SEARCH || this.#unsearchable.has(server.id)) return false;
    const ids = wanted.map(({ object }) => object);
    const answer = await this.#ports.documents.findDocuments(server, accessToken, { ...of, ids });
    const documents = answer.kind === "ok" ? new Map(answer.value.map((one) => [one.id, one])) : undefined;
    let useful = false;
    for (const { object, at } of wanted) {
      const document = documents?.get(object);
      if (document === undefined) continue;
      useful = true;
      if (isAsNew(document, at)) found.set(object, document);
    }
    if (!useful) this.#unsearchable.add(server.id);
    return useful;
  }
}

const requestOf = (sync: Sync, sequence: number): SyncTokenRequest => ({
  action: "sync",
  client: sync.client,
  server: sync.server,
  subject: { type: "library", id: sync.library },
  note: { actor: "worker", requestId: `${sync.id}/${sequence}`, purpose: "sync" },
});

/** What a search finds lies in an index, which may lag behind. Who was moved, or may be seen by others, carries no newer date. */
function isAsNew(document: LibraryDocument, at: Instant | undefined): boolean {
  const newest = latest(document.editedAt, document.profileEditedAt, document.fileEditedAt);
  return at !== undefined && newest !== undefined && newest >= at;
}

const stoppedClient = (): Problem =>
  new Problem("not_allowed", {
    detail: "The client is stopped.",
    instead: {
      remedy: "operator",
      action: "The operator starts the client again; then it goes on by itself.",
    },
  });
