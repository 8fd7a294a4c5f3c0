import type { AuditJournal } from "../../domain/audit-entry.ts";
import type { Instant } from "../../domain/instant.ts";
import type { BackupMac, BackupMacRun, JournalPosition, SnapshotItem, StoredKey } from "./ports.ts";

/** What a backup says of itself, at its end. */
export interface BackupManifest {
  readonly at: Instant;
  readonly endedAt: Instant;
  readonly keys: number;
  readonly organisations: number;
  readonly journals: readonly JournalPosition[];
  /** Keys by noun. */
  readonly nouns: Readonly<Record<string, number>>;
}

/** A file that is no backup of ours, or not whole, or was altered. */
export class BackupFault extends Error {
  constructor(sentence: string) {
    super(sentence);
    this.name = "BackupFault";
  }
}

const FORMAT = 1;
/** A part that is authenticated by itself: nothing of it is used before. A part holds one key more at most. */
const PART_LETTERS = 1 << 20;
const PART_LINES = 2_000;

/**
 * The lines of a backup: a head, keys, and after each part its MAC over all that came before it; at the end the manifest and its
 * MAC. What is cut off, put in, moved or altered is found at the next of them.
 */
export async function* writeBackup(
  items: AsyncIterable<SnapshotItem>,
  mac: BackupMac,
  clock: { now(): Instant },
  progress: (keys: number) => void = () => {},
): AsyncGenerator<string, BackupManifest> {
  const run = mac.begin();
  const at = clock.now();
  let part = line({ format: FORMAT, of: "imanage-token-broker", at, root_key: run.rootKey });
  let lines = 1;
  let keys = 0;
  let organisations = 0;
  const nouns: Record<string, number> = {};
  const journals: JournalPosition[] = [];
  for await (const item of items) {
    if (item.kind === "shard") {
      if (item.shard.tag.startsWith("o:")) organisations += 1;
      if (item.shard.journal !== undefined) journals.push(item.shard.journal);
      continue;
    }
    const { stored } = item;
    keys += 1;
    nouns[nounOf(stored.key)] = (nouns[nounOf(stored.key)] ?? 0) + 1;
    part += lineOfKey(stored);
    lines += 1;
    if (part.length < PART_LETTERS && lines < PART_LINES) continue;
    yield part + line({ mac: run.next(part) });
    progress(keys);
    [part, lines] = ["", 0];
  }
  const manifest: BackupManifest = { at, endedAt: clock.now(), keys, organisations, journals, nouns };
  part += line({ manifest });
  yield part + line({ mac: run.next(part), end: true });
  return manifest;
}

/** What `readBackup` found so far: keys that may be used, or the manifest, behind which there is nothing. */
export type BackupPart =
  | { readonly kind: "keys"; readonly keys: readonly StoredKey[] }
  | { readonly kind: "manifest"; readonly manifest: BackupManifest };

/** Reads a backup's lines part by part; what it yields is authenticated. @throws BackupFault */
export async function* readBackup(lines: AsyncIterable<string>, mac: BackupMac): AsyncIterable<BackupPart> {
  let run: BackupMacRun | undefined;
  let part = "";
  let keys: StoredKey[] = [];
  let manifest: BackupManifest | undefined;
  let ended = false;
  let number = 0;
  for await (const text of lines) {
    number += 1;
    if (ended) throw new BackupFault(`Line ${number} stands behind the end of the backup.`);
    const read = parse(text, number);
    if (run === undefined) {
      if (read.of !== "imanage-token-broker" || typeof read.root_key !== "string")
        throw new BackupFault("This file is no backup of the broker.");
      if (read.format !== FORMAT)
        throw new BackupFault(`This backup has format ${String(read.format)}; this version reads ${FORMAT}.`);
      run = mac.begin(read.root_key);
    }
    if (typeof read.mac !== "string") {
      part += `${text}\n`;
      if (typeof read.k === "string") keys.push(keyOf(read, number));
      if (read.manifest !== undefined) manifest = read.manifest as BackupManifest;
      continue;
    }
    if (!run.matches(part, read.mac))
      throw new BackupFault(
        `What stands before line ${number} is not what a broker with this root keyset wrote: it was altered, moved or cut.`,
      );
    if (keys.length > 0) yield { kind: "keys", keys };
    if (manifest !== undefined) yield { kind: "manifest", manifest };
    ended = manifest !== undefined;
    [part, keys] = ["", []];
  }
  if (!ended) throw new BackupFault("The backup has no end: it was cut off, or is still being written.");
}

/** The manifest of a backup that is whole. @throws BackupFault */
export async function verifyBackup(
  lines: AsyncIterable<string>,
  mac: BackupMac,
  progress: (keys: number) => void = () => {},
): Promise<BackupManifest> {
  let found: BackupManifest | undefined;
  let keys = 0;
  for await (const part of readBackup(lines, mac)) {
    if (part.kind === "manifest") found = part.manifest;
    else {
      keys += part.keys.length;
      progress(keys);
    }
  }
  if (found!.keys !== keys)
    throw new BackupFault(`The manifest tells of ${found!.keys} keys; ${keys} are there.`);
  return found!;
}

/** `grant` of `b1:{o:…}:grant:grt_…`, `client` of `b1:{s:client}:cli_…`. */
export function nounOf(key: string): string {
  const [, kind = "", name = "", rest = ""] = /^b1:\{([os]):(\w[\w-]*)\}:([\w-]*)/.exec(key) ?? [];
  return kind === "o" ? rest : name;
}

export function positionOf(manifest: BackupManifest, journal: AuditJournal): JournalPosition | undefined {
  return manifest.journals.find((one) => one.journal === journal);
}

const line = (value: object): string => `${JSON.stringify(value)}\n`;

const lineOfKey = ({ key, value, expiresAt }: StoredKey): string =>
  line({
    k: key,
    ...(value !== undefined && { d: Buffer.from(value).toString("base64") }),
    ...(expiresAt !== undefined && { e: expiresAt }),
  });

function keyOf(read: Record<string, unknown>, number: number): StoredKey {
  const { k, d, e } = read;
  if ((d !== undefined && typeof d !== "string") || (e !== undefined && !Number.isSafeInteger(e)))
    throw new BackupFault(`Line ${number} is none of a backup's.`);
  return {
    key: k as string,
    value: d === undefined ? undefined : Buffer.from(d as string, "base64"),
    expiresAt: e as Instant | undefined,
  };
}

function parse(text: string, number: number): Record<string, unknown> {
  try {
    const read: unknown = JSON.parse(text);
    if (typeof read === "object" && read !== null) return read as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new BackupFault(`Line ${number} cannot be read: the file is no backup, or was cut or altered.`);
}
