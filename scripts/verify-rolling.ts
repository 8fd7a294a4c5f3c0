/**
 * `npm run verify:rolling`: two brokers behind a balancer and two workers, restarted one after another by SIGTERM under a steady rate
 * of token requests. `VERIFY_RESTARTS` says how often in all (8), `VERIFY_RATE` how many requests a second (500). The last line says how
 * many requests failed, and how long a process takes from its start until it is ready.
 */
import { runFigure } from "./verify/run-figure.ts";

process.exitCode = await runFigure("test/faults/rolling-fleet.test.ts", {
  VERIFY_RESTARTS: "8",
  VERIFY_RATE: "500",
});
