import { writeFileSync, writeSync } from "node:fs";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

export type Counts = { passed: number; failed: number; skipped: number };

/** Where scripts/test.ts wants the counts instead of the line, because it has more to say before its last line. */
export const COUNTS_FILE_VARIABLE = "TEST_COUNTS_FILE";

export const closingLine = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;

/** Prints `N passed, N failed, N skipped` as the very last line of a run: that is how CI reads the counts. */
export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const counts = count(modules, unhandledErrors);
    const file = process.env[COUNTS_FILE_VARIABLE];
    if (file !== undefined && file !== "") {
      writeFileSync(file, JSON.stringify(counts));
      return;
    }
    // At exit, because other reporters and the teardown may still speak; written directly, because nothing
    // asynchronous happens after that.
    process.once("exit", () => writeSync(1, `${closingLine(counts)}\n`));
  }
}

function count(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): Counts {
  const counts: Counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
  for (const module of modules) {
    let failedHere = 0;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === "passed") counts.passed++;
      else if (state === "failed") failedHere++;
      else counts.skipped++;
    }
    // A file that does not load, or whose hook failed, has no failed test and is a failure all the same.
    if (failedHere === 0 && module.state() === "failed") failedHere = 1;
    counts.failed += failedHere;
  }
  return counts;
}
