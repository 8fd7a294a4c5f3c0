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

/** What a change would tell of `document`, as one text to compare: no two that differ have the same. */
export function comparedText(document: LibraryDocument, fields: readonly DocumentField[]): string {
  const values: unknown[] = [document.id, document.number, document.version];
  // A plain loop over an array: a scan comes by here a million times.
  for (const field of fields) values.push(document[field]);
  return JSON.stringify(values);
}

/** What a change tells of `document`, fields always in the same order. What iManage does not say is left out. */
export function payloadOf(
  document: LibraryDocument,
  fields: readonly DocumentField[] | undefined,
): DocumentPayload {
  const { id, number, version } = document;
  const payload: Record<string, unknown> = { id, number, version };
  for (const field of DOCUMENT_FIELDS) {
    if (document[field] === undefined || fields?.includes(field) === false) continue;
    payload[field] = document[field];
  }
  return payload as unknown as DocumentPayload;
}
