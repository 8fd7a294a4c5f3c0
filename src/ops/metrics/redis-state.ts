import { Cluster, type Redis } from "ioredis";
import type { Clock } from "../../broker/ports.ts";
import type { Milliseconds } from "../../domain/instant.ts";
import { type Durability, durabilityOf, parseInfo, readRedisFacts } from "../self-checks.ts";

export interface RedisState {
  readonly durability: Durability["class"];
  readonly master: boolean;
  readonly lastWriteOk: boolean | undefined;
  readonly memory: Readonly<Record<"used" | "max", number>>;
  readonly replicas: number | undefined;
  readonly replicationLagBytes: number;
  readonly clockSkewMs: Milliseconds | undefined;
}

/** Of a cluster, the worst of its masters. @throws Problem("store_unavailable") */
export async function readRedisState(connection: Redis | Cluster, clock: Clock): Promise<RedisState> {
  const masters = connection instanceof Cluster ? connection.nodes("master") : [connection];
  const [facts, infos] = await Promise.all([
    readRedisFacts(connection, clock),
    // What may not be read is not told.
    Promise.all(masters.map((redis) => redis.info().then(parseInfo, () => new Map<string, string>()))),
  ]);
  const memories = infos.map((info) => ({
    used: numberOf(info, "used_memory"),
    max: numberOf(info, "maxmemory"),
  }));
  const fullness = ({ used, max }: { used: number; max: number }) => (max > 0 ? 1 + used / max : 0);
  return {
    durability: durabilityOf(facts).class,
    master: facts.role === undefined || facts.role === "master",
    lastWriteOk: facts.lastWriteOk,
    memory: memories.sort((a, b) => fullness(b) - fullness(a) || b.used - a.used)[0] ?? { used: 0, max: 0 },
    replicas: facts.connectedReplicas,
    replicationLagBytes: Math.max(0, ...infos.map(lagOf)),
    clockSkewMs: facts.clockSkewMs,
  };
}

const numberOf = (info: ReadonlyMap<string, string>, name: string): number =>
  Number(info.get(name) ?? 0) || 0;

/** `slave0:ip=…,state=online,offset=123,lag=0` against the master's own offset. */
function lagOf(info: ReadonlyMap<string, string>): number {
  const own = numberOf(info, "master_repl_offset");
  const behind = [...info]
    .filter(([name]) => /^slave\d+$/.test(name))
    .map(([, value]) => own - Number(/(?:^|,)offset=(\d+)/.exec(value)?.[1] ?? own));
  return Math.max(0, ...behind);
}
