import { enableCompileCache } from "node:module";
import { join } from "node:path";

/**
 * Keeps what Node compiles, so that the next start need not do it again. Called before anything else is imported, so programs
 * import what they run afterwards. It lies beside the code and has its owner, never in a temporary folder: who can write
 * there decides what runs. `NODE_COMPILE_CACHE` names another folder; one that cannot be written does no harm.
 */
export function keepCompiledCode(): void {
  enableCompileCache(join(import.meta.dirname, "..", "..", ".data", "compile-cache"));
}
