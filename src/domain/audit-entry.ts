import { type OrganisationId, parseId } from "./id.ts";
import type { Instant } from "./instant.ts";

/** Whose entries are numbered together: an organisation's, or those of what belongs to none. */
export type AuditJournal = OrganisationId | SharedJournal;
/** `registrations`: the operator's, which organisations share. `queues`: what operators did there by hand. */
export const SHARED_JOURNALS = ["clients", "registrations", "queues"] as const;
export type SharedJournal = (typeof SHARED_JOURNALS)[number];

export function parseJournal(text: string): AuditJournal | undefined {
  return SHARED_JOURNALS.find((shared) => shared === text) ?? parseId("org", text);
}

/** One line of the audit, as the script that did the thing wrote it. */
export interface AuditEntry {
  /** Contiguous in its journal, from 1. */
  readonly sequence: number;
  readonly fields: Readonly<Record<string, string>>;
}

/** An entry with its link: SHA-256 over the link before it and what the entry says. */
export interface ChainedEntry extends AuditEntry {
  readonly hash: string;
}

/** What is signed: that the chain went from `previous` to `hash` over the entries `first` to `sequence`, and no others. */
export interface AuditCheckpoint {
  readonly journal: AuditJournal;
  readonly first: number;
  /** The link before `first`. */
  readonly previous: string;
  readonly sequence: number;
  readonly hash: string;
  readonly at: Instant;
}

/** What leaves Redis at once: entries of one journal without a gap, and the signature that stands for them. */
export interface AuditBatch {
  readonly journal: AuditJournal;
  readonly entries: readonly ChainedEntry[];
  /** Compact JWS of the {@link AuditCheckpoint} after the last of them. */
  readonly checkpoint: string;
}

/**
 * What of an entry is hashed: JSON by RFC 8785 (names sorted, no blanks), so that any language can do it again. All values
 * are texts, and the one number is whole: what the RFC says of numbers does not come up.
 */
export function canonicalEntry(journal: AuditJournal, { sequence, fields }: AuditEntry): string {
  const names = Object.keys(fields).sort();
  const told = names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(fields[name])}`);
  return `{"fields":{${told.join(",")}},"journal":${JSON.stringify(journal)},"sequence":${sequence}}`;
}

/** Every line of a batch, each with its end. */
export function linesOf({ journal, entries, checkpoint }: AuditBatch): string {
  const last = entries.at(-1)!.sequence;
  return `${entries.map((entry) => `${entryLine(journal, entry)}\n`).join("")}${checkpointLine(journal, last, checkpoint)}\n`;
}

/** `organisation`, or `journal` where it is nobody's, and `sequence` name the entry; no field of it may stand in for them. */
export function entryLine(journal: AuditJournal, { sequence, fields, hash }: ChainedEntry): string {
  const name = { ...nameOf(journal), sequence };
  return JSON.stringify({ ...name, ...fields, ...name, hash });
}

export const checkpointLine = (journal: AuditJournal, sequence: number, checkpoint: string): string =>
  JSON.stringify({ ...nameOf(journal), sequence, checkpoint });

const nameOf = (journal: AuditJournal) =>
  parseId("org", journal) === undefined ? { journal } : { organisation: journal };

export type AuditLine =
  | { readonly kind: "entry"; readonly journal: AuditJournal; readonly entry: ChainedEntry }
  | {
      readonly kind: "checkpoint";
      readonly journal: AuditJournal;
      readonly sequence: number;
      readonly checkpoint: string;
    }
  /** Torn by a crash, or somebody else's. */
  | { readonly kind: "other" };

/**
 * Reads a line, if it is written exactly as we write it: what a program reads and what a person sees must be the same, and
 * JSON lets one name stand twice.
 */
export function readLine(text: string): AuditLine {
  const line = parseLine(text);
  if (line.kind === "entry") return entryLine(line.journal, line.entry) === text ? line : { kind: "other" };
  if (line.kind === "other") return line;
  return checkpointLine(line.journal, line.sequence, line.checkpoint) === text ? line : { kind: "other" };
}

function parseLine(text: string): AuditLine {
  const read = parseObject(text);
  const { organisation, journal: shared, sequence, hash, checkpoint, ...fields } = read ?? {};
  const journal = parseJournal(String(organisation ?? shared ?? ""));
  if (journal === undefined || !Number.isSafeInteger(sequence) || Number(sequence) < 1) {
    return { kind: "other" };
  }
  const number = Number(sequence);
  if (typeof checkpoint === "string") return { kind: "checkpoint", journal, sequence: number, checkpoint };
  if (typeof hash !== "string" || !Object.values(fields).every((value) => typeof value === "string")) {
    return { kind: "other" };
  }
  return {
    kind: "entry",
    journal,
    entry: { sequence: number, fields: fields as Record<string, string>, hash },
  };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === "object" && read !== null ? (read as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
