import type { Fault } from "./fault.ts";

/** What may become of Redis: F26 to F35. */
export const redisFaults: readonly Fault[] = [];
