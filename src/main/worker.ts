import { keepCompiledCode } from "./compile-cache.ts";

keepCompiledCode();
const { run } = await import("./run.ts");

/** The workers alone: refreshing ahead, syncs, revocations, the audit's export. */
await run({ http: false, worker: true });
