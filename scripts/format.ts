// `npm run format`: formats everything, and applies the lint fixes that are safe.
import { BIOME, program, ROOT } from "./checks.ts";
import { exitLike, runChild } from "./run-child.mjs";

exitLike(await runChild(process.execPath, program(BIOME, "check", "--write"), { cwd: ROOT }));
