import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { endWithThisProcess } from "../watchdog.mjs";

export interface RunningChild {
  readonly pid: number;
  /** What it said first. */
  readonly port: number;
  /** SIGTERM, then waits for the exit. */
  stop(): Promise<void>;
}

/** @param script beside this file. Resolves with its first message. */
export async function startChild(
  script: string,
  env: Readonly<Record<string, string>>,
  execArgv: readonly string[] = [],
): Promise<RunningChild> {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv: [...execArgv],
  });
  endWithThisProcess(child, { graceSeconds: 2 });
  const ended = once(child, "exit");
  const first = await Promise.race([once(child, "message"), ended.then(() => undefined)]);
  if (first === undefined) throw new Error(`${script} ended before it was ready`);
  return {
    pid: child.pid!,
    port: (first[0] as { port?: number }).port ?? 0,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
