import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/kit/longest-first.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/kit/global-setup.ts"],
    reporters: ["default", "./test/kit/closing-line-reporter.ts"],
    // Processes and not threads: tests start, stop and kill child processes, and a worker that dies takes
    // nothing along but its own file.
    pool: "forks",
    // Twice as many as the two cores: half of the time goes by in waiting, for a lease, a restart, another process.
    maxWorkers: 4,
    // Each of the four takes file after file and loads the product once: a third of the whole time went by in loading it again. So
    // a file leaves behind nothing by which another could notice it: modules hold no state, listeners and processes end with their test.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
