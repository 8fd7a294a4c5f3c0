/**
 * Token requests a second beside what an answer costs at the least, in turns in one run, because only the ratio means anything.
 * Beside each other: `node:http` alone, Express alone, Express with one Redis round trip and one AES-256-GCM open (floor c), and the broker: by broker token, and with
 * a `private_key_jwt` on every request. Policy, rate and the awaited audit entry as in production.
 *
 * `--short`: for CI, judged against what is recorded. `--profile DIR`: CPU and allocation profiles of the broker, with
 * their flame graphs. `--chart`: draws the README's chart.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { barChart, writeChart } from "./bench/chart.ts";
import { type RunningChild, startChild } from "./bench/child.ts";
import { drawFlameGraphs } from "./bench/flame-graph.ts";
import { load, Measured, type Target } from "./bench/load.ts";
import { endShortForm } from "./bench/recorded.ts";
import { ALGORITHM, signAssertions, startTokenBroker, type TokenBroker } from "./bench/token-broker.ts";
import { verificationsPerSecond } from "./bench/verification-rate.ts";
import { startRedis } from "./redis/index.ts";

const short = process.argv.includes("--short");
const argument = (name: string): string | undefined =>
  process.argv.includes(name) ? (process.argv[process.argv.indexOf(name) + 1] ?? "") : undefined;
const only =
  argument("--only")?.split(",") ?? (short ? ["floor c", "broker token", "private_key_jwt"] : undefined);
const profiles = argument("--profile");
const ROUNDS = Number(argument("--rounds") ?? (short ? 2 : 5));
const SECONDS = short ? 1 : 3;
const CONNECTIONS = 64;
const WARM_UP = short ? 2_500 : 5_000;
/** As many as may be used up in all rounds with `private_key_jwt`. */
const ASSERTIONS_PER_SECOND = 8_000;

const folder = await mkdtemp(join(tmpdir(), "bench-token-"));
const ends: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
let figure = Number.NaN;
/** By what Redis does with what is written: requests a second of each. */
const rates = new Map<string, Map<Name, number>>();
try {
  for (const fsync of short ? (["everysec"] as const) : (["everysec", "always"] as const)) {
    const ratio = await measure(fsync);
    // Of the two the worse one counts.
    figure = Number.isNaN(figure) ? ratio : Math.min(figure, ratio);
  }
} finally {
  for (const end of ends.reverse()) await end();
}
if (profiles !== undefined) for (const file of await drawFlameGraphs(profiles)) console.log(`drawn: ${file}`);
if (process.argv.includes("--chart")) await drawChart();
if (short && argument("--only") === undefined) await endShortForm("token", { "of floor c": figure });
console.log(`token: ${figure.toFixed(2)} of floor c`);

async function measure(appendfsync: "everysec" | "always"): Promise<number> {
  const started: { stop(): Promise<void> }[] = [];
  const own = await mkdtemp(join(folder, "run-"));
  try {
    const redis = await startRedis({ appendfsync });
    started.push(redis);
    const execArgv =
      profiles === undefined
        ? []
        : [
            "--cpu-prof",
            `--cpu-prof-dir=${profiles}`,
            "--import",
            new URL("./bench/sample-allocations.ts", import.meta.url).href,
          ];
    if (profiles !== undefined) process.env.ALLOCATIONS_DIR = profiles;
    const broker = await startTokenBroker(redis, own, { users: short ? 4 : 40, execArgv });
    started.push(broker);
    const targets = await targetsOf(broker, redis.pid, redis.url, started);
    return await compare(appendfsync, broker, targets);
  } finally {
    for (const one of started.reverse()) await one.stop();
  }
}

type Name =
  | "node:http"
  | "Express"
  | "Express, Redis read alone"
  | "floor c"
  | "broker token"
  | "private_key_jwt";

async function targetsOf(
  broker: TokenBroker,
  redisPid: number,
  redisUrl: string,
  started: { stop(): Promise<void> }[],
): Promise<Map<Name, Target>> {
  const { body: brokerToken } = await broker.client.token({ grant_type: "client_credentials" });
  const authorization = { authorization: `Bearer ${String(brokerToken.access_token)}` };
  const bodies = broker.subjects.map((id) =>
    JSON.stringify({ server: broker.server, subject: { type: "user", id } }),
  );
  const answer = await broker.client.accessToken(JSON.parse(bodies[0]!) as object);
  const targets = new Map<Name, Target>();
  const wanted = (name: Name): boolean => only?.includes(name) !== false;
  const floor = async (name: Name, kind: string) => {
    if (!wanted(name)) return;
    const child: RunningChild = await startChild("./token-floors.ts", {
      ...{
        FLOOR: kind,
        FLOOR_BODY: JSON.stringify(answer.body),
        REDIS_URL: redisUrl,
        NODE_ENV: "production",
      },
    });
    started.push(child);
    const url = `http://127.0.0.1:${child.port}/v1/access-tokens`;
    targets.set(name, { url, headers: authorization, bodies, pids: [child.pid, redisPid] });
  };
  await floor("node:http", "node");
  await floor("Express", "express");
  await floor("Express, Redis read alone", "redis-read");
  await floor("floor c", "redis");
  const pids = [broker.process.pid, redisPid];
  targets.set("broker token", {
    url: `${broker.base}/v1/access-tokens`,
    headers: authorization,
    bodies,
    pids,
  });
  if (wanted("private_key_jwt")) targets.set("private_key_jwt", { ...(await exchange(broker)), pids });
  if (!wanted("broker token")) targets.delete("broker token");
  return targets;
}

/** A token exchange (RFC 8693) with an assertion of its own each time. */
async function exchange(broker: TokenBroker): Promise<Omit<Target, "pids">> {
  const assertions = await signAssertions(broker, 2 * WARM_UP + ASSERTIONS_PER_SECOND * ROUNDS * SECONDS);
  const forms = broker.subjects.map((subject) =>
    new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      ...{ audience: broker.server, subject_token: subject },
      subject_token_type: "urn:imanage-token-broker:token-type:user",
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: "",
    }).toString(),
  );
  let sent = 0;
  return {
    url: `${broker.base}/oauth2/token`,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    bodies: [],
    nextBody: () => `${forms[sent % forms.length]}${assertions[sent++]}`,
  };
}

async function compare(
  appendfsync: string,
  broker: TokenBroker,
  targets: Map<Name, Target>,
): Promise<number> {
  // What is measured was compiled before, and each round takes about as long for all of them.
  const amounts = new Map<Name, number>();
  for (const [name, target] of targets) {
    await load(target, { connections: CONNECTIONS, amount: WARM_UP });
    const { perSecond } = await load(target, { connections: CONNECTIONS, amount: WARM_UP });
    amounts.set(name, Math.round(perSecond * SECONDS));
  }
  const measured = new Map([...targets.keys()].map((name) => [name, new Measured()]));
  const auditedBefore = await broker.audited();
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, target] of targets)
      await load(target, { connections: CONNECTIONS, amount: amounts.get(name)! }, measured.get(name)!);
  const entries = (await broker.audited()) - auditedBefore;
  const verified = await verificationsPerSecond(broker, short ? 300 : 1_000);

  console.log(
    `\n${CONNECTIONS} connections, ${ROUNDS} rounds of ${SECONDS} s in turns, appendfsync ${appendfsync}:`,
  );
  console.log(line("", "requests/s", "p50 ms", "p99 ms", "CPU µs", "Redis µs", "refused"));
  for (const [name, of] of measured)
    console.log(
      line(
        name,
        of.perSecond.toFixed(0),
        of.percentile(50).toFixed(2),
        of.percentile(99).toFixed(2),
        of.microsEach(0).toFixed(0),
        of.microsEach(1).toFixed(0),
        String(of.refused),
      ),
    );
  rates.set(appendfsync, new Map([...measured].map(([name, { perSecond }]) => [name, perSecond])));
  const of = (name: Name) => measured.get(name) ?? new Measured();
  const answered = of("broker token").answered + of("private_key_jwt").answered;
  console.log(`audit entries ${entries}, token answers ${answered}`);
  if (entries !== answered) throw new Error("audit entries and token answers are not as many");
  const jwt = of("private_key_jwt").perSecond / verified;
  console.log(
    `private_key_jwt: ${jwt.toFixed(2)} of ${verified.toFixed(0)} bare verifications/s (${ALGORITHM}, one core)`,
  );

  const ratio = of("broker token").perSecond / of("floor c").perSecond;
  if (targets.has("floor c") && targets.has("broker token"))
    await compareAtHalf(targets, of("broker token").perSecond / 2);
  return ratio;
}

/** p99 where nothing queues up: both at half of what the broker can do. */
async function compareAtHalf(targets: Map<Name, Target>, perSecond: number): Promise<void> {
  const half = { floor: new Measured(), broker: new Measured() };
  const at = { connections: CONNECTIONS, amount: perSecond * SECONDS, perSecond };
  for (let round = 0; round < ROUNDS; round++) {
    await load(targets.get("floor c")!, at, half.floor);
    await load(targets.get("broker token")!, at, half.broker);
  }
  const [floor, own] = [half.floor.percentile(99), half.broker.percentile(99)];
  console.log(
    `at ${perSecond.toFixed(0)} requests/s, half of the broker's: p99 ${own.toFixed(2)} ms, floor c ${floor.toFixed(2)} ms: ×${(own / floor).toFixed(2)}`,
  );
}

async function drawChart(): Promise<void> {
  const names = [...(rates.values().next().value?.keys() ?? [])];
  const groups = names.map((name) => ({ name, values: [...rates.values()].map((of) => of.get(name)) }));
  const bars = [...rates.keys()].map((fsync) => `appendfsync ${fsync}`);
  const note = `one process, ${CONNECTIONS} connections, in turns, load and Redis on the same ${availableParallelism()} cores`;
  const y = { label: "requests a second" };
  await writeChart(
    "token",
    barChart({ title: "A token beside the least that it could cost", note, y, bars, groups }),
  );
}

function line(name: string, ...columns: readonly string[]): string {
  return name.padEnd(28) + columns.map((column) => column.padStart(11)).join("");
}
