/**
 * What a million grants cost beside a thousand: bytes of Redis a grant, latency of a token, a sweep of the schedule, keep-alives.
 * Two firms side by side, each with a Redis and a broker of its own: one stays at a thousand, the other grows. Every grant is made
 * by the story that ends a sign-in; the shape of one is held against one that came of a real sign-in.
 *
 * `--short`: for CI, judged against what is recorded. `--to N`: how far it grows. `--plain-redis`: Redis' own limits of listpacks.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  capacityPage,
  type Measurements,
  readPage,
  recordMeasurements,
  writePage,
} from "./bench/capacity.ts";
import { lineChart, writeChart } from "./bench/chart.ts";
import { backUp, rewriteFile } from "./bench/firm-copies.ts";
import { fromInfo, type GrantBytes } from "./bench/grant-bytes.ts";
import { grantShape } from "./bench/grant-shape.ts";
import { keepAlive, refreshCost } from "./bench/keep-alive.ts";
import { load, Measured, type Target } from "./bench/load.ts";
import { personOf } from "./bench/person.ts";
import { endShortForm } from "./bench/recorded.ts";
import { type ScaleFirm, SIGNED_IN, SPAN_MS, startFirm } from "./bench/scale-firm.ts";

const short = process.argv.includes("--short");
const plain = process.argv.includes("--plain-redis");
const given = process.argv.indexOf("--to");
const largest = given < 0 ? (short ? 4_000 : 1_000_000) : Number(process.argv[given + 1]);
const SMALL = short ? 400 : 1_000;
const SIZES = [10_000, 100_000, 1_000_000].filter((size) => size < largest).concat(largest);
const ROUNDS = short ? 3 : Number(process.env.BENCH_ROUNDS ?? 10);
const SECONDS = short ? 0.5 : 2;
const CONNECTIONS = 32;
const SWEEP_DUE = short ? 300 : 1_000;
/** Sign-ins were made a hundred at once, so their keep-alives come in lumps of about a minute. */
const KEEP_ALIVE_SECONDS = 180;

const folder = await mkdtemp(join(tmpdir(), "bench-scale-"));
const ends: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
let figure = "";
try {
  const start = async (name: string, of: number) => {
    const redisArgs = plain ? ["--hash-max-listpack-value", "64"] : [];
    const firm = await startFirm(join(folder, name), of, redisArgs);
    ends.push(() => firm.stop());
    return firm;
  };
  const [small, large] = await Promise.all([start("small", SMALL), start("large", largest)]);
  await small.growTo(SMALL);
  console.log(`${CONNECTIONS} connections, ${ROUNDS} rounds of ${SECONDS} s in turns with ${SMALL} grants:`);
  console.log(
    line(
      "grants",
      "made in s",
      "bytes each",
      "log entry",
      "requests/s",
      "p50 ms",
      "p99 ms",
      "p50 ×",
      "p99 ×",
    ),
  );
  console.log(line(...rowOf(await small.bytes(), 0, undefined)));
  let turns: TokenTurns | undefined;
  const points: Point[] = [[SMALL, 1, 1]];
  for (const size of SIZES) {
    const ms = await large.growTo(size);
    const bytes = await large.bytes();
    turns = await tokensInTurns(small, SMALL, large, size);
    console.log(line(...rowOf(bytes, ms, turns)));
    points.push([size, ...([50, 99] as const).map((percent) => over(turns!, percent))] as Point);
  }
  const bytes = await large.bytes();
  console.log("\nbytes each, by kind of key:");
  for (const [kind, { each, encoding }] of bytes.kinds) console.log(line(kind, each.toFixed(0), encoding));
  await sameShape(large, largest);
  await memory("small", small);
  await memory("large", large);
  const ratio = turns!.large.percentile(50) / turns!.small.percentile(50);
  if (short) await endShortForm("scale", { "bytes per grant": bytes.each, "token p50 ×": ratio });
  if (process.argv.includes("--chart")) await drawChart(points);
  figure = `bytes per grant: ${bytes.each.toFixed(0)}, token p50 ×${ratio.toFixed(2)}`;
  if (!short) await measureForCapacity(small, await start("middle", 10_000), large, bytes, turns!);
} finally {
  for (const end of ends.reverse()) await end();
}
console.log(figure);

/** What a firm that is not on this machine is reckoned from (`src/store/CAPACITY.md`). `--record` keeps it. */
async function measureForCapacity(
  small: ScaleFirm,
  middle: ScaleFirm,
  large: ScaleFirm,
  bytes: GrantBytes,
  turns: TokenTurns,
): Promise<void> {
  await middle.growTo(10_000);
  await sweeps(middle, large);
  const cost = await refreshCost(middle, 2_000);
  console.log(
    `a refresh: worker ${cost.workerMsEach.toFixed(2)} ms, Redis ${cost.redisMsEach.toFixed(2)} ms of processor, ${cost.aofBytesEach.toFixed(0)} bytes of append-only file; ${cost.perSecond.toFixed(0)} a second through one server's gate`,
  );
  const aged = await small.age(100, 9);
  console.log(
    `a grant's hash: ${aged.before.toFixed(0)} bytes, after nine keep-alives ${aged.after.toFixed(0)}`,
  );
  const rewritten = await rewriteFile(large);
  console.log(
    `Redis' file of ${bytes.grants} rewritten in ${rewritten.seconds.toFixed(1)} s to ${mib(rewritten.bytes)}, fork ${rewritten.forkMs.toFixed(0)} ms`,
  );
  const backup = await backUp(middle);
  const copied = await middle.admin.zcard(`${middle.prefix}grants`);
  console.log(`a backup of ${copied}: ${backup.seconds.toFixed(1)} s, ${mib(backup.bytes)}`);
  const measured: Measurements = {
    grants: bytes.grants,
    bytesPerGrant: Math.round(bytes.each),
    bytesOfAge: Math.max(0, Math.round(aged.after - aged.before)),
    bytesPerLogEntry: Math.round(bytes.logs.bytes / bytes.logs.entries),
    keepAliveDays: SPAN_MS / 86_400_000,
    aofBytesPerToken: Math.round(turns.large.aofBytesEach),
    aofBytesPerRefresh: Math.round(cost.aofBytesEach),
    brokerMicrosPerToken: Math.round(turns.large.microsEach(0)),
    redisMicrosPerToken: Math.round(turns.large.microsEach(1)),
    workerMicrosPerRefresh: Math.round(cost.workerMsEach * 1_000),
    redisMicrosPerRefresh: Math.round(cost.redisMsEach * 1_000),
    backupBytesPerGrant: Math.round(backup.bytes / copied),
    backupMicrosPerGrant: round1((backup.seconds * 1e6) / copied),
    rewrittenBytesPerGrant: Math.round(rewritten.bytes / bytes.grants),
  };
  console.log(JSON.stringify(measured));
  if (process.argv.includes("--record")) {
    await recordMeasurements(measured);
    await writePage(capacityPage(await readPage(), measured));
  }
  const kept = await keepAlive(large, KEEP_ALIVE_SECONDS);
  console.log(
    `keep-alive: by the schedule ${kept.perHour} an hour, ${kept.late} were late; then within ${kept.seconds} s ${kept.due} due and ${kept.calls} calls at iManage`,
  );
}

type Point = [grants: number, p50: number, p99: number];

async function drawChart(points: readonly Point[]): Promise<void> {
  const svg = lineChart({
    title: "A token among many grants",
    note: `Latency over that among ${SMALL} grants, side by side, tokens drawn by lot`,
    x: { label: "grants", scale: "log" },
    y: { label: "times as long" },
    lines: [
      { name: "p50", points: points.map(([grants, p50]) => [grants, p50]) },
      { name: "p99", points: points.map(([grants, , p99]) => [grants, p99]) },
    ],
    levels: [
      { at: 1.1, name: "p50 wanted" },
      { at: 1.2, name: "p99 wanted" },
    ],
  });
  await writeChart("scale", svg);
}

function over({ small, large }: TokenTurns, percent: number): number {
  return large.percentile(percent) / small.percentile(percent);
}

interface TokenTurns {
  readonly small: Measured;
  readonly large: Measured & { readonly aofBytesEach: number };
}

/** Tokens of people drawn by lot, as many at both. */
async function tokensInTurns(
  small: ScaleFirm,
  ofSmall: number,
  large: ScaleFirm,
  ofLarge: number,
): Promise<TokenTurns> {
  const targets = [await targetOf(small, ofSmall), await targetOf(large, ofLarge)] as const;
  for (const target of targets) await load(target, { connections: CONNECTIONS, amount: short ? 500 : 5_000 });
  const { perSecond } = await load(targets[0], { connections: CONNECTIONS, amount: short ? 500 : 5_000 });
  const amount = Math.round(perSecond * SECONDS);
  const measured = [new Measured(), new Measured()] as const;
  const aofBefore = await fromInfo(large.admin, "persistence", "aof_current_size");
  for (let round = 0; round < ROUNDS; round++)
    for (const i of [0, 1] as const)
      await load(targets[i], { connections: CONNECTIONS, amount }, measured[i]);
  for (const { refused } of measured) if (refused > 0) throw new Error(`${refused} tokens were refused`);
  const aof = (await fromInfo(large.admin, "persistence", "aof_current_size")) - aofBefore;
  const aofBytesEach = aof / measured[1].answered;
  return { small: measured[0], large: Object.assign(measured[1], { aofBytesEach }) };
}

async function targetOf({ broker, redis }: ScaleFirm, size: number): Promise<Target> {
  const { body } = await broker.client.token({ grant_type: "client_credentials" });
  return {
    url: `${broker.base}/v1/access-tokens`,
    headers: { authorization: `Bearer ${String(body.access_token)}` },
    bodies: [],
    nextBody: () =>
      JSON.stringify({
        server: broker.server,
        subject: { type: "user", id: personOf(Math.floor(Math.random() * size)).id },
      }),
    pids: [broker.process.pid, redis.pid],
  };
}

function rowOf({ grants, each, logs }: GrantBytes, ms: number, turns: TokenTurns | undefined): string[] {
  const of = turns?.large;
  const ratio = (percent: number) =>
    turns === undefined ? "" : (turns.large.percentile(percent) / turns.small.percentile(percent)).toFixed(2);
  return [
    String(grants),
    (ms / 1_000).toFixed(1),
    each.toFixed(0),
    (logs.bytes / logs.entries).toFixed(0),
    of?.perSecond.toFixed(0) ?? "",
    of?.percentile(50).toFixed(2) ?? "",
    of?.percentile(99).toFixed(2) ?? "",
    ratio(50),
    ratio(99),
  ];
}

async function sweeps(middle: ScaleFirm, large: ScaleFirm): Promise<void> {
  const took = () => ({ sweeps: [] as number[], reads: [] as number[], redisMs: [] as number[] });
  const of = { middle: took(), large: took() };
  for (let round = 0; round < 30; round++)
    for (const [name, firm] of [
      ["middle", middle],
      ["large", large],
    ] as const) {
      const { sweeps, reads, redisMs } = await firm.sweep(SWEEP_DUE, round === 0 ? 50 : 20);
      if (round === 0) continue;
      // Of a round the shortest: whatever else this machine does makes none shorter.
      of[name].sweeps.push(Math.min(...sweeps));
      of[name].reads.push(Math.min(...reads));
      of[name].redisMs.push(redisMs);
    }
  const told = (what: "sweeps" | "reads" | "redisMs", by: (numbers: readonly number[]) => number) => {
    const [m, l] = [by(of.middle[what]), by(of.large[what])];
    return `${m.toFixed(3)} ms and ${l.toFixed(3)} ms, ×${(l / m).toFixed(2)}`;
  };
  const sizes = await Promise.all(
    [middle, large].map(({ admin, prefix }) => admin.zcard(`${prefix}due:refresh`)),
  );
  console.log(
    `\n${SWEEP_DUE} due among ${sizes.join(" and ")}: a sweep ${told("sweeps", median)}; reading all ${told("reads", median)}; of Redis' own time for both ${told("redisMs", (all) => Math.min(...all))}`,
  );
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

function round1(number: number): number {
  return Math.round(number * 10) / 10;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

async function memory(name: string, { admin, broker, redis }: ScaleFirm): Promise<void> {
  const rss = async (pid: number) =>
    Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]) * 1_024;
  console.log(
    `${name}: Redis uses ${mib(await fromInfo(admin, "memory", "used_memory"))} (${mib(await rss(redis.pid))} resident), broker ${mib(await rss(broker.process.pid))} resident`,
  );
}

/** One made without a browser is as one whose person signed in, key by key. */
async function sameShape({ admin, prefix, broker }: ScaleFirm, size: number): Promise<void> {
  const shape = (i: number) =>
    grantShape(admin, prefix, { server: broker.server, client: broker.client.id, person: personOf(i).id });
  const signedIn = JSON.stringify(await shape(SIGNED_IN - 1), undefined, 1);
  for (let i = 0; i < 100; i++) {
    const one = SIGNED_IN + Math.floor(Math.random() * (size - SIGNED_IN));
    const made = JSON.stringify(await shape(one), undefined, 1);
    if (made !== signedIn) throw new Error(`grant ${one} is not as one of a sign-in:\n${made}\n${signedIn}`);
  }
  console.log("a hundred grants drawn by lot have the shape of one whose person signed in");
}

function line(...columns: readonly string[]): string {
  return columns.map((column, i) => (i === 0 ? column.padEnd(14) : column.padStart(13))).join("");
}
