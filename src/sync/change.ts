import type { Instant } from "../domain/instant.ts";
import { Secret } from "../domain/secret.ts";
import type { DocumentPayload } from "./document-fields.ts";

export const CHANGE_KINDS = [
  "document.created",
  "document.changed",
  "document.deleted",
  "document.security_changed",
  "container.changed",
  "container.deleted",
  "user.changed",
  "group.changed",
] as const;

export type ChangeKind = (typeof CHANGE_KINDS)[number];

/** What a client is told, as it is sealed. */
export interface SealedChange {
  readonly kind: ChangeKind;
  readonly object: string;
  /** When it happened, by iManage's clock. */
  readonly at?: Instant | undefined;
  /** Who, as far as iManage says. */
  readonly actor?: string | undefined;
  /** Of documents that are there. */
  readonly document?: DocumentPayload;
  /** Set where the document's fields were too long to be kept: only its id, number and version are told. */
  readonly shortened?: true;
}

/** The sealer takes 16 KiB; JSON escapes what is not well-formed Unicode, so nothing else can make it refuse. */
const SEALED_BYTES_MAX = 16 * 1024;

export function encodeChange(change: SealedChange): Secret {
  const text = JSON.stringify(change);
  if (change.document === undefined || Buffer.byteLength(text) <= SEALED_BYTES_MAX) return new Secret(text);
  const { kind, object, at } = change;
  const { id, number, version } = change.document;
  return new Secret(JSON.stringify({ kind, object, at, document: { id, number, version }, shortened: true }));
}

export const decodeChange = (secret: Secret): SealedChange => JSON.parse(secret.reveal()) as SealedChange;
