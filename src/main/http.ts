import { keepCompiledCode } from "./compile-cache.ts";

keepCompiledCode();
const { run } = await import("./run.ts");

/** The public listener alone: as many as it takes behind a proxy. */
await run({ http: true, worker: false });
