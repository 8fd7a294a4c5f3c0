import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";

/** The six ways in which a secret is looked for: it leaks as it is, or as somebody wrote it down. */
export type Encoding = "raw" | "base64" | "base64url" | "hex" | "URL" | "JSON";

export interface Needle {
  /** What was found, told without telling it. */
  readonly name: string;
  readonly encoding: Encoding;
  readonly bytes: Buffer;
}

export interface Hit {
  readonly name: string;
  readonly encoding: Encoding;
  readonly where: string;
}

/** What every token, code and secret of the simulator and of this product begins with. */
export const PREFIXES = [
  ...["sim_at_", "sim_rt_", "sim_code_", "sim_session_", "sim_secret_"],
  ...["imb_sk_", "imb_at_"],
];

/** Everything by which a secret, or what every secret of a kind begins with, can be recognised. */
export function needlesOf(secrets: Readonly<Record<string, string>>): readonly Needle[] {
  return Object.entries(secrets).flatMap(([name, secret]) => {
    if (secret.length < 6) throw new RangeError(`${name} is too short to be told from chance`);
    const known = new Set<string>();
    return spellings(secret).flatMap(([encoding, text]) => {
      if (known.has(text)) return [];
      known.add(text);
      return [{ name, encoding, bytes: Buffer.from(text, "utf8") }];
    });
  });
}

export const prefixNeedles = needlesOf(Object.fromEntries(PREFIXES.map((prefix) => [`${prefix}…`, prefix])));

function spellings(secret: string): readonly (readonly [Encoding, string])[] {
  const bytes = Buffer.from(secret, "utf8");
  const hex = bytes.toString("hex");
  const percent = hex.replaceAll(/../g, "%$&");
  const unicode = [...secret].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
  return [
    ["raw", secret],
    ...[0, 1, 2].flatMap((before) => {
      const text = insideBase64(bytes, before);
      return [
        ["base64", text] as const,
        ["base64url", text.replaceAll("+", "-").replaceAll("/", "_")] as const,
      ];
    }),
    ["hex", hex],
    ["hex", hex.toUpperCase()],
    ["URL", encodeURIComponent(secret)],
    ["URL", new URLSearchParams({ a: secret }).toString().slice(2)],
    ["URL", percent],
    ["URL", percent.toUpperCase()],
    ["JSON", JSON.stringify(secret).slice(1, -1)],
    ["JSON", unicode],
  ];
}

/**
 * What of a base64 text is certain when `before` bytes (mod 3) stand in front of the secret, as in a Basic header, and
 * anything behind it: only the letters whose six bits are all the secret's.
 */
function insideBase64(secret: Buffer, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), secret]).toString("base64");
  const from = Math.ceil((before * 8) / 6);
  const to = Math.floor(((before + secret.length) * 8) / 6);
  return text.slice(from, to);
}

/** Which of the needles lie in here, each once. */
export function scan(haystack: Buffer | string, needles: readonly Needle[], where: string): readonly Hit[] {
  const bytes = typeof haystack === "string" ? Buffer.from(haystack, "utf8") : haystack;
  return needles
    .filter((needle) => bytes.includes(needle.bytes))
    .map(({ name, encoding }) => ({ name, encoding, where }));
}

/** The name and the whole content of every key, whatever its type, at every node that is named by its address. */
export async function scanRedis(
  urls: readonly string[],
  needles: readonly Needle[],
): Promise<{ readonly hits: readonly Hit[]; readonly keys: number }> {
  const hits: Hit[] = [];
  let keys = 0;
  for (const url of urls) {
    const redis = new Redis(url, { maxRetriesPerRequest: 1 });
    try {
      for (let cursor = "0"; ; ) {
        const [next, found] = await redis.scanBuffer(cursor, "COUNT", 1_000);
        for (const key of found) hits.push(...(await scanKey(redis, key, needles)));
        keys += found.length;
        cursor = next.toString();
        if (cursor === "0") break;
      }
    } finally {
      redis.disconnect();
    }
  }
  return { hits, keys };
}

/** How all of a key is read, by its type. */
const READ: Readonly<Record<string, readonly [command: string, ...args: string[]]>> = {
  string: ["GET"],
  hash: ["HGETALL"],
  list: ["LRANGE", "0", "-1"],
  set: ["SMEMBERS"],
  zset: ["ZRANGE", "0", "-1", "WITHSCORES"],
  stream: ["XRANGE", "-", "+"],
};

async function scanKey(redis: Redis, key: Buffer, needles: readonly Needle[]): Promise<readonly Hit[]> {
  const named = scan(key, needles, `the name of key ${key.toString("latin1")}`);
  const type = String(await redis.call("TYPE", key));
  if (type === "none") return named;
  const [command, ...args] = READ[type] ?? unknown(`a key of type ${type} was never scanned before`);
  const value: unknown = await redis.callBuffer(command, key, ...args);
  return [...named, ...scan(Buffer.concat(pieces(value)), needles, `key ${key.toString("latin1")}`)];
}

/** All that an answer is made of, however nested, apart from each other. */
function pieces(value: unknown): readonly Buffer[] {
  if (Buffer.isBuffer(value)) return [value, SEPARATOR];
  if (Array.isArray(value)) return value.flatMap(pieces);
  return value === null ? [] : [Buffer.from(String(value)), SEPARATOR];
}

const SEPARATOR = Buffer.from([0]);

function unknown(why: string): never {
  throw new Error(why);
}

/** Every file under a folder: AOF, RDB, logs. */
export function scanFiles(
  folder: string,
  needles: readonly Needle[],
): { readonly hits: readonly Hit[]; readonly bytes: number } {
  let bytes = 0;
  const hits = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap((entry) => {
      const path = join(entry.parentPath, entry.name);
      bytes += statSync(path).size;
      return scanFile(path, needles, `file ${entry.name}`);
    });
  return { hits, bytes };
}

const PIECE_BYTES = 64 * 1024 * 1024;

/** Piece by piece, each with the end of the one before it in front. */
function scanFile(path: string, needles: readonly Needle[], where: string): readonly Hit[] {
  const overlap = Math.max(...needles.map((needle) => needle.bytes.length));
  const file = openSync(path, "r");
  try {
    const hits: Hit[] = [];
    let end = Buffer.alloc(0);
    for (let at = 0; ; ) {
      const piece = Buffer.alloc(Math.min(PIECE_BYTES, Math.max(1, fstatSync(file).size - at)));
      const read = readSync(file, piece, 0, piece.length, at);
      if (read === 0) return hits;
      const whole = Buffer.concat([end, piece.subarray(0, read)]);
      hits.push(...scan(whole, needles, where));
      end = Buffer.from(whole.subarray(-overlap));
      at += read;
    }
  } finally {
    closeSync(file);
  }
}

/** With these a Redis writes its files so that they can be read: nothing is compressed, and no history is rewritten. */
export const READABLE_FILES = ["--rdbcompression", "no", "--auto-aof-rewrite-percentage", "0"] as const;

/** Ends a run, or a test, that left a secret behind. */
export function refuse(hits: readonly Hit[]): void {
  if (hits.length > 0) throw new Error(`A secret was left where none may lie:\n  ${told(hits).join("\n  ")}`);
}

/** A sentence for each, without what was found. */
export const told = (hits: readonly Hit[]): readonly string[] => [
  ...new Set(hits.map(({ name, encoding, where }) => `${name} (${encoding}) in ${where}`)),
];
