/**
 * Refreshes a second, end to end, by real workers on grants that are due, and by a broker that is asked for tokens that are over, beside
 * what the simulator can answer at the most: a bare loop of the same requests over as many connections, which stores nothing. In turns in
 * one run, because only the ratio means anything; simulator, Redis and whoever refreshes share the machine's cores in both.
 *
 * One server's gate lets six through at once of what nobody waits for, eight in all, and a hundred a second (`domain/server-gate.ts`;
 * no setting raises it). So there are forty firms with a server each, at one simulator: 4,000 a second, and their gates are not what
 * is measured. All else is as in production: log at `info` into a file, audit exported, AOF synced every second.
 *
 * Every refresh is counted by those who keep count (audit, grants, simulator), and at the end every stored refresh token is shown to
 * the simulator, which is strict: a run in which they differ, or a grant is lost, fails.
 *
 * `--short`: one worker, small rounds. `--rows 1,2,http`, `--firms`, `--users`, `--rounds`: another run. `--profile DIR`: CPU profiles of
 * what refreshes.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { BareRound } from "./bench/bare-refresh.ts";
import { type RunningChild, startChild } from "./bench/child.ts";
import { load, Measured } from "./bench/load.ts";
import { processorMs } from "./bench/processor-time.ts";
import { endShortForm } from "./bench/recorded.ts";
import { RefreshFirms } from "./bench/refresh-firms.ts";
import type { Issued } from "./bench/refresh-simulator.ts";
import { startRedis } from "./redis/index.ts";

const option = (name: string): string | undefined =>
  process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined;
const short = process.argv.includes("--short");
const profiles = option("--profile");
const FIRMS = Number(option("--firms") ?? 40);
const USERS = short ? 50 : Number(option("--users") ?? 150);
const ROUNDS = Number(option("--rounds") ?? (short ? 2 : 4));
const ROWS = (option("--rows") ?? (short ? "1" : "1,2,http")).split(",");
/** As many as a process of the broker has to one origin at the most; a worker has more under way, of which some wait for Redis. */
const CONNECTIONS = 64;
const PATIENCE_MS = 30_000;

/** How far each worker's log was read. */
const read = new Map<string, number>();

const folder = await mkdtemp(join(tmpdir(), "bench-refresh-"));
const started: { stop(): Promise<void> }[] = [];
let figure = Number.NaN;
try {
  const redis = await startRedis({ appendfsync: "everysec" });
  started.push(redis);
  const firms = await RefreshFirms.start(redis, folder, { firms: FIRMS, users: USERS });
  started.push(firms);
  figure = await measure(firms, redis.pid);
} finally {
  for (const one of started.reverse()) await one.stop();
  await rm(folder, { recursive: true, force: true });
}
if (short) await endShortForm("refresh", { "of the simulator's ceiling": figure });
console.log(`refresh: ${figure.toFixed(2)} of the simulator's ceiling`);

async function measure(firms: RefreshFirms, redisPid: number): Promise<number> {
  const bare = await startBare(firms);
  started.push(bare);
  let ofFirst = Number.NaN;
  let byBare = 0;
  for (const row of ROWS) {
    const workers = row === "http" ? 1 : Number(row);
    const role = row === "http" ? "http" : "worker";
    const processes: Awaited<ReturnType<RefreshFirms["process"]>>[] = [];
    for (let i = 0; i < workers; i++)
      processes.push(
        await firms.process(role, profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`]),
      );
    try {
      const turn = {
        bare: new Measured(),
        broker: new Measured(),
      };
      const before = await firms.counted();
      const byBareBefore = byBare;
      // The first round warms up both and is not counted.
      for (let round = 0; round <= ROUNDS; round++) {
        const into = round === 0 ? { bare: new Measured(), broker: new Measured() } : turn;
        byBare += await bareRound(firms, bare, into.bare);
        if (role === "http") await askAll(firms, [...processes.map(({ pid }) => pid), redisPid], into.broker);
        else await refreshAll(firms, [...processes.map(({ pid }) => pid), redisPid], into.broker);
        if (round === 0) for (const one of processes) await readLatencies(one, new Measured());
      }
      if (role === "worker") for (const one of processes) await readLatencies(one, turn.broker);
      const ratio = tell(row, turn, processes.length);
      if (Number.isNaN(ofFirst)) ofFirst = ratio;
      const after = await firms.counted();
      const expected = firms.grants.length * (ROUNDS + 1);
      const told = {
        audited: after.audited - before.audited,
        stored: after.stored - before.stored,
        simulator: after.refreshed - before.refreshed - (byBare - byBareBefore),
      };
      console.log(
        `  refreshes: ${expected} due, ${told.audited} in the audit, ${told.stored} in the grants, ${told.simulator} at the simulator`,
      );
      if (Object.values(told).some((count) => count !== expected))
        throw new Error("audit, grants and simulator do not count as many refreshes");
    } finally {
      for (const one of processes) await one.stop();
    }
  }
  const lost = await firms.lost();
  console.log(`grants lost: ${lost} of ${firms.grants.length}`);
  if (lost > 0) throw new Error("grants were lost");
  return ofFirst;
}

async function startBare(firms: RefreshFirms): Promise<RunningChild> {
  const bare = await startChild("./bare-refresh.ts", {
    SIMULATOR: `http://127.0.0.1:${firms.simulator.port}`,
  });
  const issued = (await firms.simulator.ask({ ask: "issue", users: USERS, times: FIRMS })) as Issued[];
  bare.tell({ tokens: issued.map(({ refresh_token }) => refresh_token) });
  return bare;
}

async function bareRound(firms: RefreshFirms, bare: RunningChild, into: Measured): Promise<number> {
  const used = await processorTimes([bare.pid, firms.simulator.pid]);
  const answer = (await bare.ask({ connections: CONNECTIONS, amount: firms.grants.length })) as BareRound;
  await used(into);
  into.answered += answer.refreshed;
  into.seconds += answer.seconds;
  for (const ms of answer.latenciesMs) into.latency(ms);
  return answer.refreshed;
}

/** Lets all be due, and waits until the last is refreshed. Counts from the worker's first look at the schedule to the last entry. */
async function refreshAll(firms: RefreshFirms, pids: readonly number[], into: Measured): Promise<void> {
  const heads = await firms.auditHeads();
  const used = await processorTimes([...pids, firms.simulator.pid]);
  const from = await firms.allDue();
  const until = heads.reduce((sum, head) => sum + head, firms.grants.length);
  let seen = { sum: 0, at: Date.now() };
  for (;;) {
    await pause(200);
    const sum = (await firms.auditHeads()).reduce((all, head) => all + head, 0);
    if (sum > seen.sum) seen = { sum, at: Date.now() };
    if (sum >= until) break;
    if (Date.now() - seen.at > PATIENCE_MS) throw new Error(`${until - sum} grants were not refreshed`);
  }
  await used(into);
  const moments = await firms.auditedSince(heads, "grant.rotated");
  into.answered += moments.length;
  into.seconds += (moments.at(-1)! - from) / 1_000;
}

/** The same by those who ask for a token that is over. */
async function askAll(firms: RefreshFirms, pids: readonly number[], into: Measured): Promise<void> {
  const { body } = await firms.client.token({ grant_type: "client_credentials" });
  await firms.allExpired();
  let next = 0;
  await load(
    {
      url: `${firms.base}/v1/access-tokens`,
      headers: { authorization: `Bearer ${String(body.access_token)}` },
      bodies: [],
      nextBody() {
        const { server, user } = firms.grants[next++ % firms.grants.length]!;
        return JSON.stringify({ server, subject: { type: "user", id: user } });
      },
      pids: [...pids, firms.simulator.pid],
    },
    { connections: CONNECTIONS, amount: firms.grants.length },
    into,
  );
}

/** Adds what these processes use from now on. */
async function processorTimes(pids: readonly number[]): Promise<(into: Measured) => Promise<void>> {
  const before = await Promise.all(pids.map(processorMs));
  return async (into) => {
    for (const [place, ms] of (await Promise.all(pids.map(processorMs))).entries())
      into.processorMs[place] =
        (into.processorMs[place] ?? 0) + (ms ?? Number.NaN) - (before[place] ?? Number.NaN);
  };
}

/** How long each refresh took by the worker's own log, from its lease to its last write, since it was read last. */
async function readLatencies({ log }: { readonly log: string }, into: Measured): Promise<void> {
  const text = await readFile(log, "utf8");
  for (const line of text.slice(read.get(log) ?? 0).split("\n")) {
    if (!line.includes('"message":"refresh"')) continue;
    into.latency((JSON.parse(line) as { elapsedMs: number }).elapsedMs);
  }
  read.set(log, text.length);
}

function tell(
  row: string,
  { bare, broker }: { bare: Measured; broker: Measured },
  processes: number,
): number {
  const who =
    row === "http" ? "asked for at a broker" : processes === 1 ? "one worker" : `${processes} workers`;
  const ratio = broker.perSecond / bare.perSecond;
  console.log(
    `\n${who}, ${FIRMS} firms with a server each, ${ROUNDS} rounds of ${FIRMS * USERS} refreshes in turns:`,
  );
  console.log(line("", "refreshes/s", "p50 ms", "p99 ms", "own CPU µs", "Redis µs", "simulator µs"));
  const micros = (of: Measured, place: number) => of.microsEach(place).toFixed(0);
  const own = Array.from({ length: processes }, (_, i) => broker.microsEach(i)).reduce(
    (sum, one) => sum + one,
    0,
  );
  console.log(
    line(
      "bare loop",
      bare.perSecond.toFixed(0),
      bare.percentile(50).toFixed(2),
      bare.percentile(99).toFixed(2),
      micros(bare, 0),
      "-",
      micros(bare, 1),
    ),
  );
  console.log(
    line(
      who,
      broker.perSecond.toFixed(0),
      broker.percentile(50).toFixed(2),
      broker.percentile(99).toFixed(2),
      own.toFixed(0),
      micros(broker, processes),
      micros(broker, processes + 1),
    ),
  );
  const all = (of: Measured) => of.processorMs.reduce((sum, _ms, place) => sum + of.microsEach(place), 0);
  const [least, whole] = [all(bare), all(broker)];
  console.log(
    `  ${ratio.toFixed(2)} of the bare loop; by processor time of all processes, ${least.toFixed(0)} of ${whole.toFixed(0)} µs, ${(least / whole).toFixed(2)}`,
  );
  return ratio;
}

function line(name: string, ...columns: readonly string[]): string {
  return name.padEnd(24) + columns.map((column) => column.padStart(13)).join("");
}
