import { libraryOf, resource } from "./api.ts";
import { ApiRefusal } from "./api-refusal.ts";
import type { Call } from "./calls.ts";
import { type Document, maySee } from "./libraries.ts";
import { openCursor, sealCursor } from "./paging-cursor.ts";

const LIMIT_DEFAULT = 500;
const LIMIT_MAX = 9999;

/**
 * GET …/documents → {data: {results: []}, cursor, total_count} (C). Pages by offset, where an edit between
 * two calls moves rows, or by an opaque cursor, where it does not.
 */
export const listDocuments = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  const from = dateOf(call, "edit_date_from");
  const to = dateOf(call, "edit_date_to");
  const limit = numberOf(call, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX);
  const order = in_.state.switches.document_order;

  const rows = library.documents
    .filter((document) => {
      const editedAt = Date.parse(document.edit_date);
      return (
        (from === undefined || editedAt >= from) &&
        (to === undefined || editedAt <= to) &&
        maySee(library, document, caller.user.id)
      );
    })
    .map((document) => ({ document, key: sortKey(document, order) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));

  const total = call.query.get("total") === "true" ? { total_count: rows.length } : {};
  if (call.query.get("paging_mode") !== "standard_cursor") {
    const offset = numberOf(call, "offset", 0, 0, Number.MAX_SAFE_INTEGER);
    return { data: { results: rows.slice(offset, offset + limit).map(shown) }, ...total };
  }

  // A cursor belongs to the question it came from.
  const question = JSON.stringify([library.id, from, to, order, caller.user.id]);
  const cursor = call.query.get("cursor");
  const after = cursor === null || cursor === "" ? undefined : openCursor(cursor, question);
  const rest = after === undefined ? rows : rows.filter(({ key }) => key > after);
  const results = rest.slice(0, limit);
  const next = rest.length > limit ? { cursor: sealCursor(results.at(-1)!.key, question) } : {};
  return { data: { results: results.map(shown) }, ...next, ...total };
});

/** GET …/documents/{id} → {data: {}} (C). */
export const oneDocument = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  const document = library.documents.find(({ id }) => id === call.params.document);
  if (document === undefined || !maySee(library, document, caller.user.id))
    throw new ApiRefusal(404, "NRC_NOT_FOUND", "There is no such document.");
  return { data: shown({ document }) };
});

/** GET …/documents/{id}/history (C: that it exists; I: its fields). */
export const documentHistory = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  const data = library.change_events
    .filter((event) => event.object_id === call.params.document)
    .map(({ id, action_type, event_date }) => ({ id, activity: action_type, activity_date: event_date }));
  if (data.length === 0) throw new ApiRefusal(404, "NRC_NOT_FOUND", "There is no such document.");
  return { data, total_count: data.length };
});

/**
 * GET …/change-events → {data: [], cursor, overflow} (second-hand, two sources). overflow: ask again at once.
 * Without a cursor it begins at the oldest event kept (I).
 */
export const changeEvents = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  const listed = (name: string) => call.query.get(name)?.split(",").filter(Boolean);
  const itemTypes = listed("item_types");
  const actions = listed("actions");
  const cursor = call.query.get("cursor");
  const after = cursor === null || cursor === "" ? 0 : Number(openCursor(cursor, library.id));

  const page = in_.state.switches.change_events_page;
  const fresh = library.change_events.filter(
    (event) =>
      event.id > after &&
      (itemTypes === undefined || itemTypes.includes(event.item_type)) &&
      (actions === undefined || actions.includes(event.action_type)),
  );
  const data = fresh.slice(0, page);
  const overflow = fresh.length > page;
  const seen = overflow ? data.at(-1)!.id : Math.max(after, library.change_events.at(-1)?.id ?? 0);
  return { data, cursor: sealCursor(String(seen), library.id), overflow };
});

function sortKey(document: Document, order: "by_number" | "by_edit_date"): string {
  const number = `${String(document.document_number).padStart(12, "0")}.${String(document.version).padStart(6, "0")}`;
  return order === "by_number" ? number : `${document.edit_date} ${number}`;
}

function shown({ document: { visible_to: _, ...fields } }: { document: Document }) {
  return fields;
}

function dateOf(call: Call, name: string): number | undefined {
  const text = call.query.get(name);
  if (text === null || text === "") return undefined;
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new ApiRefusal(400, "NRC_INVALID_PARAMETER", `${name} is not a date.`, name);
  return at;
}

function numberOf(call: Call, name: string, otherwise: number, least: number, most: number): number {
  const text = call.query.get(name);
  if (text === null || text === "") return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most)
    throw new ApiRefusal(400, "NRC_INVALID_PARAMETER", `${name} is not between ${least} and ${most}.`, name);
  return value;
}
