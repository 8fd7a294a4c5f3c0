import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A folder that is gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "broker-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

export type Program = {
  pid: number;
  child: ChildProcess;
  /** Everything it has written so far, on both streams. */
  output(): string;
  /** Resolves with the match as soon as the output contains one; rejects if the program ends without. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  /** After both streams have closed, which is after its children have ended too. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
};

/** A program of the test's own, killed with the test if it still runs. */
export function runProgram(command: string, args: readonly string[], options: SpawnOptions = {}): Program {
  const child = spawn(command, args, { ...options, stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      for (const listener of listeners) listener();
    });
  }
  let hasEnded = false;
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      hasEnded = true;
      resolve({ code, signal });
      for (const listener of listeners) listener();
    });
  });
  onTestFinished(() => {
    if (!hasEnded) child.kill("SIGKILL");
  });

  return {
    pid: child.pid!,
    child,
    output: () => output,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(output);
          if (match === null && !hasEnded) return;
          listeners.delete(look);
          if (match !== null) resolve(match);
          else reject(new Error(`ended without saying ${pattern}: ${output}`));
        };
        listeners.add(look);
        look();
      }),
    ended,
  };
}

/** The environment without what `npm run` and this test run put into it. */
export function plainEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name, value]) => value !== undefined && !/^(npm_|VITEST|NODE_OPTIONS|TEST_COUNTS_FILE)/i.test(name),
  ) as [string, string][];
  return { ...Object.fromEntries(kept), ...extra };
}
