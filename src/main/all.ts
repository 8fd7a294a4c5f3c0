import { run } from "./run.ts";

/** Both in one process, for a small firm. */
await run({ http: true, worker: true });
