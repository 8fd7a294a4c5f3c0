import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import autocannon from "autocannon";
import { startSimulator } from "../src/simulator/start-simulator.ts";
import { writeOneFirm } from "./bench/one-firm.ts";
import { freePort, startRedis } from "./redis/index.ts";
import { runChild } from "./run-child.mjs";
import { WalkingClient } from "./walk/client.ts";
import { connect } from "./walk/connect.ts";
import { endWithThisProcess } from "./watchdog.mjs";

/**
 * Requests a second of `POST /v1/access-tokens` (broker token, policy, rate, awaited audit entry, AOF on) beside a bare
 * Express answer of the same size: side by side in one run, in turns, because only the ratio means anything.
 */
const ROUNDS = 3;
const SECONDS = 5;
const CONNECTIONS = 64;
/** `--profile DIR`: the broker's CPU profile goes there, for Chrome's developer tools or speedscope. */
const profileAt = process.argv.indexOf("--profile");
const profiling = profileAt < 0 ? [] : ["--cpu-prof", `--cpu-prof-dir=${process.argv[profileAt + 1] ?? "."}`];

const folder = await mkdtemp(join(tmpdir(), "bench-token-"));
const ends: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })];
try {
  const fsync = process.argv.includes("--everysec") ? "everysec" : "always";
  const { broker, body, headers, audited } = await startBroker(fsync);
  const bare = await startChild(fileURLToPath(new URL("./bench/bare-express.ts", import.meta.url)), {});

  const results: Record<"bare" | "broker", autocannon.Result[]> = { bare: [], broker: [] };
  const auditedBefore = await audited();
  for (let round = 0; round < ROUNDS; round++) {
    results.bare.push(await load(`http://127.0.0.1:${bare.port}`, body, headers));
    results.broker.push(await load(broker, body, headers));
  }
  const answered = results.broker.reduce((sum, result) => sum + result["2xx"], 0);
  const entries = (await audited()) - auditedBefore;

  const row = (name: string, all: autocannon.Result[]) => {
    const middle = [...all].sort((a, b) => a.requests.average - b.requests.average)[
      Math.floor(all.length / 2)
    ]!;
    console.log(
      `${name.padEnd(28)} ${middle.requests.average.toFixed(0).padStart(8)} requests/s   p50 ${middle.latency.p50} ms   p99 ${middle.latency.p99} ms   not 2xx ${all.reduce((sum, one) => sum + one.non2xx, 0)}`,
    );
    return middle.requests.average;
  };
  console.log(
    `${CONNECTIONS} connections, ${ROUNDS} × ${SECONDS} s in turns, appendfsync ${fsync}, median round:`,
  );
  const floor = row("bare Express", results.bare);
  const token = row("POST /v1/access-tokens", results.broker);
  // An answer may be cut off when a round ends: then its entry is there and nobody counted it.
  console.log(`audit entries ${entries}, token answers ${answered}`);
  if (entries < answered) throw new Error("a token was handed out without its audit entry");
  console.log(`token: ${(token / floor).toFixed(2)} of bare Express`);
} finally {
  for (const end of ends.reverse()) await end();
}

async function load(url: string, body: string, headers: Record<string, string>): Promise<autocannon.Result> {
  return autocannon({
    url: `${url}/v1/access-tokens`,
    method: "POST",
    body,
    headers,
    connections: CONNECTIONS,
    duration: SECONDS,
  });
}

async function startBroker(appendfsync: "always" | "everysec") {
  const redis = await startRedis({ appendfsync });
  ends.push(() => redis.stop());
  const simulator = await startSimulator();
  ends.push(() => simulator.close());
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const returnUrl = "http://127.0.0.1:1/returned";
  const configuration = await writeOneFirm(folder, {
    ...{ simulator: simulator.origin, returnUrl, actions: ["token", "status", "connect"] },
    tokensPerMinute: 1_000_000,
  });
  const env = {
    NODE_ENV: "test",
    REDIS_URL: redis.url,
    PUBLIC_BASE_URL: base,
    HTTP_HOST: "127.0.0.1",
    HTTP_PORT: String(port),
    OPS_PORT: String(await freePort()),
    EGRESS_LOOPBACK_ORIGINS: simulator.origin,
    ROOT_KEYSET_FILE: join(folder, "root-keyset.json"),
    AUDIT_FILE: join(folder, "audit.jsonl"),
    AUDIT_BUFFER_MAX_ENTRIES: "10000000",
    LOG_LEVEL: "warn",
  };
  const cli = fileURLToPath(new URL("../src/main/cli.ts", import.meta.url));
  const command = async (...args: string[]) => {
    const done = await runChild(process.execPath, [cli, ...args], {
      env: { ...process.env, ...env },
      capture: true,
    });
    if (done.code !== 0) throw new Error(done.output);
    return done.output;
  };
  await command("keys", "create", env.ROOT_KEYSET_FILE);
  const applied = JSON.parse(await command("apply", configuration, "--json")) as Applied;
  const server = Object.values(applied.servers)[0]!;
  simulator.registrations.patch("token-broker", { redirect_urls: [server.redirect_uri] });
  await startChild(fileURLToPath(new URL("../src/main/http.ts", import.meta.url)), env, profiling);

  const [{ client_id: id, client_secret: secret }] = applied.new_client_secrets;
  const client = new WalkingClient(base, id, secret);
  const connected = await connect(
    client,
    { server: server.id, returnUrl },
    { subject: "u1", username: "amelia.hart", password: "hart" },
  );
  if (connected.status !== 200) throw new Error(`not connected: ${JSON.stringify(connected.body)}`);
  const { body: token } = await client.token({ grant_type: "client_credentials" });
  const { Redis } = await import("ioredis");
  const counter = new Redis(redis.url);
  ends.push(() => counter.disconnect());
  return {
    broker: base,
    body: JSON.stringify({ server: server.id, subject: { type: "user", id: "u1" } }),
    headers: { authorization: `Bearer ${String(token.access_token)}`, "content-type": "application/json" },
    audited: async () => Number(await counter.hget(`b1:{o:${server.id.slice(4, 14)}}:gate`, "audit")),
  };
}

/** What `cli apply --json` prints, as far as it is read here. */
interface Applied {
  readonly servers: Record<string, { id: string; registration: string; redirect_uri: string }>;
  readonly new_client_secrets: readonly [{ client_id: string; client_secret: string }];
}

async function startChild(
  script: string,
  env: Record<string, string>,
  execArgv: string[] = [],
): Promise<{ port?: number }> {
  const child = fork(script, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv,
  });
  endWithThisProcess(child, { graceSeconds: 2 });
  ends.push(async () => {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
  });
  const [message] = (await once(child, "message")) as [{ port?: number }];
  return message;
}
