import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { endWithThisProcess } from "../watchdog.mjs";
import { findRedisServer, type RedisServerBinary } from "./find-redis-server.ts";
import { RedisUnavailable } from "./redis-unavailable.ts";

const HOST = "127.0.0.1";
const POLL_MS = 15;
/** A large append-only file takes a while to load; a server that is alive but silent for this long is not well. */
const READY_MAX_MS = 60_000;
/** After SIGTERM Redis writes out and leaves within milliseconds. */
const STOP_MAX_MS = 10_000;
const PORT_ATTEMPTS = 5;

export type StartRedisOptions = {
  /** Where the data lives. Without it: a temporary folder, removed when the Redis ends. */
  dir?: string;
  /** Without it: a free one. */
  port?: number;
  appendfsync?: "always" | "everysec";
  /** Whether it forgets, and all else but address, port and folder, stands in this file, and not here. */
  configFile?: string;
  /** Its user that looks whether it is ready, and that `url` names; without it, the one without a name. */
  as?: { user: string; password: string };
  extraArgs?: readonly string[];
  log?: (line: string) => void;
  /** Ends the Redis when this process ends, however it ends (kill -9 included). True unless said otherwise. */
  endWithParent?: boolean;
  /** Which server to run; found, or brought along, without it. */
  binary?: RedisServerBinary;
};

export type RunningRedis = {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Of the process that runs now; another one after restart(). */
  readonly pid: number;
  readonly dir: string;
  /** SIGTERM, then waits for the exit. Also removes the folder, if it was a temporary one. */
  stop(): Promise<void>;
  /** SIGKILL, then waits for the exit. The data stays, for restart(). */
  kill(): Promise<void>;
  /** Ends it if it runs, and starts it on the same folder and port. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers, like a machine that has frozen. */
  pause(): void;
  resume(): void;
};

/** Starts a Redis that forgets nothing it has acknowledged (AOF, fsync on every write, no eviction). */
export async function startRedis(options: StartRedisOptions = {}): Promise<RunningRedis> {
  const binary =
    options.binary ?? (await findRedisServer(options.log === undefined ? {} : { log: options.log }));
  const { as } = options;
  const temporary = options.dir === undefined;
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), "broker-redis-")));
  await mkdir(dir, { recursive: true });

  const launchHere = (port: number) => launch({ binary, dir, port, temporary, options });
  const removeTemporary = async () => {
    if (temporary) await rm(dir, { recursive: true, force: true });
  };

  let port: number;
  let running: Running;
  try {
    [port, running] = await launchOnFreePort(options.port, launchHere);
  } catch (error) {
    await removeTemporary();
    throw error;
  }

  const end = async (signal: "SIGTERM" | "SIGKILL") => {
    await endRedis(running, signal);
  };

  return {
    url: `redis://${as === undefined ? "" : `${as.user}:${as.password}@`}${HOST}:${port}`,
    host: HOST,
    port,
    get pid() {
      return running.pid;
    },
    dir,
    async stop() {
      await end("SIGTERM");
      await removeTemporary();
    },
    kill: () => end("SIGKILL"),
    async restart() {
      await end("SIGTERM");
      running = await launchHere(port);
    },
    pause: () => void process.kill(running.pid, "SIGSTOP"),
    resume: () => void process.kill(running.pid, "SIGCONT"),
  };
}

type Running = { child: ChildProcess; pid: number; exited: Promise<void> };
type Launch = {
  binary: RedisServerBinary;
  dir: string;
  port: number;
  temporary: boolean;
  options: StartRedisOptions;
};

class PortTaken extends RedisUnavailable {}

/** A free port can be lost between choosing it and using it. A port that was asked for is not replaced. */
async function launchOnFreePort(
  wanted: number | undefined,
  launchOn: (port: number) => Promise<Running>,
): Promise<[number, Running]> {
  for (let attempt = 1; ; attempt++) {
    const port = wanted ?? (await freePort());
    try {
      return [port, await launchOn(port)];
    } catch (error) {
      if (!(error instanceof PortTaken) || wanted !== undefined || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

/**
 * Below what systems give to outgoing connections (from 32,768 or 49,152 on): one of those would take it again before it is used.
 * Below the demo's own too, which begin at 20,000. Browsers refuse 10,080, and none above it.
 */
const FIRST_PORT = 11_000;
/** So many to a process, and so many processes side by side, look in a part of their own. */
const PORTS_EACH = 100;
const PARTS = 90;
let portsTried = Math.floor(Math.random() * PORTS_EACH);

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORTS_EACH; tries++) {
    const port = FIRST_PORT + (process.pid % PARTS) * PORTS_EACH + (portsTried++ % PORTS_EACH);
    if ((await portOnce(port)) !== undefined) return port;
  }
  const port = await portOnce(0);
  if (port === undefined) throw new Error("no port is free");
  return port;
}

/** Listens there and leaves. Undefined where somebody else listens. */
async function portOnce(wanted: number): Promise<number | undefined> {
  const server = createServer();
  const listening = once(server, "listening").then(
    () => true,
    () => false,
  );
  server.listen(wanted, HOST);
  if (!(await listening)) return undefined;
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function launch({ binary, dir, port, temporary, options }: Launch): Promise<Running> {
  const logFile = join(dir, "redis.log");
  const durable = [
    ...["--appendonly", "yes", "--appendfsync", options.appendfsync ?? "always", "--save", ""],
    ...["--maxmemory-policy", "noeviction", "--hash-max-listpack-value", "4096"],
  ];
  const args = [
    ...(options.configFile === undefined ? [] : [options.configFile]),
    ...["--bind", HOST, "--port", String(port), "--dir", dir, "--daemonize", "no"],
    ...(options.configFile === undefined ? durable : []),
    ...(options.extraArgs ?? []),
  ];
  const env =
    binary.libraryPath === undefined ? process.env : { ...process.env, LD_LIBRARY_PATH: binary.libraryPath };

  const output = openSync(logFile, "a");
  const logFrom = (await readFile(logFile)).length;
  // In a group of its own: a Ctrl-C in the terminal is for the program that uses this Redis and still wants to
  // write something down; that program then ends it.
  const child = spawn(binary.path, args, { env, stdio: ["ignore", output, output], detached: true });
  closeSync(output);
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  if (child.pid === undefined) {
    await exited;
    throw new RedisUnavailable(`${binary.path} could not be started.`);
  }
  const running: Running = { child, pid: child.pid, exited };
  // It must not keep a program alive that forgot to stop it; the watchdog ends it then.
  child.unref();
  if (options.endWithParent ?? true) {
    endWithThisProcess(child, { graceSeconds: 5, ...(temporary ? { removeFolder: dir } : {}) });
  }

  try {
    await untilReady(running, port, options.as);
    return running;
  } catch (error) {
    await endRedis(running, "SIGKILL");
    if (error instanceof RedisUnavailable) throw error;
    const said = (await readFile(logFile)).subarray(logFrom).toString();
    if (/address already in use/i.test(said) || error instanceof SomeoneElseAnswers) {
      throw new PortTaken(
        `Port ${port} on ${HOST} is in use by another program: end that program, or choose another port.`,
      );
    }
    const lastLine = said.trim().split("\n").at(-1) ?? "";
    throw new RedisUnavailable(
      `Redis ended while starting, and said last: "${lastLine.trim()}" (${logFile}).`,
    );
  }
}

class SomeoneElseAnswers extends Error {}

/**
 * Ready means: our own process (not whoever else holds the port) answers PING with PONG. Until then the port
 * refuses, or Redis says that it is still loading.
 */
async function untilReady(
  { child, pid, exited }: Running,
  port: number,
  as: StartRedisOptions["as"],
): Promise<void> {
  const signIn = as === undefined ? "" : `AUTH ${as.user} ${as.password}\r\n`;
  const deadline = performance.now() + READY_MAX_MS;
  const ended = exited.then(() => "ended" as const);
  for (;;) {
    const answer = await Promise.race([
      ask(port, `${signIn}INFO server\r\nPING\r\n`, /\r\n[+-][^\r]*\r\n$/),
      ended,
    ]);
    if (answer === "ended" || child.exitCode !== null) throw new Error("Redis ended while starting");
    if (answer !== undefined) {
      const answering = /process_id:(\d+)/.exec(answer)?.[1];
      if (answering !== String(pid)) throw new SomeoneElseAnswers();
      if (answer.endsWith("+PONG\r\n")) return;
    }
    if (performance.now() > deadline)
      throw new RedisUnavailable(`Redis did not become ready on port ${port}.`);
    await pause(POLL_MS);
  }
}

/** One exchange over a fresh socket; undefined if it was refused, broken off or not answered in a second. */
function ask(port: number, request: string, complete: RegExp): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST);
    let answer = "";
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on("connect", () => socket.write(request));
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
      if (complete.test(answer)) socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer === "" ? undefined : answer));
  });
}

async function endRedis({ child, pid, exited }: Running, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  process.kill(pid, signal);
  // One that is paused takes no SIGTERM before it goes on.
  process.kill(pid, "SIGCONT");
  const impatience = setTimeout(() => process.kill(pid, "SIGKILL"), STOP_MAX_MS);
  await exited;
  clearTimeout(impatience);
}
