import { z } from "zod";
import type { RootKeyWrapper } from "../broker/keys/ports.ts";
import type { Random } from "../broker/ports.ts";
import { type Instant, type Milliseconds, minutes, rfc3339 } from "../domain/instant.ts";
import { Secret } from "../domain/secret.ts";
import { equalInConstantTime } from "./compare.ts";

/** What a root key id looks like. No dots: ids stand in front of dots wherever they are carried. */
export const ROOT_KEY_ID = /^[a-z0-9][a-z0-9_-]{0,39}$/;
const KEY_BYTES = 32;
/** Twice as long as broker tokens: processes learn of a promotion as they are started again. */
const SIGNED_LIVES_MS: Milliseconds = minutes(10);

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
  return printKeysetFile([{ ...newEntry(random, now), state: "primary" }]);
}

/** The file's text with one more key, `active`: every process must know it before it is promoted (design §5). */
export function addRootKey(text: string, random: Random, now: Instant): { text: Secret; id: string } {
  const entry = newEntry(random, now);
  return { text: printKeysetFile([...parseKeysetFile(text), entry]), id: entry.id };
}

/** The file's text with `id` as primary; the former primary key stays active. */
export function promoteRootKey(text: string, id: string, now?: Instant): Secret {
  const entries = parseKeysetFile(text);
  const promoted = entries.find((entry) => entry.id === id);
  if (promoted === undefined || promoted.state === "retired") {
    throw new RootKeysetError(["the key to promote must be in the keyset and active"]);
  }
  return printKeysetFile(
    entries.map((entry) =>
      entry.id === id
        ? { ...entry, state: "primary" }
        : entry.state === "primary"
          ? { ...entry, state: "active", ...(now !== undefined && { demoted_at: rfc3339(now) }) }
          : entry,
    ),
  );
}

/**
 * The file's text with `id` retired: refused from now on as if it were not there, but still in the file, so that
 * retiring too early can be taken back. Delete the entry to destroy the key (T28).
 */
export function retireRootKey(text: string, id: string, now?: Instant): Secret {
  const demoted = parseKeysetFile(text).find((entry) => entry.id === id)?.demoted_at;
  if (now !== undefined && demoted !== undefined && now - Date.parse(demoted) < SIGNED_LIVES_MS)
    throw new RootKeysetError([
      "what the key to retire signed last still counts: wait ten minutes after another was promoted",
    ]);
  const entries = parseKeysetFile(text);
  if (entries.find((entry) => entry.id === id)?.state !== "active") {
    throw new RootKeysetError([
      "the key to retire must be in the keyset and active; promote another one first",
    ]);
  }
  return printKeysetFile(entries.map((entry) => (entry.id === id ? { ...entry, state: "retired" } : entry)));
}

const Entry = z.strictObject(
  {
    id: z
      .string("must be a text")
      .regex(ROOT_KEY_ID, "must be 1 to 40 of a-z, 0-9, _ and -, beginning with a letter or digit"),
    state: z.enum(["primary", "active", "retired"], 'must be "primary", "active" or "retired"'),
    key: z
      .string("must be a text")
      .refine(isKey, "must be 32 random bytes in base64 (44 characters); make one with the cli")
      .optional(),
    wrapped: z
      .string("must be a text")
      .regex(
        /^vault:v\d{1,9}:[A-Za-z0-9+/]{40,400}={0,2}$/,
        "must be what the key management service made of the key",
      )
      .optional(),
    wrapper: z
      .string("must be a text")
      .regex(/^[\w./ -]{1,200}$/, "must say by what the key is wrapped")
      .optional(),
    demoted_at: z.iso
      .datetime({ offset: true, error: "must be a date and time as RFC 3339 writes it" })
      .optional(),
    created_at: z.iso.datetime({
      offset: true,
      error: "must be a date and time as RFC 3339 writes it, for example 2026-11-22T09:00:00Z",
    }),
  },
  { error: nameFault },
);
export type Entry = z.infer<typeof Entry>;

const File = z.strictObject(
  {
    v: z.literal(1, "must be 1"),
    keys: z.array(Entry, "must be a list").min(1, "must hold at least one key"),
  },
  { error: nameFault },
);

export function parseKeysetFile(text: string): Entry[] {
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
  if (entries.some((entry) => (entry.key === undefined) === (entry.wrapped === undefined)))
    faults.push('each of keys must have either "key" or "wrapped"');
  if (entries.some((entry) => (entry.wrapped === undefined) !== (entry.wrapper === undefined)))
    faults.push('"wrapped" and "wrapper" must stand together');
  if (hasTwice(entries.flatMap((entry) => entry.key ?? [])))
    faults.push("keys must not hold the same key twice");
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

export const printKeysetFile = (keys: readonly Entry[]): Secret =>
  new Secret(`${JSON.stringify({ v: 1, keys }, undefined, 2)}\n`);

/** What a wrapped key belongs to: under another id it does not open. */
export const rootKeyContext = (id: string): string => `imb/root-key/1/${id}`;

/**
 * The file's text with every key wrapped by `wrapper`, those that it had wrapped before anew, by the newest version of its key.
 * Retired keys are left as they are where they are wrapped: their version may be gone.
 */
export async function wrapRootKeyset(text: string, wrapper: RootKeyWrapper): Promise<Secret> {
  const entries: Entry[] = [];
  for (const { key, wrapped, ...entry } of parseKeysetFile(text)) {
    if (entry.state === "retired" && wrapped !== undefined) {
      entries.push({ ...entry, wrapped });
      continue;
    }
    const context = rootKeyContext(entry.id);
    const bytes =
      wrapped === undefined ? Buffer.from(key!, "base64") : await wrapper.unwrap(wrapped, context);
    const anew = await wrapper.wrap(bytes, context);
    // Seen to open before the bare key goes.
    const opened = await wrapper.unwrap(anew, context);
    if (!equalInConstantTime(opened, bytes))
      throw new RootKeysetError([`${wrapper.name} does not give back what it wrapped`]);
    for (const secret of [bytes, opened]) secret.fill(0);
    entries.push({ ...entry, wrapped: anew, wrapper: wrapper.name });
  }
  return printKeysetFile(entries);
}

/** Whether keys of the file are wrapped: then a new one is to be, too. */
export const isWrapped = (text: string): boolean =>
  parseKeysetFile(text).some(({ state, wrapped }) => state !== "retired" && wrapped !== undefined);
