import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inject, onTestFinished } from "vitest";
import { freePort } from "../../scripts/redis/index.ts";
import { endWithThisProcess } from "../../scripts/watchdog.mjs";
import { FailPointControl } from "./fail-points.ts";
import { overriding } from "./redis.ts";
import type { World } from "./world.ts";

export type Role = "http" | "worker" | "all";

/** A broker or worker in a process of its own: to be killed, stopped, continued and started again. */
export interface BrokerProcess {
  readonly base: string;
  readonly ops: string;
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  /** All that it and those before it wrote. */
  readonly output: () => string;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** The end of the process that runs now. */
  readonly exited: Promise<number | null>;
  readonly running: boolean;
  /** Starts another on the same ports once this one is gone; resolves when it is ready. */
  restart(): Promise<void>;
  /** Says something to the process that runs now, and waits for the answer that fits. Rejects when it ends before. */
  ask(message: object, fits: (answer: unknown) => boolean): Promise<void>;
  /** Orders at named points of a refresh. Needs `FAIL_POINTS: "true"` in the environment. */
  readonly failPoints: FailPointControl;
}

/** Starts `src/main/<role>.ts` on free ports and waits until it says that it is ready; ended with the running test. */
export async function brokerProcess(
  world: Pick<World, "environment">,
  role: Role = "http",
  environment: Readonly<Record<string, string>> = {},
): Promise<BrokerProcess> {
  let [httpPort, opsPort] = await freePorts();
  const output: string[] = [];
  const failPoints = new FailPointControl();
  let child!: ChildProcess;
  let exited!: Promise<number | null>;

  const running = () => child.exitCode === null && child.signalCode === null;
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  const start = async () => {
    const started = fork(fileURLToPath(new URL(`../../src/main/${role}.ts`, import.meta.url)), {
      env: {
        PATH: process.env.PATH ?? "",
        NODE_COMPILE_CACHE: inject("compileCache"),
        ...world.environment,
        HTTP_HOST: "127.0.0.1",
        HTTP_PORT: String(httpPort),
        OPS_PORT: String(opsPort),
        ...overriding(environment),
      },
      execArgv: [],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    child = started;
    endWithThisProcess(started, { graceSeconds: 2 });
    for (const stream of [started.stdout!, started.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => output.push(text));
    }
    const ended = once(started, "exit").then(([code]) => code as number | null);
    exited = ended;
    failPoints.attach(started);
    await Promise.race([
      ready(started),
      ended.then((code) => {
        throw new Error(`${role} ended with ${code} before it was ready:\n${output.join("")}`);
      }),
    ]);
  };
  onTestFinished(kill);
  for (let tries = 1; ; tries++) {
    try {
      await start();
      break;
    } catch (error) {
      // Free a moment ago, and somebody else's now: a test that runs beside this one takes ports too.
      if (tries === 5 || !/Port \d+ on \S+ is taken/.test(String(error))) throw error;
      [httpPort, opsPort] = await freePorts();
      output.length = 0;
    }
  }

  return {
    base: `http://127.0.0.1:${httpPort}`,
    ops: `http://127.0.0.1:${opsPort}`,
    get pid() {
      return child.pid!;
    },
    output: () => output.join(""),
    kill,
    signal(signal) {
      if (signal === "SIGCONT") continueOnceStopped(child);
      else child.kill(signal);
    },
    get exited() {
      return exited;
    },
    get running() {
      return running();
    },
    async restart() {
      await exited;
      for (let tries = 1; ; tries++) {
        try {
          return await start();
        } catch (error) {
          // Its address is known by now, so it keeps it: somebody's outgoing connection has it for a moment, and nothing tells when it ends.
          if (tries === 40 || !/Port \d+ on \S+ is taken/.test(String(error))) throw error;
          output.length = 0;
          await new Promise((resolve) => setTimeout(resolve, 250));
        }
      }
    },
    ask(message, fits) {
      const asked = child;
      return new Promise((resolve, reject) => {
        const end = () => reject(new Error("the process has ended"));
        const hear = (answer: unknown) => {
          if (!fits(answer)) return;
          asked.off("message", hear).off("exit", end);
          resolve();
        };
        asked.on("message", hear).once("exit", end);
        asked.send(message, (error) => error && reject(error));
      });
    },
    failPoints,
  };
}

async function freePorts(): Promise<[http: number, ops: number]> {
  const http = await freePort();
  for (;;) {
    const ops = await freePort();
    if (ops !== http) return [http, ops];
  }
}

/** The same `count` times, started side by side. */
export function brokerProcesses(
  world: Pick<World, "environment">,
  count: number,
  role: Role = "http",
  environment: Readonly<Record<string, string>> = {},
): Promise<BrokerProcess[]> {
  return Promise.all(Array.from({ length: count }, () => brokerProcess(world, role, environment)));
}

/** With this in its environment a process takes orders at fail points. */
export const WITH_FAIL_POINTS = { FAIL_POINTS: "true" } as const;

/** It may speak of fail points before it says that it is ready. */
function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const hear = (message: { ready?: boolean }) => {
      if (message.ready !== true) return;
      child.off("message", hear);
      resolve();
    };
    child.on("message", hear);
  });
}

/**
 * A process says that it is about to stop itself before it does: a SIGCONT that overtakes it would be lost, and it would stand
 * for ever. So it is sent once the process is seen to stand, where the system shows that.
 */
function continueOnceStopped(child: ChildProcess, triesLeft = 1_000): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  if (triesLeft > 0 && stateOf(child.pid!) === "runs") {
    setTimeout(() => continueOnceStopped(child, triesLeft - 1), 5).unref();
  } else {
    child.kill("SIGCONT");
  }
}

/** `/proc/<pid>/stat`: pid, name in parentheses, state. */
function stateOf(pid: number): "stands" | "runs" | "unknown" {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat[stat.lastIndexOf(")") + 2] === "T" ? "stands" : "runs";
  } catch {
    return "unknown";
  }
}
