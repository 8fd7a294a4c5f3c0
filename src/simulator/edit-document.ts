import { z } from "zod";
import { type ChangeEvent, type Document, documentSchema, type Library } from "./libraries.ts";

/**
 * Fields to change, or `deleted`, or (for an id the library does not have) a new document.
 * `action_type` is that of the change event, when the obvious one is not meant.
 */
export const documentChangeSchema = documentSchema
  .omit({ visible_to: true })
  .partial()
  .extend({
    visible_to: z.union([z.literal("everyone"), z.array(z.string())]).optional(),
    deleted: z.literal(true).optional(),
    action_type: z.string().optional(),
  })
  .strict();

export type DocumentChange = z.input<typeof documentChangeSchema>;

/** Somebody at the firm edits, adds or deletes a document at `now`, and the change feed says so. */
export function editDocument(of: Library, id: string, change: DocumentChange, now: number): ChangeEvent {
  const { deleted, action_type, ...fields } = documentChangeSchema.parse(change);
  const at = new Date(now).toISOString();
  const index = of.documents.findIndex((document) => document.id === id);
  const before = of.documents[index];

  if (deleted) {
    if (before === undefined) throw new RangeError(`no document ${id} in ${of.id}`);
    of.documents.splice(index, 1);
  } else {
    const base = before ?? blankDocument(of, id, at);
    const after = documentSchema.parse({
      ...base,
      edit_date: at,
      edit_profile_date: at,
      file_edit_date: at,
      ...fields,
      id,
    });
    if (before === undefined) of.documents.push(after);
    else of.documents[index] = after;
  }

  const document = before ?? of.documents.at(-1)!;
  const event: ChangeEvent = {
    id: (of.change_events.at(-1)?.id ?? 0) + 1,
    action_type: action_type ?? (deleted ? "delete" : before === undefined ? "insert" : "update"),
    item_type: "document",
    object_id: id,
    related_object_id: null,
    root_id: document.workspace_id === "" ? null : document.workspace_id,
    event_date: at,
  };
  of.change_events.push(event);
  return event;
}

function blankDocument(of: Library, id: string, at: string): Document {
  // Ids of documents read LIB!number.version (C).
  const [, number = "0", version = "1"] = /!(\d+)\.(\d+)$/.exec(id) ?? [];
  return {
    id,
    database: of.id,
    document_number: Number(number),
    version: Number(version),
    name: "Untitled",
    extension: "docx",
    size: 1024,
    class: "DOC",
    author: "",
    operator: "",
    last_user: "",
    create_date: at,
    edit_date: at,
    edit_profile_date: at,
    file_edit_date: at,
    workspace_id: "",
    workspace_name: "",
    default_security: "public",
    access: "full",
    iwl: "",
    wstype: "document",
    is_checked_out: false,
    custom1: "",
    custom2: "",
    visible_to: "everyone",
  };
}
