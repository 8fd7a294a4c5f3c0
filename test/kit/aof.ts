import { readdirSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { RunningRedis } from "../../scripts/redis/index.ts";

const MULTI = "*1\r\n$5\r\nMULTI\r\n";
const EXEC = "*1\r\n$4\r\nEXEC\r\n";

/**
 * The append-only file of a Redis that is killed and started again: what is cut off its end is what a power failure takes. A
 * kill alone takes nothing, since what Redis has written is in the system's cache.
 */
export interface AppendOnlyFile {
  readonly size: number;
  readonly text: string;
  /**
   * Keeps so many bytes, and no beginning of a transaction: redis-check-aof --fix does so too. Redis 7.0 itself leaves such a
   * beginning in the file, and at the next start but one runs it along with what came behind it. Answers how many it cut.
   */
  cut(to: number): number;
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
    cut(to) {
      const text = readFileSync(path(), "latin1");
      const begins = text.lastIndexOf(MULTI, to - MULTI.length);
      const ends = text.indexOf(EXEC, begins);
      const at = begins >= 0 && (ends < 0 || ends + EXEC.length > to) ? begins : to;
      truncateSync(path(), at);
      return text.length - at;
    },
  };
}
