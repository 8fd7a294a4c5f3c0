/**
 * Monday morning: every access token of a firm has ended, and its users come within a minute. iManage takes 50 ms for a refresh; one of
 * the firm's hundred servers takes connections and never answers. Each user asks once; the workers refresh what is due
 * meanwhile, as they would. What those at the dead server are told stands apart: nobody else may wait for it.
 *
 * `--short`: for CI, judged against what is recorded. `--chart`: draws the README's chart. `--seed N`: the same order of users again.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { organisationOf } from "../src/domain/id.ts";
import { startSimulator } from "../src/simulator/start-simulator.ts";
import { dueHintKey, organisationPrefix } from "../src/store/keys.ts";
import { barChart, writeChart } from "./bench/chart.ts";
import { type Held, type HerdFirm, makeHerdFirm } from "./bench/herd-firm.ts";
import { endShortForm } from "./bench/recorded.ts";
import { startRedis } from "./redis/index.ts";

const short = process.argv.includes("--short");
const seedAt = process.argv.indexOf("--seed");
const SEED = seedAt < 0 ? Date.now() % 2 ** 31 : Number(process.argv[seedAt + 1]);
const [GRANTS, USERS, SECONDS, SERVERS] = short ? [400, 150, 4, 20] : [50_000, 2_000, 60, 100];
const IMANAGE_MS = 50;

const folder = await mkdtemp(join(tmpdir(), "bench-herd-"));
const ends: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
try {
  const redis = await startRedis({ appendfsync: "everysec" });
  ends.push(() => redis.stop());
  const simulator = await startSimulator();
  ends.push(() => simulator.close());
  const firm = await makeHerdFirm({ redis, simulator, folder }, { servers: SERVERS, users: GRANTS });
  ends.push(() => firm.stop());
  await letEnd(redis.url, firm.held);
  simulator.addFault({ on: { route: "token" }, times: "always", do: { delay_before_ms: IMANAGE_MS } });
  await firm.start();
  const refreshedBefore = simulator.requests().length;
  const answers = await herd(firm);
  const refreshed = simulator.requests().length - refreshedBefore;

  const ordered = (dead: boolean) => {
    const of = answers.filter((answer) => answer.dead === dead);
    return {
      of,
      ms: of.map(({ ms }) => ms).sort((a, b) => a - b),
      errors: of.filter(({ status }) => status !== 200),
    };
  };
  const [well, dead] = [ordered(false), ordered(true)];
  console.log(
    `seed ${SEED}; ${GRANTS} authorizations whose tokens have ended, ${SERVERS} servers, one of them dead`,
  );
  console.log(
    `${USERS} users within ${SECONDS} s, iManage takes ${IMANAGE_MS} ms, ${refreshed} calls there in all`,
  );
  for (const [name, { of, ms, errors }] of [
    ["at servers that answer", well],
    ["at the dead one", dead],
  ] as const) {
    const codes = [...new Set(errors.map(({ code }) => code))].join(", ");
    const at = (part: number) => `${(percentile(ms, part) / 1_000).toFixed(2)} s`;
    console.log(
      `${name.padEnd(24)} ${String(of.length).padStart(5)} asked   p50 ${at(0.5)}   p95 ${at(0.95)}   p99 ${at(0.99)}   longest ${at(1)}   without a token ${errors.length}${codes === "" ? "" : ` (${codes})`}`,
    );
  }
  const p95 = percentile(well.ms, 0.95) / 1_000;
  if (process.argv.includes("--chart")) {
    const groups = (["p50", "p95", "p99"] as const).map((name, i) => ({
      name,
      values: [percentile(well.ms, [0.5, 0.95, 0.99][i]!) / 1_000],
    }));
    const note = `${GRANTS} tokens have ended, ${USERS} users within ${SECONDS} s, iManage takes ${IMANAGE_MS} ms, one of ${SERVERS} servers is dead`;
    const title = "Monday morning: how long a user waits";
    const y = { label: "until the token is there", unit: "s" };
    await writeChart("herd", barChart({ title, note, y, bars: ["all other servers' users"], groups }));
  }
  if (short) await endShortForm("herd", { "p95 seconds": p95, errors: well.errors.length });
  console.log(`herd: p95 ${p95.toFixed(2)} s, ${well.errors.length} errors`);
} finally {
  for (const end of ends.reverse()) await end();
}

interface Answered {
  readonly ms: number;
  readonly status: number;
  readonly code: string | undefined;
  readonly dead: boolean;
}

/** As after a long week-end: each access token is over, and each grant is due. */
async function letEnd(url: string, held: readonly Held[]): Promise<void> {
  const redis = new Redis(url);
  const organisation = organisationOf(held[0]!.server);
  const prefix = organisationPrefix(organisation);
  for (let i = 0; i < held.length; i += 500) {
    const batch = redis.pipeline();
    const past = Date.now() - 1_000;
    for (const { grant } of held.slice(i, i + 500)) {
      batch.hset(`${prefix}grant:${grant}`, "due_at", past, "at_exp", past);
      batch.zadd(`${prefix}due:refresh`, past, grant);
    }
    await batch.exec();
  }
  // So that the workers' sweep sees it at once, and not after the minute in which the hint is made anew.
  await redis.zadd(dueHintKey(), Date.now(), organisation);
  redis.disconnect();
}

/** Users whom the seed chooses, each once, at moments spread over the whole time. */
async function herd({ client, base, held }: HerdFirm): Promise<readonly Answered[]> {
  const { body } = await client.token({ grant_type: "client_credentials" });
  const headers = {
    authorization: `Bearer ${String(body.access_token)}`,
    "content-type": "application/json",
  };
  const random = seeded(SEED);
  const chosen = new Set<number>();
  while (chosen.size < USERS) chosen.add(Math.floor(random() * held.length));
  const ask = async ({ server, subject, dead }: Held): Promise<Answered> => {
    await pause(random() * SECONDS * 1_000);
    const startedAt = performance.now();
    const told = JSON.stringify({ server, subject: { type: "user", id: subject } });
    const answer = await fetch(`${base}/v1/access-tokens`, { method: "POST", headers, body: told });
    const { code } = (await answer.json()) as { code?: string };
    return { ms: performance.now() - startedAt, status: answer.status, code, dead };
  };
  return Promise.all([...chosen].map((i) => ask(held[i]!)));
}

function percentile(ordered: readonly number[], part: number): number {
  return ordered[Math.max(0, Math.ceil(ordered.length * part) - 1)] ?? Number.NaN;
}

/** Mulberry32: enough to choose by. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
