import { createSecretKey, type KeyObject } from "node:crypto";
import { open } from "node:fs/promises";
import { z } from "zod";
import type { Random } from "../broker/ports.ts";
import { type Instant, rfc3339 } from "../domain/instant.ts";
import { Secret } from "../domain/secret.ts";
import { deriveKey } from "./derive-key.ts";
import { rootKeyMissing } from "./integrity.ts";

/** What a root key is for. Each purpose has a key of its own (RFC 5869 §3.2), so no two uses can be played off. */
export type RootPurpose =
  | "wrap-data-keys"
  | "client-secret"
  | "broker-token"
  | "cursor"
  | "record-mac"
  | "signature";

const PURPOSES: readonly RootPurpose[] = [
  "wrap-data-keys",
  "client-secret",
  "broker-token",
  "cursor",
  "record-mac",
  "signature",
];
const KEY_BYTES = 32;
const NO_SALT = new Uint8Array(0);

/** What a root key id looks like. No dots: ids stand in front of dots wherever they are carried. */
export const ROOT_KEY_ID = /^[a-z0-9][a-z0-9_-]{0,39}$/;

/**
 * The keys of the firm's root keyset, by id. Holds derived keys only, in `KeyObject`s outside the JavaScript heap:
 * there is nothing to print (T24).
 */
export class RootKeyset {
  /** Id of the key that wraps and signs what is new. */
  readonly primary: string;
  readonly #keys: ReadonlyMap<string, ReadonlyMap<RootPurpose, KeyObject>>;

  constructor(primary: string, keys: ReadonlyMap<string, KeyObject>) {
    this.primary = primary;
    this.#keys = new Map(
      [...keys].map(([id, key]) => [
        id,
        new Map(PURPOSES.map((purpose) => [purpose, deriveKey(key, NO_SALT, `imb/root/1/${purpose}`)])),
      ]),
    );
  }

  /** Ids of the keys that may be used: the primary one and the active ones. */
  get ids(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /** The key of root key `id` for `purpose`. Throws `Problem("integrity_failure")` that names the id if it is missing. */
  key(purpose: RootPurpose, id: string): KeyObject {
    const key = this.findKey(purpose, id);
    if (key === undefined) throw rootKeyMissing(id);
    return key;
  }

  findKey(purpose: RootPurpose, id: string): KeyObject | undefined {
    return this.#keys.get(id)?.get(purpose);
  }

  toJSON(): string {
    return "[root keyset]";
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[root keyset]";
  }
}

/** Everything that is wrong with a root keyset, in one go, and never a letter of a key. */
export class RootKeysetError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The root keyset cannot be used:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`);
    this.name = "RootKeysetError";
    this.faults = faults;
  }
}

/** The text of a new root keyset file with one primary key. */
export function createRootKeyset(random: Random, now: Instant): Secret {
  return printFile([{ ...newEntry(random, now), state: "primary" }]);
}

/** The file's text with one more key, `active`: every process must know it before it is promoted (design §5). */
export function addRootKey(text: string, random: Random, now: Instant): { text: Secret; id: string } {
  const entry = newEntry(random, now);
  return { text: printFile([...parseFile(text), entry]), id: entry.id };
}

/** The file's text with `id` as primary; the former primary key stays active. */
export function promoteRootKey(text: string, id: string): Secret {
  const entries = parseFile(text);
  const promoted = entries.find((entry) => entry.id === id);
  if (promoted === undefined || promoted.state === "retired") {
    throw new RootKeysetError(["the key to promote must be in the keyset and active"]);
  }
  return printFile(
    entries.map((entry) =>
      entry.id === id
        ? { ...entry, state: "primary" }
        : entry.state === "primary"
          ? { ...entry, state: "active" }
          : entry,
    ),
  );
}

/**
 * The file's text with `id` retired: refused from now on as if it were not there, but still in the file, so that
 * retiring too early can be taken back. Delete the entry to destroy the key (T28).
 */
export function retireRootKey(text: string, id: string): Secret {
  const entries = parseFile(text);
  if (entries.find((entry) => entry.id === id)?.state !== "active") {
    throw new RootKeysetError([
      "the key to retire must be in the keyset and active; promote another one first",
    ]);
  }
  return printFile(entries.map((entry) => (entry.id === id ? { ...entry, state: "retired" } : entry)));
}

/** Reads a keyset. Throws `RootKeysetError` with every fault. */
export function parseRootKeyset(text: string): RootKeyset {
  const usable = parseFile(text).filter((entry) => entry.state !== "retired");
  const keys = new Map<string, KeyObject>();
  for (const entry of usable) {
    const bytes = Buffer.from(entry.key, "base64");
    keys.set(entry.id, createSecretKey(bytes));
    bytes.fill(0);
  }
  return new RootKeyset(usable.find((entry) => entry.state === "primary")!.id, keys);
}

/**
 * Reads the keyset at `path`. In production a file that its group or the world may read or write is refused: whoever
 * reads it can read every secret of every firm.
 */
export async function loadRootKeyset(
  path: string,
  options: { readonly production: boolean },
): Promise<RootKeyset> {
  const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    throw new RootKeysetError([
      `${path} cannot be read (${error.code}): make one with the cli, readable by this process alone`,
    ]);
  });
  try {
    // Asked of the open file, not of the path: what is checked is what is read.
    const { mode } = await file.stat();
    if (options.production && (mode & 0o077) !== 0) {
      throw new RootKeysetError([
        `${path} is open to others (mode ${(mode & 0o777).toString(8)}): chmod 600 it, and consider its keys known to whoever had access`,
      ]);
    }
    return parseRootKeyset(await file.readFile("utf8"));
  } finally {
    await file.close();
  }
}

const Entry = z.strictObject(
  {
    id: z
      .string("must be a text")
      .regex(ROOT_KEY_ID, "must be 1 to 40 of a-z, 0-9, _ and -, beginning with a letter or digit"),
    state: z.enum(["primary", "active", "retired"], 'must be "primary", "active" or "retired"'),
    key: z
      .string("must be a text")
      .refine(isKey, "must be 32 random bytes in base64 (44 characters); make one with the cli"),
    created_at: z.iso.datetime({
      offset: true,
      error: "must be a date and time as RFC 3339 writes it, for example 2026-11-22T09:00:00Z",
    }),
  },
  { error: nameFault },
);
type Entry = z.infer<typeof Entry>;

const File = z.strictObject(
  {
    v: z.literal(1, "must be 1"),
    keys: z.array(Entry, "must be a list").min(1, "must hold at least one key"),
  },
  { error: nameFault },
);

function parseFile(text: string): Entry[] {
  const raw = readJson(text);
  const parsed = File.safeParse(raw);
  const faults = [
    ...(parsed.error?.issues ?? []).map(({ path, message }) => `${printPath(path)} ${message}`),
    ...faultsAcross(raw),
  ];
  if (!parsed.success || faults.length > 0) throw new RootKeysetError(faults);
  return parsed.data.keys;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The SyntaxError is dropped on purpose: its message quotes the text around the fault, which may be a key.
    throw new RootKeysetError(['it is not JSON: it must read {"v":1,"keys":[…]}']);
  }
}

/** What is wrong between entries. Looks at raw values, so that it is reported together with what is wrong inside them. */
function faultsAcross(raw: unknown): string[] {
  const keys: unknown = (raw as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys)) return [];
  const entries = keys.filter((entry) => typeof entry === "object" && entry !== null) as Partial<Entry>[];
  const faults: string[] = [];
  const primaries = entries.filter((entry) => entry.state === "primary").length;
  if (primaries !== 1) faults.push(`keys must hold exactly one "primary" key, not ${primaries}`);
  if (hasTwice(entries.map((entry) => entry.id))) faults.push("keys must not hold an id twice");
  if (hasTwice(entries.map((entry) => entry.key))) faults.push("keys must not hold the same key twice");
  return faults;
}

const hasTwice = (values: readonly unknown[]): boolean => new Set(values).size !== values.length;

function isKey(text: string): boolean {
  const bytes = Buffer.from(text, "base64");
  const canonical = bytes.length === KEY_BYTES && bytes.toString("base64") === text;
  // One byte over and over is a placeholder somebody forgot.
  return canonical && bytes.some((byte) => byte !== bytes[0]);
}

/** Names unknown fields only where the name cannot be a key that slipped to the wrong side of the colon. */
function nameFault(issue: z.core.$ZodRawIssue): string {
  if (issue.code !== "unrecognized_keys") return "must be an object";
  const names = (issue.keys as string[]).filter((name) => /^[a-z_]{1,20}$/.test(name));
  return `has fields that are not known${names.length > 0 ? ` (${names.join(", ")})` : ""}: remove them`;
}

const printPath = (path: readonly PropertyKey[]): string =>
  path.length === 0
    ? "it"
    : path
        .map((part, i) => (typeof part === "number" ? `[${part}]` : `${i > 0 ? "." : ""}${String(part)}`))
        .join("");

function newEntry(random: Random, now: Instant): Entry {
  const day = rfc3339(now).slice(0, 10);
  const tail = Buffer.from(random.bytes(4)).toString("hex");
  return {
    id: `rk-${day}-${tail}`,
    state: "active",
    key: Buffer.from(random.bytes(KEY_BYTES)).toString("base64"),
    created_at: rfc3339(now),
  };
}

const printFile = (keys: readonly Entry[]): Secret =>
  new Secret(`${JSON.stringify({ v: 1, keys }, undefined, 2)}\n`);
