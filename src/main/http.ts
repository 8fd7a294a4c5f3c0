import { run } from "./run.ts";

/** The public listener alone: as many as it takes behind a proxy. */
await run({ http: true, worker: false });
