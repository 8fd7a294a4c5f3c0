import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";

/** What a person can act upon; printed as it is. */
export class Sentence extends Error {}

export type Ran = { code: number | null; stdout: string; stderr: string };

/** The last lines are what a program that failed had to say. */
const TOLD_LINES = 15;

/**
 * A program that runs to its end, its output kept. It ends with `signal`, by SIGKILL: everything here that has mounts has
 * them in a mount namespace of its own, which ends with it.
 */
export async function runStep(
  command: readonly string[],
  options: { env?: NodeJS.ProcessEnv; signal?: AbortSignal; mayFail?: boolean } = {},
): Promise<Ran> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.signal !== undefined && { signal: options.signal, killSignal: "SIGKILL" }),
  } satisfies SpawnOptions);
  const ran = await ended(child);
  if (ran.code !== 0 && options.mayFail !== true) {
    const said = `${ran.stdout}\n${ran.stderr}`.trim().split("\n").slice(-TOLD_LINES).join("\n");
    throw new Sentence(
      `${args[0] === "--mount" ? args.at(-1) : program} failed (${ran.code}), and said last:\n${said}`,
    );
  }
  return ran;
}

export function ended(child: ChildProcess): Promise<Ran> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}
