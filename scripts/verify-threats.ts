/**
 * `npm run verify:threats`: every threat of the catalogue under `test/threats/`, tried against the real product.
 * How it is counted, and what it can be asked: `verify/verify-catalogue.ts`.
 */
import { threats } from "../test/threats/catalogue.ts";
import { verifyCatalogue } from "./verify/verify-catalogue.ts";

process.exitCode = await verifyCatalogue(threats, process.argv.slice(2));
