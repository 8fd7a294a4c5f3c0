import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/kit/global-setup.ts"],
    reporters: ["default", "./test/kit/closing-line-reporter.ts"],
    // Processes and not threads: tests start, stop and kill child processes, and a worker that dies takes
    // nothing along but its own file.
    pool: "forks",
    // One more than the two cores: those that wait for a lease or a restart leave their core to others.
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
