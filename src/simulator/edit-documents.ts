import { z } from "zod";
import { recordEvent } from "./change-feed.ts";
import { type Document, documentSchema, everyoneOr } from "./documents.ts";
import type { ChangeEvent, Library } from "./libraries.ts";
import type { Shelf } from "./shelf.ts";
import type { Switches } from "./switches.ts";

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

/** Where an edit happens. */
export interface Edited {
  library: Library;
  shelf: Shelf;
  switches: Switches;
  now: number;
}

/** Somebody at the firm edits, adds or deletes a document, and the change feed says so. */
export function editDocument(in_: Edited, id: string, change: DocumentChange): ChangeEvent {
  const { deleted, action_type, ...fields } = documentChangeSchema.parse(change);
  const at = new Date(in_.now).toISOString();
  const before = in_.shelf.find(id);
  let document: Document;
  if (deleted) {
    document = { ...known(in_, id) };
    in_.shelf.remove(id);
    in_.library.trash.push(document);
  } else {
    const base = before ?? blankDocument(in_.library, id, at);
    document = documentSchema.parse({ ...base, ...datesOf(at), ...fields, id });
    in_.shelf.put(document);
  }
  return tell(in_, document, {
    action_type: action_type ?? (deleted ? "delete" : before === undefined ? "insert" : "update"),
  });
}

/** Out of the trash, as it was. Its edit date stays: a window of dates does not show it (?). */
export function restoreDocument(in_: Edited, id: string): ChangeEvent {
  const document = outOfTrash(in_, id);
  in_.shelf.put(document);
  return tell(in_, document, { action_type: "restored_from_trash" });
}

export function purgeDocument(in_: Edited, id: string): ChangeEvent {
  return tell(in_, outOfTrash(in_, id), { action_type: "purged_from_trash" });
}

/** To another folder or workspace: out of one, into the other. Client and matter follow the workspace. */
export function moveDocument(
  in_: Edited,
  id: string,
  to: { workspace_id?: string | undefined; folder_id?: string | undefined },
): ChangeEvent[] {
  const before = { ...known(in_, id) };
  const { containers } = in_.shelf;
  const folder = to.folder_id === undefined ? undefined : containers.findFolder(to.folder_id);
  if (to.folder_id !== undefined && folder === undefined)
    throw new RangeError(`no folder ${to.folder_id} in ${in_.library.id}`);
  const workspaceId = to.workspace_id ?? folder?.workspace_id ?? before.workspace_id;
  const workspace = containers.findWorkspace(workspaceId);
  if (workspace === undefined) throw new RangeError(`no workspace ${workspaceId} in ${in_.library.id}`);
  if (folder !== undefined && folder.workspace_id !== workspaceId)
    throw new RangeError(`${folder.id} is not in ${workspaceId}`);
  const after: Document = {
    ...before,
    ...quietDates(in_),
    workspace_id: workspaceId,
    workspace_name: workspace.name,
    custom1: workspace.custom1,
    custom2: workspace.custom2,
    folder_id: folder?.id ?? containers.foldersIn(workspaceId)[0]?.id ?? "",
  };
  in_.shelf.put(after);
  return [
    tell(in_, before, { action_type: "document_unlink", related_object_id: before.folder_id || null }),
    tell(in_, after, { action_type: "document_link", related_object_id: after.folder_id || null }),
  ];
}

/** The next version has an id of its own (C). */
export function addVersion(in_: Edited, id: string, fields: DocumentChange = {}): ChangeEvent {
  const before = { ...known(in_, id) };
  const siblings = [...in_.shelf.findNumber(before.document_number), before];
  const version = 1 + Math.max(...siblings.map((one) => one.version));
  const { deleted: _, action_type, ...changed } = documentChangeSchema.parse(fields);
  const after = documentSchema.parse({
    ...before,
    ...datesOf(new Date(in_.now).toISOString()),
    create_date: new Date(in_.now).toISOString(),
    ...changed,
    id: `${in_.library.id}!${before.document_number}.${version}`,
    version,
  });
  if (in_.switches.new_version === "replaces") {
    in_.shelf.remove(id);
    in_.library.older_versions.push(before);
  }
  in_.shelf.put(after);
  return tell(in_, after, { action_type: action_type ?? "insert", related_object_id: id });
}

export function secureDocument(
  in_: Edited,
  id: string,
  { visible_to, default_security }: Pick<Document, "visible_to"> & { default_security?: string | undefined },
): ChangeEvent {
  const after: Document = {
    ...known(in_, id),
    ...quietDates(in_),
    visible_to,
    default_security: default_security ?? (visible_to === "everyone" ? "public" : "private"),
  };
  in_.shelf.put(after);
  return tell(in_, after, { action_type: "security_update" });
}

function known({ shelf, library }: Edited, id: string): Document {
  const document = shelf.find(id);
  if (document === undefined || library.older_versions.includes(document))
    throw new RangeError(`no document ${id} in ${library.id}`);
  return document;
}

function outOfTrash({ library }: Edited, id: string): Document {
  const index = library.trash.findLastIndex((document) => document.id === id);
  if (index < 0) throw new RangeError(`no document ${id} in the trash of ${library.id}`);
  return library.trash.splice(index, 1)[0]!;
}

function tell(
  { library, now }: Edited,
  { id, workspace_id }: Document,
  about: Pick<ChangeEvent, "action_type"> & Partial<Pick<ChangeEvent, "related_object_id">>,
): ChangeEvent {
  const root_id = workspace_id === "" ? null : workspace_id;
  return recordEvent(library, { item_type: "document", object_id: id, root_id, ...about }, now);
}

const datesOf = (at: string) => ({ edit_date: at, edit_profile_date: at, file_edit_date: at });

/** Whether moves and security show in a window of dates nobody has documented (?). */
const quietDates = ({ switches, now }: Edited) =>
  switches.edit_date_of_moves_and_security === "set" ? { edit_date: new Date(now).toISOString() } : {};

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
