import { readdirSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { RunningRedis } from "../../scripts/redis/index.ts";

/**
 * The append-only file of a Redis that is killed and started again: what is cut off its end is what a power failure takes. A
 * kill alone takes nothing, since what Redis has written is in the system's cache.
 */
export interface AppendOnlyFile {
  readonly size: number;
  readonly text: string;
  cut(to: number): void;
}

export function appendOnlyFileOf(redis: RunningRedis): AppendOnlyFile {
  const folder = join(redis.dir, "appendonlydir");
  const path = () => {
    const files = readdirSync(folder).filter((name) => name.endsWith(".incr.aof"));
    if (files.length !== 1) throw new Error(`one file of commands was expected: ${files.join(", ")}`);
    return join(folder, files[0]!);
  };
  return {
    get size() {
      return statSync(path()).size;
    },
    get text() {
      return readFileSync(path(), "latin1");
    },
    cut: (to) => truncateSync(path(), to),
  };
}
