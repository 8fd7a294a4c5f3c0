import type { ApiOutcome } from "../broker/authorization/ports.ts";
import type { ServerId } from "../domain/id.ts";
import type { Instant } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { withLentToken } from "./lent-token.ts";
import type { LibraryDocument, LibraryPath } from "./library-source.ts";
import { latest } from "./plan.ts";
import type { Sync, SyncPorts, SyncToken, SyncTokenRequest } from "./ports.ts";
import { problemOf, type Refusal } from "./refusals.ts";

/** Under way at one server for one sync. */
const LOADS_AT_ONCE = 4;
const SEARCHED_AT_ONCE = 100;
const WORTH_A_SEARCH = 3;
/** Answers that need be about nothing but the object that was asked for. */
export const STATUS = /^status_\d{3}$|^not_imanage$|^not_json$/;

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

export interface Called<T> {
  readonly token: SyncToken;
  readonly answer: Exclude<ApiOutcome<T>, { kind: "unauthorized" }>;
}

/**
 * The one way of a sync to iManage: a token of this very moment, then the calls. A token that iManage refuses is reported,
 * once, and replaced.
 */
export class LibraryCalls {
  readonly #ports: Pick<SyncPorts, "clients" | "documents" | "accessToken">;

  /** Servers whose search finds nothing by ids, as far as this run has seen. */
  readonly #unsearchable = new Set<ServerId>();

  constructor(ports: Pick<SyncPorts, "clients" | "documents" | "accessToken">) {
    this.#ports = ports;
  }

  /** @throws Problem for whoever gets no token, or none that iManage takes. */
  async call<T>(
    sync: Sync,
    sequence: number,
    act: (token: SyncToken, of: LibraryPath) => Promise<ApiOutcome<T>>,
  ): Promise<Called<T>> {
    const request: SyncTokenRequest = {
      action: "sync",
      client: sync.client,
      server: sync.server,
      subject: { type: "library", id: sync.library },
      note: { actor: "worker", requestId: `${sync.id}/${sequence}`, purpose: "sync" },
    };
    const standing = this.#ports.clients.findStanding(sync.client);
    const { token, answer } = await withLentToken(this.#ports.accessToken, request, async (lent) => {
      if ((await standing)?.state !== "active") throw stoppedClient();
      return act(lent, { customerId: lent.customerId, library: sync.library });
    });
    if (answer.kind === "unauthorized") throw problemOf(answer, "refusal");
    return { token, answer };
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
      const rest = wanted.filter(({ object }) => !found.has(object)).values();
      let failed: Refusal | undefined;
      let unloadable = 0;
      const worker = async () => {
        for (const { object } of rest) {
          if (failed !== undefined) return;
          const path = { ...of, id: object };
          const answer = await this.#ports.documents.readDocument(token.server, token.accessToken, path);
          if (answer.kind === "ok") {
            if (answer.value === undefined) absent.add(object);
            else found.set(object, answer.value);
          } else if (!patient && answer.kind === "unavailable" && STATUS.test(answer.reason)) unloadable++;
          else if (answer.kind === "forbidden") hidden.add(object);
          else failed ??= answer;
        }
      };
      await Promise.all(Array.from({ length: LOADS_AT_ONCE }, worker));
      return failed ?? { kind: "ok", value: { found, absent, hidden, unloadable } };
    });
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
