/**
 * `npm run verify:memory`: what a broker and a worker hold in memory while tokens are handed out and refreshed. `VERIFY_TOKENS` says
 * how many (1,000,000), `VERIFY_REFRESHES` how many refreshes (100,000; some twenty minutes). The last line says by how much it grew.
 */
import { runFigure } from "./verify/run-figure.ts";

process.exitCode = await runFigure("test/faults/memory.test.ts", {
  VERIFY_TOKENS: "1000000",
  VERIFY_REFRESHES: "100000",
});
