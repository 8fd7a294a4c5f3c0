import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Simulator } from "../src/simulator/start-simulator.ts";
import { OldSystem, startImportFirm } from "./bench/import-firm.ts";
import { startRedis } from "./redis/index.ts";

/**
 * Another system's refresh tokens come in while it goes on refreshing them, at an iManage that ends all of a person's authorization for
 * one token that is used twice. The import is killed without warning again and again; the old system is shut out by another client
 * secret and never stopped. Then every authorization is refreshed here, and iManage is asked what it has seen.
 */
const SHORT = process.argv.includes("--short");
const TOKENS = Number(process.env.BENCH_TOKENS ?? (SHORT ? 200 : 10_000));
const KILLS = Number(process.env.BENCH_KILLS ?? (SHORT ? 1 : 5));
const WORKERS = Number(process.env.BENCH_WORKERS ?? 1);
const seed = Number(process.env.BENCH_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Longer than all first refreshes take at a hundred a second. */
const PATIENCE_MS = 60_000 + TOKENS * 60;

interface Done {
  readonly imported: number;
  readonly renewed: number;
  readonly same: number;
  readonly faults: readonly unknown[];
  readonly opened?: number;
}
interface Standing {
  readonly held: number;
  readonly opened: number;
  readonly verified: number;
  readonly waiting: readonly unknown[];
  readonly quarantined: readonly unknown[];
}

const folder = await mkdtemp(join(tmpdir(), "bench-import-"));
const ends: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })];
try {
  const redis = await startRedis({ appendfsync: "everysec" });
  ends.push(() => redis.stop());
  const firm = await startImportFirm(redis, folder);
  ends.push(() => firm.stop());
  const old = new OldSystem(firm.simulator, TOKENS);
  ends.push(() => old.stop());
  old.start(4, 20);
  console.log(`${TOKENS} tokens, strict rotation, seed ${seed}`);

  const at = ["--server", "bench/dms", "--application", "bench", "--json"];
  const first = join(folder, "first.json");
  const last = join(folder, "last.json");
  await old.export(first);
  const planned = await timed(() =>
    firm.command<{ lines: readonly unknown[] }>("import", "plan", first, ...at),
  );
  row("rehearsal", planned.ms, `${planned.value.lines.length} would come in`);

  let killed = 0;
  const began = performance.now();
  for (let i = 0; i < KILLS; i++) {
    // Somewhere in the part of the file that is its own.
    const until = Math.floor((TOKENS * (i + draw(i))) / KILLS) + 1;
    if (await firm.killed(until, "import", "run", first, ...at)) break;
    killed += 1;
  }
  const inPart = performance.now() - began;
  row("imported in part", inPart, `${await firm.imported()} are in, killed ${killed} times`);
  const imported = await timed(() => firm.command<Done>("import", "run", first, ...at));
  row(
    "imported",
    imported.ms,
    `${imported.value.imported} now, ${imported.value.same} before; ${old.refreshes} refreshed by the old system meanwhile`,
  );

  await firm.changeSecret();
  await old.export(last);
  await firm.startWorkers(WORKERS);
  // Few at first, as the printed steps say.
  const few = await firm.command<Done>(
    "import",
    "open",
    last,
    ...at,
    "--yes",
    "--over",
    "0",
    "--first",
    "10",
  );
  await allRefreshed(firm.simulator, few.opened!);
  while (
    (await firm.command<Standing>("import", "status", "--server", "bench/dms", "--json")).verified <
    few.opened!
  );
  const opened = await timed(() => firm.command<Done>("import", "open", last, ...at, "--yes", "--over", "0"));
  row("opened", opened.ms, `${few.renewed} tokens were newer; 10 first, then ${opened.value.opened}`);

  const handed = await timed(() => allRefreshed(firm.simulator, TOKENS));
  const standing = await firm.command<Standing>("import", "status", "--server", "bench/dms", "--json");
  row(
    "refreshed and verified",
    handed.ms,
    `${standing.verified} verified, ${standing.quarantined.length} put aside`,
  );
  await old.stop();

  const { families } = firm.simulator.truth();
  const twice = families.filter(({ ended_because }) => ended_because === "reuse_detected").length;
  const lost = TOKENS - standing.verified + families.filter(({ ended_at }) => ended_at !== null).length;
  row(
    "the old system",
    undefined,
    `${old.refreshes} refreshes, ${old.shutOut} refused for its old secret, ${old.broken} broken`,
  );
  const all = families.reduce((sum, { refreshes }) => sum + refreshes, 0);
  row("refreshes here", undefined, `${all - old.refreshes} for ${TOKENS}`);
  console.log(
    `import: ${TOKENS} tokens in ${((inPart + imported.ms + opened.ms) / 1_000).toFixed(1)} s, killed ${killed} times, refreshed and verified ${(handed.ms / 1_000).toFixed(0)} s later: ${lost} lost, ${twice} used twice, the old system still running`,
  );
  if (lost > 0 || twice > 0 || old.broken > 0) process.exitCode = 1;
} finally {
  for (const end of ends.reverse()) await end();
}

/** Until iManage has been asked for so many whose they are. */
async function allRefreshed(simulator: Simulator, many: number): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const asked = simulator.counts().routes.discovery ?? 0;
    if (asked >= many) return;
    if (performance.now() > until) {
      console.log(`given up after ${PATIENCE_MS / 1_000} s: ${asked} of ${many} identities asked for`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly ms: number; readonly value: T }> {
  const from = performance.now();
  const value = await work();
  return { ms: performance.now() - from, value };
}

function row(what: string, ms: number | undefined, told: string): void {
  console.log(
    `${what.padEnd(24)}${ms === undefined ? "".padStart(9) : `${(ms / 1_000).toFixed(1)} s`.padStart(9)}   ${told}`,
  );
}

/** In [0, 1), the same for the same seed. */
function draw(i: number): number {
  const x = Math.sin(seed + i * 7_919) * 10_000;
  return x - Math.floor(x);
}
