import type { Fault } from "./fault.ts";
import { jobsFaults } from "./jobs.ts";
import { processesFaults } from "./processes.ts";
import { providerFaults } from "./provider.ts";
import { redisFaults } from "./redis.ts";

/** Every fault that tests prove. */
export const faults: readonly Fault[] = [
  ...providerFaults,
  ...processesFaults,
  ...redisFaults,
  ...jobsFaults,
];

/** The faults that were thought of, F01 to F40. */
export const FAULTS_KNOWN = 40;
