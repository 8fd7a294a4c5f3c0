import { z } from "zod";
import { type Caller, libraryOf, resource } from "./api.ts";
import { ApiRefusal } from "./api-refusal.ts";
import type { Call } from "./calls.ts";
import { type Context, findUser } from "./context.ts";
import { type Document, shownDocument } from "./documents.ts";
import { type Library, maySee } from "./libraries.ts";
import { openCursor, sealCursor } from "./paging-cursor.ts";
import type { Place } from "./places.ts";
import { dateOf, isByCursor, LIMIT_DEFAULT, LIMIT_MAX, limitOf, offsetOf, totalIfAsked } from "./query-of.ts";

/**
 * GET …/documents → {data: {results: []}, cursor, total_count} (C). Pages by offset, where an edit between
 * two calls moves rows, or by an opaque cursor, where it does not.
 */
export const listDocuments = resource((in_, call, caller) => {
  const asked = call.query.get("workspace_id") ?? "";
  const heeded = in_.state.switches.workspace_filter === "works" && asked !== "";
  return documentsOf(in_, call, caller, heeded ? asked : undefined);
});

/** A list of documents, of one workspace or folder if one is given. */
export function documentsOf(in_: Context, call: Call, caller: Caller, container: string | undefined) {
  const library = libraryOf(in_, call, caller);
  const question = {
    userId: caller.user.id,
    order: in_.state.switches.document_order,
    editedFrom: dateOf(call, "edit_date_from"),
    editedTo: dateOf(call, "edit_date_to"),
    container,
  };
  const limit = limitOf(call);
  const view = in_.shelves.of(library).list(question);
  const total = totalIfAsked(call, view.total);
  if (!isByCursor(call)) {
    const { documents } = view.page({ offset: offsetOf(call), limit });
    return { data: { results: documents.map(shownDocument) }, ...total };
  }
  // A cursor belongs to the question it came from.
  const belongsTo = JSON.stringify([library.id, question]);
  const cursor = call.query.get("cursor");
  const after =
    cursor === null || cursor === "" ? undefined : (JSON.parse(openCursor(cursor, belongsTo)) as Place);
  const { documents, next } = view.page({ after, limit });
  return {
    data: { results: documents.map(shownDocument) },
    ...(next !== undefined && { cursor: sealCursor(JSON.stringify(next), belongsTo) }),
    ...total,
  };
}

/** GET …/documents/{id} → {data: {}} (C). */
export const oneDocument = resource((in_, call, caller) => ({
  data: shownDocument(documentOf(in_, call, caller)),
}));

/** GET …/documents/{id}/history (C: that it exists; I: its fields). */
export const documentHistory = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  const id = call.params.document ?? "";
  const data = library.change_events
    .filter((event) => event.object_id === id)
    .map(({ id: event, action_type, event_date }) => ({
      id: event,
      activity: action_type,
      activity_date: event_date,
    }));
  if (data.length === 0) {
    // Older than the events that are kept.
    const { create_date } = documentOf(in_, call, caller);
    data.push({ id: 0, activity: "insert", activity_date: create_date });
  }
  return { data, total_count: data.length };
});

/**
 * GET …/documents/{id}/security (?), and …/trustees: who may see it. A trustee's fields are those of iManage's own
 * Power Platform connector (C): id, full_name, type, ssid.
 */
export const documentSecurity = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  const document = documentOf(in_, call, caller);
  const trustees = trusteesOf(in_, library, document);
  return call.resource.endsWith("trustees") || in_.state.switches.security_shape === "trustees"
    ? { data: trustees, total_count: trustees.length }
    : { data: { default_security: document.default_security, trustees } };
});

export function trusteesOf(in_: Context, library: Library, { visible_to }: Pick<Document, "visible_to">) {
  const named = visible_to === "everyone" ? [] : visible_to;
  return named.map((id) => {
    const group = library.groups.find((known) => known.id === id);
    const user = findUser(in_, library.customer_id, id);
    return {
      id,
      full_name: group?.full_name ?? user?.name ?? id,
      type: group === undefined ? "user" : "group",
      ssid: `${library.customer_id}-${id}`,
      access_level: "full_access",
    };
  });
}

const searchSchema = z.object({
  limit: z.int().min(1).max(LIMIT_MAX).default(LIMIT_DEFAULT),
  filters: z
    .object({
      id: z.union([z.string(), z.array(z.string())]).optional(),
      document_number: z.union([z.string(), z.int(), z.array(z.union([z.string(), z.int()]))]).optional(),
    })
    .default({}),
});

/**
 * POST …/documents/search → {data: [], overflow} (C: the envelope; ?: the filters). Several values are an array or
 * one text with commas. Those that are not there, or not for the caller, are missing without a word.
 */
export const searchDocuments = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  const { documents_search, document_order: order } = in_.state.switches;
  if (documents_search === "not_found")
    throw new ApiRefusal(404, "NRC_NOT_FOUND", "There is no such resource.");
  const { filters, limit } = searchOf(call);
  const ids = filters.id === undefined ? undefined : listed(filters.id);
  const numbers = filters.document_number === undefined ? undefined : listed(filters.document_number);
  const shelf = in_.shelves.of(library);
  if (documents_search === "ignores_ids" || (ids === undefined && numbers === undefined)) {
    const everything = { editedFrom: undefined, editedTo: undefined, container: undefined };
    const view = shelf.list({ userId: caller.user.id, order, ...everything });
    const { documents, next } = view.page({ limit });
    return { data: documents.map(shownDocument), overflow: next !== undefined };
  }
  const found = [
    ...(ids ?? []).map((id) => shelf.find(id)),
    ...(numbers ?? []).flatMap((number) => shelf.findNumber(Number(number))),
  ].filter((document) => document !== undefined && maySee(library, document, caller.user.id));
  const data = [...new Set(found as Document[])];
  return { data: data.slice(0, limit).map(shownDocument), overflow: data.length > limit };
});

function searchOf(call: Call): z.output<typeof searchSchema> {
  try {
    return searchSchema.parse(JSON.parse(call.body === "" ? "{}" : call.body));
  } catch {
    throw new ApiRefusal(400, "NRC_INVALID_BODY", "The body is not a search.", "filters");
  }
}

const listed = (of: string | number | readonly (string | number)[]): string[] =>
  [of].flat().flatMap((one) => String(one).split(",").filter(Boolean));

function documentOf(in_: Context, call: Call, caller: Caller): Document {
  const library = libraryOf(in_, call, caller);
  const document = in_.shelves.of(library).find(call.params.document ?? "");
  if (document === undefined || !maySee(library, document, caller.user.id))
    throw new ApiRefusal(404, "NRC_NOT_FOUND", "There is no such document.");
  return document;
}
