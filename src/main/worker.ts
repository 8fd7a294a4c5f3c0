import { run } from "./run.ts";

/** The workers alone: refreshing ahead, syncs, revocations, the audit's export. */
await run({ http: false, worker: true });
