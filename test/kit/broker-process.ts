import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { freePort } from "../../scripts/redis/index.ts";
import { endWithThisProcess } from "../../scripts/watchdog.mjs";
import type { World } from "./world.ts";

/** A broker or worker in a process of its own: to be killed, stopped and continued. */
export interface BrokerProcess {
  readonly base: string;
  readonly ops: string;
  readonly pid: number;
  readonly output: () => string;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  readonly exited: Promise<number | null>;
}

/** Starts `src/main/<role>.ts` on free ports and waits until it says that it is ready; ended with the running test. */
export async function brokerProcess(
  world: Pick<World, "environment">,
  role: "http" | "worker" | "all" = "http",
  environment: Readonly<Record<string, string>> = {},
): Promise<BrokerProcess> {
  const [httpPort, opsPort] = [await freePort(), await freePort()];
  const child: ChildProcess = fork(fileURLToPath(new URL(`../../src/main/${role}.ts`, import.meta.url)), {
    env: {
      PATH: process.env.PATH ?? "",
      ...world.environment,
      HTTP_HOST: "127.0.0.1",
      HTTP_PORT: String(httpPort),
      OPS_PORT: String(opsPort),
      ...environment,
    },
    execArgv: [],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  endWithThisProcess(child, { graceSeconds: 2 });
  const output: string[] = [];
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding("utf8").on("data", (text: string) => output.push(text));
  }
  const exited = once(child, "exit").then(([code]) => code as number | null);
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  onTestFinished(kill);
  await Promise.race([
    once(child, "message"),
    exited.then((code) => {
      throw new Error(`${role} ended with ${code} before it was ready:\n${output.join("")}`);
    }),
  ]);
  return {
    base: `http://127.0.0.1:${httpPort}`,
    ops: `http://127.0.0.1:${opsPort}`,
    pid: child.pid!,
    output: () => output.join(""),
    kill,
    signal: (signal) => void child.kill(signal),
    exited,
  };
}
