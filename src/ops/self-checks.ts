import { Cluster, type Redis } from "ioredis";
import type { Clock } from "../broker/ports.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { systemClock } from "./clock.ts";
import type { Finding } from "./finding.ts";

/** What the store's server says of itself. Undefined: it does not say, as managed services that hide CONFIG. */
export interface RedisFacts {
  readonly redisVersion: string | undefined;
  readonly maxmemoryPolicy: string | undefined;
  readonly appendonly: boolean | undefined;
  readonly appendfsync: "always" | "everysec" | "no" | undefined;
  /** `no-appendfsync-on-rewrite`: whether fsync rests while the file is rewritten. */
  readonly fsyncRestsOnRewrite: boolean | undefined;
  /** Whether the last attempts to write AOF and snapshot succeeded (F31). */
  readonly lastWriteOk: boolean | undefined;
  readonly role: string | undefined;
  /** Replicas that are in step. */
  readonly connectedReplicas: number | undefined;
  readonly minReplicasToWrite: number | undefined;
  /** How far Redis' clock is ahead of ours. Undefined: not measured. */
  readonly clockSkewMs: Milliseconds | undefined;
}

export interface Durability {
  readonly class: "D0" | "D1" | "D2" | "D3" | "unknown";
  /** What is lost, and when. */
  readonly sentence: string;
}

const VERSION_MIN = [7, 0] as const;
const SKEW_WARN_MS = seconds(2);
const SKEW_REFUSE_MS = seconds(30);

/** Judges a store before anything is entrusted to it. Pure. Every check is in the answer, also those that are well. */
export function judgeRedis(facts: RedisFacts, production: boolean): readonly Finding[] {
  return [
    judgeVersion(facts),
    judgeEviction(facts),
    judgeDurability(facts, production),
    judgeLastWrite(facts),
    judgeRole(facts),
    judgeClock(facts),
  ];
}

/** What is lost when, in the classes of the README. */
export function durabilityOf(facts: RedisFacts): Durability {
  const { appendonly, appendfsync, fsyncRestsOnRewrite } = facts;
  if (appendonly === undefined) {
    return {
      class: "unknown",
      sentence: "Redis does not say whether it keeps an append-only file: what a crash loses is not known.",
    };
  }
  if (!appendonly || appendfsync === "no") {
    return {
      class: "D0",
      sentence: appendonly
        ? "Nothing makes Redis write to the disk: a power failure loses what the system had not written yet, half a minute and more."
        : "Redis keeps no append-only file: a restart loses everything since the last snapshot, or everything.",
    };
  }
  if (appendfsync === undefined) {
    return {
      class: "unknown",
      sentence: "Redis keeps an append-only file and does not say how often it reaches the disk.",
    };
  }
  if (appendfsync === "everysec" || fsyncRestsOnRewrite === true) {
    return {
      class: "D1",
      sentence:
        appendfsync === "everysec"
          ? "A killed Redis loses nothing in practice, a power failure up to two seconds, a failover what the replica lacks."
          : "The disk is not waited for while the append-only file is rewritten (no-appendfsync-on-rewrite): a power failure then loses seconds.",
    };
  }
  const wanted = facts.minReplicasToWrite ?? 0;
  if (wanted >= 1 && (facts.connectedReplicas ?? 0) >= wanted) {
    return {
      class: "D3",
      sentence:
        "Every write is on the disk before it is acknowledged, and is refused while no replica is in step. A failover can still lose what the replica lacks: less, not nothing.",
    };
  }
  return {
    class: "D2",
    sentence:
      "Every write is on the disk before it is acknowledged: a power failure loses nothing, a lost disk everything since the last backup, a failover what the replica lacks.",
  };
}

function judgeVersion({ redisVersion }: RedisFacts): Finding {
  const check = "redis-version";
  if (redisVersion === undefined) {
    return warn(
      check,
      "Redis does not tell its version.",
      "Assure yourself that it is 7.0 or newer, or allow INFO to the broker's user.",
    );
  }
  const [major = 0, minor = 0] = redisVersion.split(".").map(Number);
  const enough = major > VERSION_MIN[0] || (major === VERSION_MIN[0] && minor >= VERSION_MIN[1]);
  return enough
    ? ok(check, `Redis speaks version ${redisVersion}.`)
    : refuse(
        check,
        `Redis is version ${redisVersion}; the scripts need 7.0.`,
        "Upgrade to Redis 7.0 or newer, or Valkey.",
      );
}

/** F30: an evicted refresh token is a person who must sign in again. */
function judgeEviction({ maxmemoryPolicy }: RedisFacts): Finding {
  const check = "redis-eviction";
  if (maxmemoryPolicy === undefined) {
    return warn(
      check,
      "Redis does not say what it does when its memory is full.",
      "Assure yourself that maxmemory-policy is noeviction: only an operator can know, this Redis hides it.",
    );
  }
  return maxmemoryPolicy === "noeviction"
    ? ok(check, "Redis refuses writes when its memory is full, and forgets nothing.")
    : refuse(
        check,
        `When its memory is full, this Redis throws data away (maxmemory-policy ${maxmemoryPolicy}): authorizations would be lost.`,
        "Set maxmemory-policy to noeviction, or give the broker a Redis of its own.",
      );
}

function judgeDurability(facts: RedisFacts, production: boolean): Finding {
  const check = "redis-durability";
  const { class: kind, sentence } = durabilityOf(facts);
  const told = kind === "unknown" ? sentence : `${kind}: ${sentence}`;
  switch (kind) {
    case "D0":
      return (production ? refuse : warn)(check, told, "Set appendonly yes and appendfsync always.");
    case "D1":
      return warn(check, told, "Set appendfsync always and no-appendfsync-on-rewrite no.");
    case "unknown":
      return warn(
        check,
        told,
        "Assure yourself that appendonly is yes and appendfsync is always, or allow INFO and CONFIG|GET to the broker's user.",
      );
    default:
      return ok(check, told);
  }
}

/** F31. Only a warning: writes are refused by Redis itself, before iManage is asked for anything. */
function judgeLastWrite({ lastWriteOk }: RedisFacts): Finding {
  const check = "redis-disk";
  return lastWriteOk === false
    ? warn(
        check,
        "Redis could not write to its disk the last time it tried.",
        "Look at Redis' log, and at the space on its disk.",
      )
    : ok(check, "Redis reports no failed write to its disk.");
}

function judgeRole({ role }: RedisFacts): Finding {
  const check = "redis-role";
  if (role === undefined) {
    return warn(
      check,
      "Redis does not say whether it is a master.",
      "Assure yourself that REDIS_URL names a master.",
    );
  }
  return role === "master"
    ? ok(check, "Redis is a master.")
    : refuse(
        check,
        `This Redis is a ${role}, and takes no writes.`,
        "Point the broker to the master, or to Sentinel or the cluster.",
      );
}

/** Times are taken from Redis, iManage's deadlines and signed tokens from here: both clocks must be right. */
function judgeClock({ clockSkewMs }: RedisFacts): Finding {
  const check = "redis-clock";
  if (clockSkewMs === undefined) {
    return warn(
      check,
      "The clocks of Redis and of this machine could not be compared.",
      "Allow TIME to the broker's user.",
    );
  }
  const apart = Math.abs(clockSkewMs);
  const far = `Redis' clock is ${(apart / 1_000).toFixed(1)} s ${clockSkewMs > 0 ? "ahead of" : "behind"} this machine's.`;
  const remedy = "Let both machines follow the same time service (NTP).";
  if (apart > SKEW_REFUSE_MS) return refuse(check, far, remedy);
  if (apart > SKEW_WARN_MS) return warn(check, far, remedy);
  return ok(check, "The clocks of Redis and of this machine agree within two seconds.");
}

const ok = (check: string, sentence: string): Finding => ({ check, ok: true, severity: "warn", sentence });
const warn = (check: string, sentence: string, remedy: string): Finding => ({
  check,
  ok: false,
  severity: "warn",
  sentence,
  remedy,
});
const refuse = (check: string, sentence: string, remedy: string): Finding => ({
  check,
  ok: false,
  severity: "refuse",
  sentence,
  remedy,
});

/**
 * Asks the server; of a cluster, every master, and answers the worst of each fact.
 * @throws Problem("store_unavailable") where it does not answer. What it refuses to tell is undefined instead.
 */
export async function readRedisFacts(
  connection: Redis | Cluster,
  clock: Clock = systemClock(),
): Promise<RedisFacts> {
  const servers = connection instanceof Cluster ? connection.nodes("master") : [connection];
  if (servers.length === 0)
    throw new Problem("store_unavailable", { detail: "no master of the cluster is known" });
  return worstOf(await Promise.all(servers.map((server) => readServerFacts(server, clock))));
}

async function readServerFacts(redis: Redis, clock: Clock): Promise<RedisFacts> {
  const [infoText, config, clockSkewMs] = await Promise.all([
    unlessHidden(redis.info()),
    readConfig(redis),
    readClockSkew(redis, clock),
  ]);
  const info = parseInfo(infoText ?? "");
  return {
    redisVersion: info.get("redis_version"),
    // Managed services may name it and say nothing.
    maxmemoryPolicy: info.get("maxmemory_policy") || config.get("maxmemory-policy") || undefined,
    appendonly: yes(config.get("appendonly") ?? info.get("aof_enabled")),
    appendfsync: fsyncPolicy(config.get("appendfsync")),
    fsyncRestsOnRewrite: yes(config.get("no-appendfsync-on-rewrite")),
    lastWriteOk: lastWriteOk(info),
    role: info.get("role"),
    connectedReplicas: info.has("connected_slaves") ? countInStep(info) : undefined,
    minReplicasToWrite: wholeNumber(config.get("min-replicas-to-write")),
    clockSkewMs,
  };
}

/** One setting at a time would be refused one at a time; all are refused or none. */
async function readConfig(redis: Redis): Promise<ReadonlyMap<string, string>> {
  const answer = await unlessHidden(
    redis.config(
      "GET",
      "maxmemory-policy",
      "appendonly",
      "appendfsync",
      "no-appendfsync-on-rewrite",
      "min-replicas-to-write",
    ),
    UNASKED,
  );
  const config = new Map<string, string>();
  if (!Array.isArray(answer)) return config;
  for (let at = 0; at + 1 < answer.length; at += 2) config.set(String(answer[at]), String(answer[at + 1]));
  return config;
}

/** The way there and back is not taken for skew. */
async function readClockSkew(redis: Redis, clock: Clock): Promise<Milliseconds | undefined> {
  const askedAtMs = clock.monotonicMs();
  const time = await unlessHidden(redis.time());
  if (time === undefined) return undefined;
  const now = clock.now();
  const travelMs = clock.monotonicMs() - askedAtMs;
  const [s, us] = time;
  const aheadMs = Number(s) * 1_000 + Number(us) / 1_000 - (now - travelMs / 2);
  return Math.round(Math.sign(aheadMs) * Math.max(0, Math.abs(aheadMs) - travelMs / 2));
}

const REFUSED = /^(NOPERM|ERR unknown (sub)?command|ERR .*not allowed)/i;
/** Redis Enterprise, and what is made of it, answers an error in words of its own where it does not know a setting. */
const UNASKED = /^(NOPERM|ERR (?!max number))/i;

/** Undefined where the server refuses to answer this very command; a server that is not there is another matter. */
async function unlessHidden<T>(answer: Promise<T>, refused: RegExp = REFUSED): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    const message = error instanceof Error ? error.message : "";
    if (refused.test(message)) return undefined;
    const code = (error as { code?: unknown }).code;
    const word = typeof code === "string" ? code : /^[A-Z]{4,20}(?= )/.exec(message)?.[0];
    throw new Problem("store_unavailable", { detail: word ?? "Redis does not answer" });
  }
}

export function parseInfo(text: string): ReadonlyMap<string, string> {
  const lines = text.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

function countInStep(info: ReadonlyMap<string, string>): number {
  return [...info].filter(([name, value]) => /^slave\d+$/.test(name) && /(^|,)state=online(,|$)/.test(value))
    .length;
}

function lastWriteOk(info: ReadonlyMap<string, string>): boolean | undefined {
  const states = ["aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"]
    .map((name) => info.get(name))
    .filter((state) => state !== undefined);
  return states.length === 0 ? undefined : states.every((state) => state === "ok");
}

const yes = (text: string | undefined): boolean | undefined =>
  text === undefined ? undefined : text === "yes" || text === "1";

const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;

const fsyncPolicy = (text: string | undefined): RedisFacts["appendfsync"] =>
  text === "always" || text === "everysec" || text === "no" ? text : undefined;

/** A chain is as strong as its weakest link: a known fault counts most, then what is not known. */
export function worstOf(all: readonly RedisFacts[]): RedisFacts {
  const worst = <K extends keyof RedisFacts>(fact: K, badness: (value: RedisFacts[K] & {}) => number) =>
    all.map((facts) => facts[fact]).reduce((a, b) => (rank(b, badness) > rank(a, badness) ? b : a));
  const unless = (good: unknown) => (value: unknown) => (value === good ? -1 : 1);
  return {
    redisVersion: worst("redisVersion", (version) => -versionNumber(version)),
    maxmemoryPolicy: worst("maxmemoryPolicy", unless("noeviction")),
    appendonly: worst("appendonly", unless(true)),
    appendfsync: worst("appendfsync", (policy) => ({ always: -1, everysec: 1, no: 2 })[policy]),
    fsyncRestsOnRewrite: worst("fsyncRestsOnRewrite", unless(false)),
    lastWriteOk: worst("lastWriteOk", unless(true)),
    role: worst("role", unless("master")),
    connectedReplicas: worst("connectedReplicas", (count) => -count),
    minReplicasToWrite: worst("minReplicasToWrite", (count) => -count),
    clockSkewMs: worst("clockSkewMs", (ms) => Math.abs(ms) - SKEW_WARN_MS),
  };
}

/** Not known lies between well (below zero) and wrong (above). */
const rank = <T>(value: T | undefined, badness: (value: T & {}) => number): number =>
  value === undefined ? 0 : badness(value as T & {});

/** Negative from the oldest version that will do. */
const versionNumber = (version: string): number => {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return (major - VERSION_MIN[0]) * 1_000 + (minor - VERSION_MIN[1]) + 0.5;
};
