import type { Redis } from "ioredis";

/** What Redis holds for so many grants of one organisation, in bytes a grant. */
export interface GrantBytes {
  readonly grants: number;
  /** All that Redis uses beyond what it used before, without the two logs. */
  readonly each: number;
  /** Audit and events: they end by age, however many grants there are. Bytes an entry, and entries. */
  readonly logs: { readonly bytes: number; readonly entries: number };
  /** Of it, by kind of key. What is left is Redis' own table of keys. */
  readonly kinds: ReadonlyMap<string, { readonly each: number; readonly encoding: string }>;
}

/** Looked at one by one, of the kinds that have a key for each grant. */
const SAMPLE = 500;
/** Of one organisation: what grows with its grants and ends by itself. */
const LOGS = ["audit", "events"];

export async function grantBytes(redis: Redis, prefix: string, usedBefore: number): Promise<GrantBytes> {
  const grants = await redis.zcard(`${prefix}grants`);
  const usage = async (key: string) => ((await redis.memory("USAGE", key, "SAMPLES", 0)) as number) ?? 0;
  const kinds = new Map<string, { each: number; encoding: string }>();
  const add = (kind: string, each: number, encoding: string) => {
    const known = kinds.get(kind);
    kinds.set(kind, { each: (known?.each ?? 0) + each, encoding });
  };
  // Sampled from the whole table, so that early and late ones are in it.
  const bindings: string[] = [];
  const ids: string[] = [];
  for (let cursor = "0", rounds = 0; rounds < 200 && ids.length < SAMPLE; rounds++) {
    const [next, found] = await redis.scan(cursor, "MATCH", `${prefix}grant:*`, "COUNT", 1_000);
    ids.push(...found.map((key) => key.slice(key.lastIndexOf(":") + 1)));
    cursor = next;
    if (cursor === "0") break;
  }
  ids.length = Math.min(ids.length, SAMPLE);
  for (const id of ids) {
    const consent = await redis.hget(`${prefix}grant:${id}`, "consent");
    const digests = await redis.hkeys(`${prefix}grant-bindings:${id}`);
    bindings.push(...digests);
    const keys = [
      ["grant", `${prefix}grant:${id}`],
      ["grant-bindings", `${prefix}grant-bindings:${id}`],
      ["story", `${prefix}story:${id}`],
      ["consent", `${prefix}consent:${consent}`],
      ...digests.map((digest) => ["binding", `${prefix}binding:${digest}`]),
    ] as [string, string][];
    for (const [kind, key] of keys)
      add(kind, (await usage(key)) / ids.length, (await redis.object("ENCODING", key)) as string);
  }
  for (const noun of [
    "grants",
    "due:refresh",
    "due:expiry",
    "grant-ends",
    "unbound",
    "consents",
    "bindings",
  ]) {
    const bytes = await usage(`${prefix}${noun}`);
    if (bytes > 0) add(noun, bytes / grants, (await redis.object("ENCODING", `${prefix}${noun}`)) as string);
  }
  let logBytes = 0;
  let entries = 0;
  for (const noun of LOGS) {
    logBytes += await usage(`${prefix}${noun}`);
    entries += await redis.xlen(`${prefix}${noun}`);
  }
  const used = await usedMemory(redis);
  return {
    grants,
    each: (used - usedBefore - logBytes) / grants,
    logs: { bytes: logBytes, entries },
    kinds,
  };
}

export const usedMemory = async (redis: Redis): Promise<number> => fromInfo(redis, "memory", "used_memory");

export async function fromInfo(redis: Redis, section: string, name: string): Promise<number> {
  const found = new RegExp(`^${name}:(\\d+)`, "m").exec(await redis.info(section));
  return Number(found?.[1]);
}
