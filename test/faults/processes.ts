import type { Fault } from "./fault.ts";

/** What may become of our own processes and their locks: F16 to F25. */
export const processesFaults: readonly Fault[] = [];
