import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { endWithThisProcess } from "../watchdog.mjs";
import { findRedisServer, type RedisServerBinary } from "./find-redis-server.ts";
import { RedisUnavailable } from "./redis-unavailable.ts";
import { freePort, type RunningRedis, type StartRedisOptions, startRedis } from "./start-redis.ts";

const HOST = "127.0.0.1";
const POLL_MS = 20;
const FORMED_MAX_MS = 30_000;

export type RunningSentinels = {
  /** The first was the master at the start, the others its replicas. */
  readonly servers: readonly RunningRedis[];
  readonly sentinels: readonly { host: string; port: number }[];
  /** The name under which they watch the master. */
  readonly master: string;
  /** What the Sentinels ask for. */
  readonly password: string;
  /** Where the Sentinels keep what they know; removed at the end. */
  readonly folder: string;
  /** Who is the master now, by the word of one of them. */
  masterPort(): Promise<number>;
  stop(): Promise<void>;
};

export type StartSentinelsOptions = {
  replicas?: number;
  /** How long the master must be silent before it is taken for dead. */
  downAfterMs?: number;
  /** Of each Redis. */
  redis?: StartRedisOptions;
};

/** A master, its replicas, and three Sentinels of which two decide: all of them know of each other when this resolves. */
export async function startRedisSentinels(options: StartSentinelsOptions = {}): Promise<RunningSentinels> {
  const { replicas = 2, downAfterMs = 1_000, redis = {} } = options;
  const binary = await findRedisServer();
  const ending: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    // The Sentinels first: they would begin a failover.
    for (const end of ending.reverse()) await end();
  };
  const start = async (extraArgs: readonly string[]) => {
    const server = await startRedis({
      ...redis,
      binary,
      extraArgs: [...extraArgs, ...(redis.extraArgs ?? [])],
    });
    ending.push(() => server.stop());
    return server;
  };
  try {
    const first = await start(["--repl-diskless-sync-delay", "0"]);
    const others = await Promise.all(
      Array.from({ length: replicas }, () =>
        start(["--replicaof", `${HOST} ${first.port}`, "--repl-diskless-sync-delay", "0"]),
      ),
    );
    const password = "of-the-sentinels";
    const folder = await mkdtemp(join(tmpdir(), "broker-sentinel-"));
    ending.push(() => rm(folder, { recursive: true, force: true }));
    const watched = { master: "broker", port: first.port, downAfterMs, password };
    const sentinels = await Promise.all(
      [0, 1, 2].map(() => startSentinel(binary, folder, watched, (end) => ending.push(end))),
    );
    await Promise.all(sentinels.map(({ port }) => untilAllKnow(port, password, replicas)));
    const [asked] = sentinels;
    return {
      servers: [first, ...others],
      sentinels,
      master: watched.master,
      password,
      folder,
      async masterPort() {
        const client = new Redis({ host: HOST, port: asked!.port, password });
        try {
          const [, port] = (await client.call(
            "SENTINEL",
            "GET-MASTER-ADDR-BY-NAME",
            watched.master,
          )) as string[];
          return Number(port);
        } finally {
          client.disconnect();
        }
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Watched = { master: string; port: number; downAfterMs: number; password: string };

/** Sentinel writes what it learns into its own configuration file. */
async function startSentinel(
  binary: RedisServerBinary,
  folder: string,
  { master, port: masterPort, downAfterMs, password }: Watched,
  onEnd: (end: () => Promise<unknown>) => void,
) {
  const port = await freePort();
  const file = join(folder, `${port}.conf`);
  await writeFile(
    file,
    [
      `bind ${HOST}`,
      `port ${port}`,
      `dir ${folder}`,
      `requirepass ${password}`,
      `sentinel sentinel-pass ${password}`,
      `sentinel monitor ${master} ${HOST} ${masterPort} 2`,
      `sentinel down-after-milliseconds ${master} ${downAfterMs}`,
      `sentinel failover-timeout ${master} ${Math.max(4_000, 4 * downAfterMs)}`,
      `sentinel parallel-syncs ${master} 1`,
      "",
    ].join("\n"),
  );
  const env =
    binary.libraryPath === undefined ? process.env : { ...process.env, LD_LIBRARY_PATH: binary.libraryPath };
  const output = openSync(join(folder, `${port}.log`), "a");
  const child = spawn(binary.path, [file, "--sentinel"], {
    env,
    stdio: ["ignore", output, output],
    detached: true,
  });
  closeSync(output);
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  child.unref();
  endWithThisProcess(child, { graceSeconds: 5 });
  onEnd(() => endSentinel(child, exited));
  return { host: HOST, port };
}

async function endSentinel(child: ChildProcess, exited: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  child.kill("SIGKILL");
  await exited;
}

async function untilAllKnow(port: number, password: string, replicas: number): Promise<void> {
  const client = new Redis({
    host: HOST,
    port,
    password,
    retryStrategy: () => POLL_MS,
    maxRetriesPerRequest: null,
  });
  client.on("error", () => {});
  const deadline = performance.now() + FORMED_MAX_MS;
  try {
    for (;;) {
      const info = String(await client.info("sentinel"));
      if (info.includes(`status=ok`) && info.includes(`slaves=${replicas},sentinels=3`)) return;
      if (performance.now() > deadline) throw new RedisUnavailable("The Sentinels did not come together.");
      await pause(POLL_MS);
    }
  } finally {
    client.disconnect();
  }
}
