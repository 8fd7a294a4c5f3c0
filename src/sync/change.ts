import type { Instant } from "../domain/instant.ts";
import { Secret } from "../domain/secret.ts";
import type { DocumentPayload } from "./document-fields.ts";
import type { ObjectPayloads } from "./object-fields.ts";

export const CHANGE_KINDS = [
  "document.created",
  "document.changed",
  "document.deleted",
  "document.security_changed",
  "container.changed",
  "container.deleted",
  "user.changed",
  "user.deleted",
  "group.changed",
  "group.deleted",
] as const;

export type ChangeKind = (typeof CHANGE_KINDS)[number];

/** What a client is told, as it is sealed. */
export interface SealedChange extends ObjectPayloads {
  readonly kind: ChangeKind;
  readonly object: string;
  /** When it happened, by iManage's clock. */
  readonly at?: Instant | undefined;
  /** Who, as far as iManage says. */
  readonly actor?: string | undefined;
  /** Of documents that are there. */
  readonly document?: DocumentPayload;
  /** Set where the fields were too long to be kept: only what names the object is told. */
  readonly shortened?: true;
}

/** The sealer takes 16 KiB; JSON escapes what is not well-formed Unicode, so nothing else can make it refuse. */
const SEALED_BYTES_MAX = 16 * 1024;

export function encodeChange(change: SealedChange): Secret {
  const text = JSON.stringify(change);
  if (Buffer.byteLength(text) <= SEALED_BYTES_MAX) return new Secret(text);
  const { kind, object, at, document, container, user, group } = change;
  const shortened: SealedChange = {
    ...{ kind, object, at },
    ...(document && { document: { id: document.id, number: document.number, version: document.version } }),
    ...(container && { container: { id: container.id, type: container.type } }),
    ...(user && { user: { id: user.id } }),
    ...(group && { group: { id: group.id } }),
    shortened: true,
  };
  return new Secret(JSON.stringify(shortened));
}

export const decodeChange = (secret: Secret): SealedChange => JSON.parse(secret.reveal()) as SealedChange;
