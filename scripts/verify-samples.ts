/**
 * `npm run verify:samples`: every sample of `scripts/samples/` that runs, against a real broker, worker, Redis and the simulator, in the
 * languages of the machine or in those of Debian's packages, which are fetched. The last line says which did all that they should.
 */
import { runFigure } from "./verify/run-figure.ts";

process.exitCode = await runFigure("test/scripts/samples.test.ts", { VERIFY_SAMPLES: "all" });
