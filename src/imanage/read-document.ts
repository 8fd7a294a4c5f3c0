import type { Instant } from "../domain/instant.ts";
import type { LibraryDocument } from "../sync/library-source.ts";

/**
 * One row of iManage's documents, or undefined where nothing could be told about it: it has no id, number or version. Any
 * other field of another shape than expected is left out. By hand and not by a schema, of which each other answer has one:
 * a scan comes by here a million times, and this takes a fifth of the time.
 */
export function readDocument(row: unknown): LibraryDocument | undefined {
  if (typeof row !== "object" || row === null) return undefined;
  const from = row as Readonly<Record<string, unknown>>;
  const { id, document_number: number, version, size, is_checked_out: checkedOut } = from;
  if (typeof id !== "string" || id === "" || id.length > ID_LENGTH_MAX || !id.isWellFormed())
    return undefined;
  if (!Number.isSafeInteger(number) || !Number.isSafeInteger(version)) return undefined;
  return {
    id,
    number: number as number,
    version: version as number,
    name: text(from.name),
    extension: text(from.extension),
    size: typeof size === "number" ? size : undefined,
    class: text(from.class),
    author: text(from.author),
    lastUser: text(from.last_user),
    createdAt: instantOf(text(from.create_date)),
    editedAt: instantOf(text(from.edit_date)),
    profileEditedAt: instantOf(text(from.edit_profile_date)),
    fileEditedAt: instantOf(text(from.file_edit_date)),
    workspaceId: text(from.workspace_id),
    workspaceName: text(from.workspace_name),
    defaultSecurity: text(from.default_security),
    checkedOut: typeof checkedOut === "boolean" ? checkedOut : undefined,
    custom1: text(from.custom1),
    custom2: text(from.custom2),
  };
}

const ID_LENGTH_MAX = 256;
const TEXT_LENGTH_MAX = 1_024;
const ZONE = /[+-]\d{2}:?\d{2}$/;

/** JSON can carry half a surrogate pair; what reads it after us need not. */
const text = (value: unknown): string | undefined =>
  typeof value === "string" && value.length <= TEXT_LENGTH_MAX ? value.toWellFormed() : undefined;

/** Dates are UTC with milliseconds (C). One without a zone is taken for UTC, not for the zone of this process. */
export function instantOf(date: string | undefined): Instant | undefined {
  if (date === undefined) return undefined;
  const at = Date.parse(date.endsWith("Z") || ZONE.test(date) ? date : `${date}Z`);
  return Number.isNaN(at) ? undefined : at;
}
