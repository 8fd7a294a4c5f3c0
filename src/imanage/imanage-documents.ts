import type { ApiOutcome } from "../broker/authorization/ports.ts";
import type { Instant } from "../domain/instant.ts";
import type { Secret } from "../domain/secret.ts";
import type { Server } from "../domain/server.ts";
import type {
  DocumentPage,
  DocumentQuery,
  DocumentSource,
  EventPage,
  EventQuery,
  LibraryDocument,
  LibraryEvent,
  LibraryPath,
} from "../sync/library-source.ts";
import { unavailable } from "./api-call.ts";
import {
  documentsSchema,
  eventSchema,
  eventsSchema,
  foundSchema,
  oneDocumentSchema,
} from "./api-envelopes.ts";
import type { ImanageApi } from "./imanage-api.ts";
import { instantOf, readDocument } from "./read-document.ts";

const PAGE_LIMIT_MAX = 9_999;

/** What of a library is read to know what changed in it. */
export class ImanageDocuments implements DocumentSource {
  readonly #api: Pick<ImanageApi, "readOf">;

  constructor(api: Pick<ImanageApi, "readOf">) {
    this.#api = api;
  }

  /**
   * One page of a library's documents by edit date, paged by iManage's opaque cursor, under which edits move no rows (C). Of one
   * workspace: `…/workspaces/{id}/documents` (I), and not a filter, which a server that does not know it passes over in silence.
   */
  async listDocuments(
    server: Server,
    accessToken: Secret,
    query: DocumentQuery,
  ): Promise<ApiOutcome<DocumentPage>> {
    const search = {
      paging_mode: "standard_cursor",
      limit: String(Math.min(PAGE_LIMIT_MAX, Math.max(1, query.limit))),
      edit_date_from: dateOf(query.editedFrom),
      edit_date_to: dateOf(query.editedTo),
      cursor: query.cursor,
      total: query.total === true ? "true" : undefined,
    };
    const at = query.workspace === undefined ? ["documents"] : ["workspaces", query.workspace, "documents"];
    const answer = await this.#api.readOf(server, accessToken, query, at, search, documentsSchema);
    if (answer.kind !== "ok") return answer;
    const { data, cursor, total_count } = answer.value;
    const next = cursor === null || cursor === "" ? undefined : cursor;
    // A cursor that does not move would be followed for ever, and a pass that stopped there would look complete.
    if (next !== undefined && next === query.cursor) return unavailable("cursor_stuck");

    return { kind: "ok", value: pageOf(data.results, next, total_count) };
  }

  /** `…/documents/{id}` (C). */
  async readDocument(
    server: Server,
    accessToken: Secret,
    of: LibraryPath & { readonly id: string },
  ): Promise<ApiOutcome<LibraryDocument | undefined>> {
    const answer = await this.#api.readOf(
      server,
      accessToken,
      of,
      ["documents", of.id],
      {},
      oneDocumentSchema,
    );
    if (answer.kind === "unavailable" && answer.reason === "status_404")
      return { kind: "ok", value: undefined };
    if (answer.kind !== "ok") return answer;
    const document = readDocument(answer.value.data);
    return document === undefined ? unavailable("not_imanage") : { kind: "ok", value: document };
  }

  /** `…/workspaces/{id}` (C). */
  async hasWorkspace(
    server: Server,
    accessToken: Secret,
    of: LibraryPath & { readonly id: string },
  ): Promise<ApiOutcome<boolean>> {
    const at = ["workspaces", of.id];
    const answer = await this.#api.readOf(server, accessToken, of, at, {}, oneDocumentSchema);
    if (answer.kind === "ok") return { kind: "ok", value: true };
    return answer.kind === "unavailable" && answer.reason === "status_404"
      ? { kind: "ok", value: false }
      : answer;
  }

  /** `POST …/documents/search` (C: the envelope; that it finds by ids: ?). */
  async findDocuments(
    server: Server,
    accessToken: Secret,
    { ids, ...of }: LibraryPath & { readonly ids: readonly string[] },
  ): Promise<ApiOutcome<readonly LibraryDocument[]>> {
    const answer = await this.#api.readOf(server, accessToken, of, ["documents", "search"], {}, foundSchema, {
      filters: { id: ids },
      limit: ids.length,
    });
    if (answer.kind !== "ok") return answer;
    const found = answer.value.data.map(readDocument).filter((document) => document !== undefined);
    return { kind: "ok", value: found };
  }

  /** `…/change-events` (second-hand, two sources). */
  async readEvents(server: Server, accessToken: Secret, query: EventQuery): Promise<ApiOutcome<EventPage>> {
    const search = { cursor: query.cursor, item_types: query.itemTypes.join(",") };
    const answer = await this.#api.readOf(
      server,
      accessToken,
      query,
      ["change-events"],
      search,
      eventsSchema,
    );
    if (answer.kind !== "ok") return answer;
    const { data, cursor, overflow } = answer.value;
    if (overflow && cursor === query.cursor) return unavailable("cursor_stuck");
    const events = data.map(readEvent).filter((event) => event !== undefined);
    return { kind: "ok", value: { events, cursor, overflow, unreadable: data.length - events.length } };
  }
}

/** Its rows are read when they are asked for: by then the page behind it can have been asked for too. */
function pageOf(rows: readonly unknown[], next: string | undefined, total: number | undefined): DocumentPage {
  let read: readonly LibraryDocument[] | undefined;
  const documents = () => {
    read ??= rows.map(readDocument).filter((document) => document !== undefined);
    return read;
  };
  return {
    next,
    total,
    get documents() {
      return documents();
    },
    get unreadable() {
      return rows.length - documents().length;
    },
  };
}

function readEvent(row: unknown): LibraryEvent | undefined {
  const parsed = eventSchema.safeParse(row);
  if (!parsed.success) return undefined;
  const { action_type, item_type, object_id, root_id, event_date } = parsed.data;
  return {
    action: action_type.toLowerCase(),
    item: item_type.toLowerCase(),
    object: object_id,
    root: root_id ?? undefined,
    at: instantOf(event_date),
  };
}

const dateOf = (at: Instant | undefined): string | undefined =>
  at === undefined ? undefined : new Date(at).toISOString();
