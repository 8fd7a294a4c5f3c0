import { z } from "zod";
import { recordEvent } from "./change-feed.ts";
import { type Document, documentSchema, everyoneOr } from "./documents.ts";
import type { ChangeEvent, Library } from "./libraries.ts";
import type { Shelf } from "./shelf.ts";

/**
 * Fields to change, or `deleted`, or (for an id the library does not have) a new document.
 * `action_type` is that of the change event, when the obvious one is not meant.
 */
export const documentChangeSchema = documentSchema
  .omit({ visible_to: true, folder_id: true })
  .partial()
  .extend({
    visible_to: everyoneOr.optional(),
    folder_id: z.string().optional(),
    deleted: z.literal(true).optional(),
    action_type: z.string().optional(),
  })
  .strict();

export type DocumentChange = z.input<typeof documentChangeSchema>;

/** Somebody at the firm edits, adds or deletes a document at `now`, and the change feed says so. */
export function editDocument(
  of: Library,
  shelf: Shelf,
  id: string,
  change: DocumentChange,
  now: number,
): ChangeEvent {
  const { deleted, action_type, ...fields } = documentChangeSchema.parse(change);
  const at = new Date(now).toISOString();
  const before = shelf.find(id);
  let document: Document;
  if (deleted) {
    if (before === undefined) throw new RangeError(`no document ${id} in ${of.id}`);
    document = { ...before };
    shelf.remove(id);
    of.trash.push(document);
  } else {
    const dates = { edit_date: at, edit_profile_date: at, file_edit_date: at };
    document = documentSchema.parse({ ...(before ?? blankDocument(of, id, at)), ...dates, ...fields, id });
    shelf.put(document);
  }
  return recordEvent(
    of,
    {
      action_type: action_type ?? (deleted ? "delete" : before === undefined ? "insert" : "update"),
      item_type: "document",
      object_id: id,
      root_id: document.workspace_id === "" ? null : document.workspace_id,
    },
    now,
  );
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
    folder_id: "",
    visible_to: "everyone",
  };
}
