import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, inject, vi } from "vitest";
import { type Program, plainEnvironment, ROOT, runProgram } from "./program.ts";

/** Real processes, twice over: the story waits for the lease of a killed broker. */
export const STORY_MS = 90_000;

/** A Redis of its own, whatever this run of the tests uses: the demo kills it. */
export function demo(...args: readonly string[]): Program {
  return start(args, {});
}

/** The same where how long a first start takes is not the question: with what other processes have compiled already. */
export function compiledDemo(...args: readonly string[]): Program {
  return start(args, { NODE_COMPILE_CACHE: inject("compileCache") });
}

function start(args: readonly string[], extra: Record<string, string>): Program {
  const { REDIS_URL: _, ...env } = plainEnvironment(extra);
  return runProgram(process.execPath, [join(ROOT, "scripts/demo.ts"), ...args], { env });
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
}

function processes(): Process[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat="], { encoding: "utf8" });
  return table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .map(([pid, parent, state]) => ({ pid: Number(pid), parent: Number(parent), state: state ?? "" }));
}

/** A process and all that it started. */
export function familyOf(pid: number): number[] {
  const all = processes();
  const family = [pid];
  for (const each of family)
    family.push(...all.filter(({ parent }) => parent === each).map((child) => child.pid));
  return family;
}

/** Its watchdogs may leave a moment after the program itself. */
export async function nobodyIsLeft(family: readonly number[], withinMs = 5_000): Promise<void> {
  await vi.waitFor(() => expect(alive(family)).toEqual([]), { timeout: withinMs, interval: 100 });
}

/** One that has ended but that nobody has collected yet counts as ended. */
const alive = (pids: readonly number[]): number[] =>
  processes()
    .filter(({ pid, state }) => pids.includes(pid) && !state.startsWith("Z"))
    .map(({ pid }) => pid);
