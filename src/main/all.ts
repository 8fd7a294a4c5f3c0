import { keepCompiledCode } from "./compile-cache.ts";

keepCompiledCode();
const { run } = await import("./run.ts");

/** Both in one process, for a small firm. */
await run({ http: true, worker: true });
