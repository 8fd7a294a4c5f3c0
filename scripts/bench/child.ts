import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { endWithThisProcess } from "../watchdog.mjs";

export interface RunningChild {
  readonly pid: number;
  /** What it said first. */
  readonly port: number;
  /** Sends a message under a number of its own, and resolves with what comes back as `answer` under that. */
  ask(message: object): Promise<unknown>;
  tell(message: object): void;
  /** SIGTERM, then waits for the exit. */
  stop(): Promise<void>;
}

/**
 * @param script beside this file. Resolves with its first message.
 * @param output where its standard output goes: a file that is open, or nowhere.
 */
export async function startChild(
  script: string,
  env: Readonly<Record<string, string>>,
  execArgv: readonly string[] = [],
  output: number | "ignore" = "ignore",
): Promise<RunningChild> {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), {
    env: { ...process.env, ...env },
    stdio: ["ignore", output, "inherit", "ipc"],
    execArgv: [...execArgv],
  });
  endWithThisProcess(child, { graceSeconds: 2 });
  const ended = once(child, "exit");
  const first = await Promise.race([once(child, "message"), ended.then(() => undefined)]);
  if (first === undefined) throw new Error(`${script} ended before it was ready`);
  let asked = 0;
  return {
    tell: (message) => void child.send(message),
    async ask(message) {
      const number = ++asked;
      return await new Promise((resolve, reject) => {
        const hear = (said: { number?: number; answer?: unknown }) => {
          if (said.number !== number) return;
          child.off("message", hear);
          resolve(said.answer);
        };
        child.on("message", hear);
        ended.then(() => reject(new Error(`${script} ended before it answered`)));
        child.send({ ...message, number });
      });
    },
    pid: child.pid!,
    port: (first[0] as { port?: number }).port ?? 0,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
