import { type Caller, libraryOf, resource } from "./api.ts";
import { ApiRefusal } from "./api-refusal.ts";
import type { Call } from "./calls.ts";
import { shownContainer } from "./containers.ts";
import type { Context } from "./context.ts";
import { documentsOf } from "./document-resources.ts";
import { shownDocument } from "./documents.ts";
import { maySee } from "./libraries.ts";
import { openCursor, sealCursor } from "./paging-cursor.ts";
import { isByCursor, limitOf, offsetOf, totalIfAsked } from "./query-of.ts";

/** GET …/workspaces (?: the envelope, by switch), paged like documents (I). */
export const listWorkspaces = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  const limit = limitOf(call);
  const belongsTo = JSON.stringify([library.id, "workspaces", caller.user.id]);
  const cursor = call.query.get("cursor");
  const byCursor = isByCursor(call);
  const after = byCursor && cursor !== null && cursor !== "" ? openCursor(cursor, belongsTo) : undefined;
  const from = byCursor ? 0 : offsetOf(call);

  const shown = [];
  let passed = after === undefined;
  let seen = 0;
  for (const workspace of in_.shelves.of(library).containers.workspaces()) {
    if (!maySee(library, workspace, caller.user.id)) continue;
    seen += 1;
    if (!passed) passed = workspace.id === after;
    else if (seen > from && shown.length <= limit) shown.push(shownContainer(workspace));
  }
  const more = shown.length > limit;
  const list = shown.slice(0, limit);
  const results = in_.state.switches.container_lists === "results";
  return {
    data: results ? { results: list } : list,
    ...(byCursor && more && { cursor: sealCursor(list.at(-1)!.id, belongsTo) }),
    ...(results ? totalIfAsked(call, seen) : { total_count: seen }),
  };
});

/** GET …/workspaces/{id} → {data: {}} (C). */
export const oneWorkspace = resource((in_, call, caller) => ({
  data: shownContainer(workspaceOf(in_, call, caller)),
}));

/** GET …/workspaces/{id}/children → {data: [], total_count} (C): its folders. `has_subfolders`: seen in one client (1). */
export const workspaceChildren = resource((in_, call, caller) => {
  const { id } = workspaceOf(in_, call, caller);
  const folders = foldersIn(in_, call, caller, id);
  const from = offsetOf(call);
  return { data: folders.slice(from, from + limitOf(call)), total_count: folders.length };
});

/** GET …/workspaces/{id}/documents (I): everything that lies in it, as lists of documents come. */
export const workspaceDocuments = resource((in_, call, caller) =>
  documentsOf(in_, call, caller, workspaceOf(in_, call, caller).id),
);

/** GET …/folders/{id} → {data: {}} (C). */
export const oneFolder = resource((in_, call, caller) => ({
  data: shownContainer(folderOf(in_, call, caller)),
}));

/** GET …/folders/{id}/children → {data: [], total_count} (C): folders first, then documents (I). */
export const folderChildren = resource((in_, call, caller) => {
  const library = libraryOf(in_, call, caller);
  const { id } = folderOf(in_, call, caller);
  const folders = foldersIn(in_, call, caller, id);
  const view = in_.shelves.of(library).list({
    userId: caller.user.id,
    order: in_.state.switches.document_order,
    editedFrom: undefined,
    editedTo: undefined,
    container: id,
  });
  const [from, limit] = [offsetOf(call), limitOf(call)];
  const first = folders.slice(from, from + limit);
  const { documents } =
    first.length === limit
      ? { documents: [] }
      : view.page({ offset: Math.max(0, from - folders.length), limit: limit - first.length });
  return { data: [...first, ...documents.map(shownDocument)], total_count: folders.length + view.total };
});

/** GET …/folders/{id}/documents (I). */
export const folderDocuments = resource((in_, call, caller) =>
  documentsOf(in_, call, caller, folderOf(in_, call, caller).id),
);

function foldersIn(in_: Context, call: Call, caller: Caller, parentId: string) {
  const library = libraryOf(in_, call, caller);
  const { containers } = in_.shelves.of(library);
  return containers
    .foldersIn(parentId)
    .filter((folder) => maySee(library, folder, caller.user.id))
    .map((folder) => ({
      ...shownContainer(folder),
      has_subfolders: containers.foldersIn(folder.id).length > 0,
    }));
}

function workspaceOf(in_: Context, call: Call, caller: Caller) {
  const library = libraryOf(in_, call, caller);
  const workspace = in_.shelves.of(library).containers.findWorkspace(call.params.workspace ?? "");
  if (workspace === undefined || !maySee(library, workspace, caller.user.id))
    throw new ApiRefusal(404, "NRC_NOT_FOUND", "There is no such workspace.");
  return workspace;
}

function folderOf(in_: Context, call: Call, caller: Caller) {
  const library = libraryOf(in_, call, caller);
  const folder = in_.shelves.of(library).containers.findFolder(call.params.folder ?? "");
  if (folder === undefined || !maySee(library, folder, caller.user.id))
    throw new ApiRefusal(404, "NRC_NOT_FOUND", "There is no such folder.");
  return folder;
}
