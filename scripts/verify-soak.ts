/**
 * `npm run verify:soak`: two brokers and two workers, a Redis, an iManage with leeway and a strict one, under a seeded stream of random
 * faults, for at least `VERIFY_SOAK_MINUTES` (20) and `VERIFY_SOAK_FAULTS` (1,000). Every minute or so all must be well again. The last
 * line says what happened, what succeeded of what could, and what was lost.
 */
import { runFigure } from "./verify/run-figure.ts";

process.exitCode = await runFigure("test/faults/soak.test.ts", {
  VERIFY_SOAK_MINUTES: "20",
  VERIFY_SOAK_FAULTS: "1000",
});
