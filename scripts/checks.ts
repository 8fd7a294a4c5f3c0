import { fileURLToPath } from "node:url";
import { type ChildResult, runChild } from "./run-child.mjs";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

export type Step = { name: string; run: () => Promise<ChildResult> };

/** A program of node_modules, by its path: what lies in `.bin` differs between npm versions. */
export const program = (path: string, ...args: string[]) => [`${ROOT}node_modules/${path}`, ...args];

export const BIOME = "@biomejs/biome/bin/biome";

/** What is checked without running anything. Quiet unless it fails. */
export const checks: readonly Step[] = [
  {
    name: "format and lint",
    run: () => quietly(program(BIOME, "ci", `--colors=${process.stdout.isTTY ? "force" : "off"}`)),
  },
  { name: "types", run: () => quietly(program("typescript/bin/tsc", "--noEmit", "-p", ".")) },
];

const quietly = (args: readonly string[]) => runChild(process.execPath, args, { cwd: ROOT, capture: true });

/** One line with the seconds; all the program said, if it failed. */
export async function runStep({ name, run }: Step): Promise<ChildResult & { ok: boolean }> {
  const startedAt = performance.now();
  const result = await run();
  const ok = result.code === 0;
  if (!ok) process.stdout.write(result.output);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(`${name}: ${ok ? "ok" : "FAILED"} (${seconds} s)\n`);
  return { ...result, ok };
}
