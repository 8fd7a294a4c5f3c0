import type { Catalogue } from "../kit/promise.ts";
import { jobsFaults } from "./jobs.ts";
import { processesFaults } from "./processes.ts";
import { providerFaults } from "./provider.ts";
import { redisFaults } from "./redis.ts";

/** What may break under this product. */
export const faults: Catalogue = {
  of: "faults",
  letter: "F",
  known: 40,
  promises: [...providerFaults, ...processesFaults, ...redisFaults, ...jobsFaults],
};
