import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Agent, request } from "undici";
import { barChart, writeChart } from "./bench/chart.ts";
import { writeOneFirm } from "./bench/one-firm.ts";
import { endShortForm } from "./bench/recorded.ts";
import type { ScanOrder, ScanSaid } from "./bench/scan-library.ts";
import { freePort, startRedis } from "./redis/index.ts";
import { runChild } from "./run-child.mjs";
import { endWithThisProcess } from "./watchdog.mjs";

/**
 * The first scan of a library beside a bare loop over the same pages of the same simulator (undici and JSON.parse, nothing kept):
 * side by side in one run, in turns, because only the ratio means anything. Documents: BENCH_DOCUMENTS. `--short`: for CI, judged
 * against what is recorded; `--chart`: draws the README's chart.
 */
const short = process.argv.includes("--short");
const DOCUMENTS = Number(process.env.BENCH_DOCUMENTS ?? (short ? 60_000 : 1_000_000));
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? (short ? 1 : 2));
/** As the product asks for them (`SyncRuns`). */
const PAGE = 2_000;

const folder = await mkdtemp(join(tmpdir(), "bench-sync-"));
const ends: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })];
try {
  const simulator = await startSimulator();
  const scan = await startScan(simulator);
  const bare: number[] = [];
  const scans: Extract<ScanSaid, { says: "scanned" }>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(await bareLoop(simulator, `BIG${round}`));
    scans.push(await scan(`BIG${round}`));
  }
  const rate = (ms: number) => DOCUMENTS / (ms / 1_000);
  console.log(`${DOCUMENTS} documents, pages of ${PAGE}, ${ROUNDS} rounds in turns:`);
  for (const [i, { ms, documents, objects, heapMiB, rssMiB }] of scans.entries()) {
    if (objects !== DOCUMENTS) throw new Error(`${objects} of ${DOCUMENTS} documents are remembered`);
    const quarter = (of: readonly number[], n: number) => of[Math.floor(((of.length - 1) * n) / 4)];
    const flat = (of: readonly number[]) => [1, 2, 3, 4].map((n) => quarter(of, n)).join(", ");
    console.log(
      `bare ${rate(bare[i]!).toFixed(0)} documents/s   scan ${rate(ms).toFixed(0)} documents/s (${documents} rows)   heap after each quarter ${flat(heapMiB)} MiB   resident ${flat(rssMiB)} MiB`,
    );
  }
  const sum = (of: readonly number[]) => of.reduce((all, one) => all + one, 0);
  const figure = sum(bare) / sum(scans.map(({ ms }) => ms));
  if (short) await endShortForm("sync", { "of a bare paging loop": figure });
  if (process.argv.includes("--chart")) {
    const note = `${DOCUMENTS} documents, pages of ${PAGE}, rounds in turns`;
    const y = { label: "documents a second" };
    const groups = bare.map((ms, i) => ({ name: `round ${i + 1}`, values: [rate(ms), rate(scans[i]!.ms)] }));
    await writeChart(
      "sync",
      barChart({
        title: "The first scan of a library",
        note,
        y,
        bars: ["bare paging loop", "scan, stored"],
        groups,
      }),
    );
  }
  console.log(`sync: ${figure.toFixed(2)} of a bare paging loop`);
} finally {
  for (const end of ends.reverse()) await end();
}

interface Bench {
  readonly origin: string;
  control<T>(method: "GET" | "POST" | "PUT" | "PATCH", path: string, body?: unknown): Promise<T>;
  tokens(user: string): Promise<{ readonly access_token: string; readonly refresh_token: string }>;
}

/** A process of its own, as iManage is: what it costs to make a page is not the worker's. */
async function startSimulator(): Promise<Bench> {
  const port = await freePort();
  const main = fileURLToPath(new URL("../src/main/simulator.ts", import.meta.url));
  const child = fork(main, ["--port", String(port), "--quiet"], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  endWithThisProcess(child, { graceSeconds: 2 });
  ends.push(() => ended(child));
  await once(child.stdout!, "data");
  child.stdout!.resume();
  const origin = `http://127.0.0.1:${port}`;
  const bench: Bench = {
    origin,
    async control(method, path, body) {
      const answer = await request(`${origin}/_simulator/${path}`, {
        method,
        headers: { "content-type": "application/json" },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await answer.body.text();
      if (answer.statusCode >= 300) throw new Error(`${path}: ${answer.statusCode} ${text}`);
      return text === "" ? undefined : JSON.parse(text);
    },
    tokens: (user) => bench.control("POST", "tokens", { client_id: "token-broker", user }),
  };
  for (let round = 0; round < ROUNDS; round++) {
    const roles = { nrtadmin_role: ["amelia.hart"], nrtadmin_group: ["amelia.hart"] };
    await bench.control("PUT", `libraries/5948/BIG${round}`, {
      ...roles,
      generated: { documents: DOCUMENTS, seed: 7 + round },
    });
  }
  return bench;
}

async function bareLoop({ origin, tokens }: Bench, library: string): Promise<number> {
  const dispatcher = new Agent();
  const { access_token } = await tokens("amelia.hart");
  const started = performance.now();
  let seen = 0;
  let cursor: string | undefined;
  do {
    const search = new URLSearchParams({ paging_mode: "standard_cursor", limit: String(PAGE) });
    if (cursor === undefined) search.set("total", "true");
    else search.set("cursor", cursor);
    const at = `${origin}/work/api/v2/customers/5948/libraries/${library}/documents?${search}`;
    const answer = await request(at, { dispatcher, headers: { "x-auth-token": access_token } });
    if (answer.statusCode !== 200) throw new Error(`bare loop: ${answer.statusCode}`);
    const page = JSON.parse(await answer.body.text()) as { data: { results: unknown[] }; cursor?: string };
    seen += page.data.results.length;
    cursor = page.cursor;
  } while (cursor !== undefined);
  await dispatcher.close();
  const ms = performance.now() - started;
  if (seen !== DOCUMENTS) throw new Error(`the bare loop saw ${seen}`);
  return ms;
}

async function startScan({ origin, tokens }: Bench) {
  const redis = await startRedis({ appendfsync: "always" });
  ends.push(() => redis.stop());
  const configuration = await writeOneFirm(folder, {
    simulator: origin,
    returnUrl: "http://127.0.0.1:1/returned",
    actions: ["token", "sync"],
  });
  const env = {
    ...process.env,
    NODE_ENV: "test",
    REDIS_URL: redis.url,
    PUBLIC_BASE_URL: "http://127.0.0.1:1",
    EGRESS_LOOPBACK_ORIGINS: origin,
    ROOT_KEYSET_FILE: join(folder, "root-keyset.json"),
    AUDIT_FILE: join(folder, "audit.jsonl"),
    AUDIT_BUFFER_MAX_ENTRIES: "10000000",
    LOG_LEVEL: "warn",
    ...{ HTTP_HOST: "127.0.0.1", HTTP_PORT: String(await freePort()), OPS_PORT: String(await freePort()) },
  };
  const cli = fileURLToPath(new URL("../src/main/cli.ts", import.meta.url));
  const command = async (...args: string[]) => {
    const done = await runChild(process.execPath, [cli, ...args], { env, capture: true });
    if (done.code !== 0) throw new Error(done.output);
    return done.output;
  };
  await command("keys", "create", env.ROOT_KEYSET_FILE);
  const applied = JSON.parse(await command("apply", configuration, "--json")) as {
    readonly servers: Record<string, { readonly id: string }>;
    readonly new_client_secrets: readonly [{ readonly client_id: string }];
  };
  const server = Object.values(applied.servers)[0]!.id;
  const client = applied.new_client_secrets[0].client_id;

  return async (library: string): Promise<Extract<ScanSaid, { says: "scanned" }>> => {
    const profile = process.env.BENCH_PROFILE;
    const child = fork(fileURLToPath(new URL("./bench/scan-library.ts", import.meta.url)), [], {
      env,
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      execArgv: [
        "--expose-gc",
        ...(profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`]),
      ],
    });
    endWithThisProcess(child, { graceSeconds: 2 });
    await once(child, "message");
    const { access_token, refresh_token } = await tokens("amelia.hart");
    const order: ScanOrder = {
      ...{ server, client, library, user: "amelia.hart" },
      ...{ accessToken: access_token, refreshToken: refresh_token },
    };
    child.send(order);
    const [said] = (await once(child, "message")) as [Extract<ScanSaid, { says: "scanned" }>];
    child.disconnect();
    await once(child, "exit");
    return said;
  };
}

async function ended(child: ChildProcess): Promise<void> {
  child.kill("SIGTERM");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}
