import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort, startRedis } from "./redis/index.ts";
import { runChild } from "./run-child.mjs";
import { endWithThisProcess } from "./watchdog.mjs";

/**
 * How long `src/main/all.ts` takes from its spawn until `/readyz` answers 200 and the public listener answers: on an empty store and on one
 * with two hundred firms, whose keys are opened before it is ready. Each is started several times, the first of all with nothing
 * compiled before. The last line tells the median of all but that one.
 */
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);
const FIRMS = 200;
const POLL_MS = 10;

const folder = await mkdtemp(join(tmpdir(), "bench-start-"));
const ends: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })];
try {
  const redis = await startRedis({ appendfsync: "always" });
  ends.push(() => redis.stop());
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? "",
    NODE_ENV: "test",
    REDIS_URL: redis.url,
    PUBLIC_BASE_URL: "http://127.0.0.1:1",
    HTTP_HOST: "127.0.0.1",
    ROOT_KEYSET_FILE: join(folder, "root-keyset.json"),
    AUDIT_FILE: join(folder, "audit.jsonl"),
    LOG_LEVEL: "error",
    NODE_COMPILE_CACHE: join(folder, "compiled"),
  };
  await cli(env, "keys", "create", env.ROOT_KEYSET_FILE!);

  const first = await start(env);
  tell("nothing compiled before", [first]);
  const fresh = await several(env);
  tell("an empty store", fresh);
  await writeFile(join(folder, "client-secret"), "a-client-secret", { mode: 0o600 });
  await writeFile(join(folder, "firms.yaml"), firms(join(folder, "client-secret")));
  await cli(env, "apply", join(folder, "firms.yaml"));
  const full = await several(env);
  tell(`${FIRMS} firms`, full);
  console.log(`${cpus().length} processors, load ${loadavg()[0]?.toFixed(1)} while it was measured`);
  console.log(`start: ${median([...fresh, ...full].map(({ readyMs }) => readyMs))} ms to ready`);
} finally {
  for (const end of ends.reverse()) await end();
}

interface Start {
  readonly readyMs: number;
  /** What it computed until then: on a machine that others use too the truer of both. */
  readonly processorMs: number | undefined;
}

async function several(env: Record<string, string>): Promise<Start[]> {
  const all: Start[] = [];
  for (let round = 0; round < ROUNDS; round++) all.push(await start(env));
  return all;
}

async function start(env: Record<string, string>): Promise<Start> {
  const [ops, http] = [await freePort(), await freePort()];
  const at = performance.now();
  const child = fork(fileURLToPath(new URL("../src/main/all.ts", import.meta.url)), {
    env: { ...env, OPS_PORT: String(ops), HTTP_PORT: String(http) },
    execArgv: [],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  endWithThisProcess(child, { graceSeconds: 2 });
  const ended = once(child, "exit");
  try {
    await Promise.race([
      Promise.all([answers(ops, "/readyz"), answers(http, "/docs/problems")]),
      ended.then(([code]) => {
        throw new Error(`it ended with ${code} before it was ready`);
      }),
    ]);
    return { readyMs: Math.round(performance.now() - at), processorMs: await processorMs(child.pid!) };
  } finally {
    child.kill("SIGTERM");
    await ended;
  }
}

/** Asks until it is answered by 200: until then nobody listens, or it is not ready. */
async function answers(port: number, path: string): Promise<void> {
  for (;;) {
    const status = await new Promise<number | undefined>((resolve) => {
      const asked = get({ host: "127.0.0.1", port, path, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      asked.once("error", () => resolve(undefined));
    });
    if (status === 200) return;
    await setTimeout(POLL_MS);
  }
}

/** As Linux counts it, in hundredths of a second; elsewhere it is not known. */
async function processorMs(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields && (Number(fields[11]) + Number(fields[12])) * 10;
}

function tell(what: string, starts: readonly Start[]): void {
  const ready = starts.map(({ readyMs }) => readyMs).sort((a, b) => a - b);
  const busy = starts.flatMap(({ processorMs }) => processorMs ?? []);
  const computed = busy.length === 0 ? "" : `, ${median(busy)} ms of processor time`;
  console.log(`${what.padEnd(26)} ${median(ready)} ms (${ready[0]} to ${ready.at(-1)})${computed}`);
}

function median(all: readonly number[]): number {
  return [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)]!;
}

async function cli(env: Record<string, string>, ...args: string[]): Promise<void> {
  const entry = fileURLToPath(new URL("../src/main/cli.ts", import.meta.url));
  // What it compiles is not what a first start finds.
  const apart = { ...env, NODE_COMPILE_CACHE: `${env.NODE_COMPILE_CACHE}-cli` };
  const { code, output } = await runChild(process.execPath, [entry, ...args], { env: apart, capture: true });
  if (code !== 0) throw new Error(output);
}

function firms(secretFile: string): string {
  const one = (number: number) => `
  - name: firm-${number}
    display_name: Firm ${number}
    servers:
      - name: dms
        kind: on-premises
        address: https://dms.firm-${number}.example
        customer_id: 1
        registration: { client_id: token-broker, client_secret_file: ${secretFile} }`;
  return `version: 1\norganisations:${Array.from({ length: FIRMS }, (_, at) => one(at + 1)).join("")}\n`;
}
