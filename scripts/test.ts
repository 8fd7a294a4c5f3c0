// `scripts/test`: format and lint, types, tests, and the benches in short. With arguments only the tests, and the arguments go to vitest.
// The last line of the output is always "N passed, N failed, N skipped": that is how CI reads the counts.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { COUNTS_FILE_VARIABLE, type Counts, closingLine } from "../test/kit/closing-line-reporter.ts";
import { checks, program, ROOT, runStep, type Step } from "./checks.ts";
import { exitLike, runChild } from "./run-child.mjs";
import { shortBenches } from "./short-benches.ts";

const args = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), "broker-test-counts-"));
const countsFile = join(folder, "counts.json");

const tests: Step = {
  name: "tests",
  run: () =>
    runChild(process.execPath, program("vitest/vitest.mjs", "run", ...args), {
      cwd: ROOT,
      env: { ...process.env, [COUNTS_FILE_VARIABLE]: countsFile },
    }),
};

const failed: string[] = [];
let signal: NodeJS.Signals | null = null;
for (const step of args.length > 0 ? [tests] : [...checks, tests, shortBenches]) {
  const result = await runStep(step);
  if (!result.ok) failed.push(step.name);
  signal = result.signal;
  if (signal !== null) break;
}

const counts = await readCounts();
await rm(folder, { recursive: true, force: true });
// A run that fails without a failed test (nothing matched, the set-up threw) must not look like a good one.
if (failed.includes(tests.name) && counts.failed === 0) counts.failed = 1;
if (failed.includes(shortBenches.name)) counts.failed += 1;
if (failed.length > 0) process.stdout.write(`Failed: ${failed.join(", ")}\n`);
process.stdout.write(`${closingLine(counts)}\n`, () => {
  exitLike({ code: failed.length === 0 ? 0 : 1, signal });
});

async function readCounts(): Promise<Counts> {
  try {
    return JSON.parse(await readFile(countsFile, "utf8")) as Counts;
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}
