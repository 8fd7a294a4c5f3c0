import { Secret } from "../domain/secret.ts";
import type { DocumentPayload } from "./document-fields.ts";

/** What a client is told, as it is sealed. */
export interface SealedChange {
  readonly kind: "document.changed";
  readonly object: string;
  readonly document: DocumentPayload;
  /** Set where the document's fields were too long to be kept: only its id, number and version are told. */
  readonly shortened?: true;
}

/** The sealer takes 16 KiB; JSON escapes what is not well-formed Unicode, so nothing else can make it refuse. */
const SEALED_BYTES_MAX = 16 * 1024;

export function encodeChange(document: DocumentPayload): Secret {
  const whole: SealedChange = { kind: "document.changed", object: document.id, document };
  const text = JSON.stringify(whole);
  if (Buffer.byteLength(text) <= SEALED_BYTES_MAX) return new Secret(text);
  const { id, number, version } = document;
  return new Secret(JSON.stringify({ ...whole, document: { id, number, version }, shortened: true }));
}

export const decodeChange = (secret: Secret): SealedChange => JSON.parse(secret.reveal()) as SealedChange;
