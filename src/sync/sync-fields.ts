import { DOCUMENT_FIELDS, type DocumentField } from "./document-fields.ts";
import { OBJECT_FIELDS } from "./object-fields.ts";
import type { ObjectItem } from "./object-source.ts";

/** What a client may ask to be told: documents' fields by their names, others behind what they are fields of. */
export type SyncField =
  | DocumentField
  | { readonly [K in ObjectItem]: `${K}.${(typeof OBJECT_FIELDS)[K][number]}` }[ObjectItem];

export const SYNC_FIELDS: readonly string[] = [
  ...DOCUMENT_FIELDS,
  ...Object.entries(OBJECT_FIELDS).flatMap(([item, fields]) => fields.map((field) => `${item}.${field}`)),
];

export const isSyncField = (text: string): text is SyncField => SYNC_FIELDS.includes(text);

type Asked = readonly SyncField[] | undefined;

/** As they were asked for; undefined: every one, also where the list names none of documents. */
export function documentFields(asked: Asked): readonly DocumentField[] | undefined {
  const fields = asked?.filter((field) => !field.includes(".")) as readonly DocumentField[] | undefined;
  return fields?.length === 0 ? undefined : fields;
}

export function objectFields(asked: Asked, item: ObjectItem): readonly string[] {
  const all: readonly string[] = OBJECT_FIELDS[item];
  const names: readonly string[] = asked ?? [];
  const fields = all.filter((field) => names.includes(`${item}.${field}`));
  return fields.length === 0 ? all : fields;
}
