import type { LibraryDocument } from "./ports.ts";

/** What a change may tell of a document beside its id, number and version, which it always tells. */
export const DOCUMENT_FIELDS = [
  "name",
  "extension",
  "size",
  "class",
  "author",
  "lastUser",
  "createdAt",
  "editedAt",
  "profileEditedAt",
  "fileEditedAt",
  "workspaceId",
  "workspaceName",
  "defaultSecurity",
  "checkedOut",
  "custom1",
  "custom2",
] as const satisfies readonly (keyof LibraryDocument)[];

export type DocumentField = (typeof DOCUMENT_FIELDS)[number];

export type DocumentPayload = Pick<LibraryDocument, "id" | "number" | "version"> &
  Partial<Pick<LibraryDocument, DocumentField>>;

/** What a change tells of `document`, fields always in the same order. What iManage does not say is left out. */
export function payloadOf(
  document: LibraryDocument,
  fields: readonly DocumentField[] | undefined,
): DocumentPayload {
  const asked = fields === undefined ? DOCUMENT_FIELDS : DOCUMENT_FIELDS.filter((it) => fields.includes(it));
  const told = asked.filter((field) => document[field] !== undefined);
  const { id, number, version } = document;
  return { id, number, version, ...Object.fromEntries(told.map((field) => [field, document[field]])) };
}
