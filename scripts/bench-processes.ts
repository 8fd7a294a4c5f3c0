/**
 * How token requests a second grow with processes, from one to as many as the machine has cores: `http` × N, and `all`, whose workers
 * share the core. Everything else that takes part, Redis and the load itself, is on the same cores: what a process of the broker takes of
 * them is said beside it. `--short`: for CI.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { load, Measured, type Target } from "./bench/load.ts";
import { startTokenBroker } from "./bench/token-broker.ts";
import { startRedis } from "./redis/index.ts";

const short = process.argv.includes("--short");
const ROUNDS = short ? 2 : 4;
const SECONDS = short ? 1 : 3;
const CONNECTIONS = 64;
const WARM_UP = 4_000;
const CORES = Math.min(availableParallelism(), 8);

const folder = await mkdtemp(join(tmpdir(), "bench-processes-"));
const ends: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
try {
  const redis = await startRedis({ appendfsync: "everysec" });
  ends.push(() => redis.stop());
  const broker = await startTokenBroker(redis, folder, { users: 20 });
  ends.push(() => broker.stop());
  const { body } = await broker.client.token({ grant_type: "client_credentials" });
  const headers = { authorization: `Bearer ${String(body.access_token)}` };
  const bodies = broker.subjects.map((id) =>
    JSON.stringify({ server: broker.server, subject: { type: "user", id } }),
  );
  const targetOf = (one: { base: string; process: { pid: number } }): Target => ({
    ...{ url: `${one.base}/v1/access-tokens`, headers, bodies },
    pids: [one.process.pid, redis.pid],
  });
  const http = [targetOf(broker)];
  while (http.length < CORES) {
    const one = await broker.another("http");
    ends.push(() => one.process.stop());
    http.push(targetOf(one));
  }
  const settings = new Map<string, Target[]>();
  for (let n = 1; n <= CORES; n++) settings.set(`http × ${n}`, http.slice(0, n));
  const measured = new Map([...settings.keys()].map((name) => [name, new Measured()]));
  let perSecond = 0;
  for (const target of http)
    perSecond = (await load(target, { connections: CONNECTIONS, amount: WARM_UP })).perSecond;
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, targets] of settings) await atOnce(targets, perSecond * SECONDS, measured.get(name)!);
  // By itself, since its workers export meanwhile what was audited before.
  const all = await broker.another("all");
  ends.push(() => all.process.stop());
  const withWorkers = new Measured();
  await load(targetOf(all), { connections: CONNECTIONS, amount: WARM_UP });
  for (let round = 0; round < ROUNDS; round++)
    await atOnce([targetOf(all)], perSecond * SECONDS, withWorkers);
  measured.set("all", withWorkers);

  console.log(
    `${CORES} cores, ${CONNECTIONS} connections in all, ${ROUNDS} rounds of ${SECONDS} s in turns, appendfsync everysec:`,
  );
  for (const [name, of] of measured)
    console.log(
      `${name.padEnd(10)} ${of.perSecond.toFixed(0).padStart(8)} requests/s   p99 ${of.percentile(99).toFixed(1)} ms   broker ${of.microsEach(0).toFixed(0)} µs, Redis ${of.microsEach(1).toFixed(0)} µs a request   refused ${of.refused}`,
    );
  const grown = measured.get(`http × ${CORES}`)!.perSecond / measured.get("http × 1")!.perSecond;
  console.log(`processes: ×${grown.toFixed(2)} from 1 to ${CORES}`);
} finally {
  for (const end of ends.reverse()) await end();
}

/** Connections and requests shared out among all of them. */
async function atOnce(targets: readonly Target[], requests: number, into: Measured): Promise<void> {
  const connections = Math.floor(CONNECTIONS / targets.length);
  const amount = Math.round(requests / targets.length);
  const startedAt = performance.now();
  const parts = await Promise.all(targets.map((target) => load(target, { connections, amount })));
  into.addParallel(parts, (performance.now() - startedAt) / 1_000);
}
