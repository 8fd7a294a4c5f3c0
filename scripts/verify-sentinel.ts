/**
 * `npm run verify:sentinel`: a master, two replicas and three Sentinels, and failovers under load; the master is killed and frozen
 * in turn. `VERIFY_FAILOVERS` says how often (4), `VERIFY_WAIT_REPLICAS` how many replicas a change waits for (1). The last line says
 * how long there was no token, what of the acknowledged changes was lost, and how many grants.
 */
import { runFigure } from "./verify/run-figure.ts";

process.exitCode = await runFigure("test/faults/failover.test.ts", { VERIFY_FAILOVERS: "4" });
