import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../checks.ts";
import { endWithThisProcess } from "../watchdog.mjs";

/** After SIGTERM; a broker that waits for a refresh at an iManage that no longer answers is not waited for longer. */
const STOP_MAX_MS = 15_000;
const READY_MAX_MS = 30_000;
const LAST_LINES = 15;

export interface Child {
  readonly name: string;
  readonly pid: number;
  /** SIGKILL, then waits for the exit. */
  kill(): Promise<void>;
}

export interface Program {
  readonly name: string;
  /** Below the repository's root. */
  readonly entry: string;
  readonly args?: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** A process of the demo's ended although nobody asked it to. */
export class EndedEarly extends Error {
  readonly lastLines: string;
  readonly log: string;

  constructor(name: string, how: string, log: string, lastLines: string) {
    super(`${name} ended (${how})`);
    this.name = "EndedEarly";
    this.stack = "";
    this.log = log;
    this.lastLines = lastLines;
  }
}

/** The processes of the product, as real as in production: one log each, told to end with this process. */
export class Children {
  readonly #logs: string;
  readonly #running = new Map<ChildProcess, { name: string; wanted: boolean }>();
  readonly #failed = Promise.withResolvers<never>();

  constructor(logs: string) {
    this.#logs = logs;
    mkdirSync(logs, { recursive: true });
    this.#failed.promise.catch(() => {});
  }

  /** Rejects with EndedEarly as soon as one ends that nobody ended. */
  get endedEarly(): Promise<never> {
    return this.#failed.promise;
  }

  /** Resolves once it says that it is ready. */
  async start({ name, entry, args = [], env }: Program): Promise<Child> {
    const log = join(this.#logs, `${name}.log`);
    const output = openSync(log, "a", 0o600);
    const from = statSync(log).size;
    const child = spawn(process.execPath, [join(ROOT, entry), ...args], {
      cwd: ROOT,
      env,
      // A group of its own: a Ctrl-C is for this process, which ends the others in order.
      detached: true,
      stdio: ["ignore", output, output, "ipc"],
    });
    closeSync(output);
    const state = { name, wanted: true };
    const exited = new Promise<string>((resolve) => {
      child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
      child.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
    if (child.pid !== undefined) {
      this.#running.set(child, state);
      endWithThisProcess(child, { graceSeconds: 10 });
    }
    const early = exited.then((how) => {
      this.#running.delete(child);
      const error = new EndedEarly(name, how, log, lastLines(log, from));
      if (state.wanted) this.#failed.reject(error);
      throw error;
    });
    early.catch(() => {});

    let timer: NodeJS.Timeout | undefined;
    const ready = new Promise<void>((resolve, reject) => {
      child.on("message", (message) => {
        if ((message as { ready?: boolean }).ready === true) resolve();
      });
      timer = setTimeout(
        () =>
          reject(
            new EndedEarly(name, `not ready after ${READY_MAX_MS / 1_000} s`, log, lastLines(log, from)),
          ),
        READY_MAX_MS,
      );
    });
    await Promise.race([ready, early]).finally(() => clearTimeout(timer));
    return {
      name,
      pid: child.pid as number,
      kill: async () => {
        state.wanted = false;
        child.kill("SIGKILL");
        await exited;
      },
    };
  }

  /** SIGTERM to all of them at once, SIGKILL to whichever takes too long. */
  async endAll(): Promise<void> {
    await Promise.all(
      [...this.#running].map(async ([child, state]) => {
        state.wanted = false;
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = once(child, "exit");
        child.kill("SIGTERM");
        const impatience = setTimeout(() => child.kill("SIGKILL"), STOP_MAX_MS);
        await gone;
        clearTimeout(impatience);
      }),
    );
  }

  /** For whoever presses Ctrl-C a second time. */
  killAll(): void {
    for (const child of this.#running.keys()) child.kill("SIGKILL");
  }
}

function lastLines(log: string, from: number): string {
  const said = readFileSync(log).subarray(from).toString().trimEnd();
  return said.split("\n").slice(-LAST_LINES).join("\n");
}
