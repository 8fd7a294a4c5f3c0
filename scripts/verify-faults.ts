/**
 * `npm run verify:faults`: every fault of the catalogue under `test/faults/` against real processes and sockets.
 * How it is counted, and what it can be asked: `verify/verify-catalogue.ts`.
 */
import { faults } from "../test/faults/catalogue.ts";
import { verifyCatalogue } from "./verify/verify-catalogue.ts";

process.exitCode = await verifyCatalogue(faults, process.argv.slice(2));
