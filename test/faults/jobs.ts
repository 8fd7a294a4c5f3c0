import type { Fault } from "./fault.ts";

/** Jobs, the morning's herd, receivers and keys: F36 to F40. */
export const jobsFaults: readonly Fault[] = [];
