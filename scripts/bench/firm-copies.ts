import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runChild } from "../run-child.mjs";
import { fromInfo } from "./grant-bytes.ts";
import type { ScaleFirm } from "./scale-firm.ts";

export interface Rewriting {
  readonly seconds: number;
  readonly bytes: number;
  readonly forkMs: number;
}

/** Redis writes its append-only file anew. */
export async function rewriteFile({ admin }: ScaleFirm): Promise<Rewriting> {
  const startedAt = performance.now();
  await admin.bgrewriteaof();
  do await pause(50);
  while ((await fromInfo(admin, "persistence", "aof_rewrite_in_progress")) === 1);
  return {
    seconds: (performance.now() - startedAt) / 1_000,
    bytes: await fromInfo(admin, "persistence", "aof_base_size"),
    forkMs: (await fromInfo(admin, "stats", "latest_fork_usec")) / 1_000,
  };
}

/** Our own backup, by a process of its own. */
export async function backUp({
  broker,
  redis,
}: ScaleFirm): Promise<{ readonly seconds: number; readonly bytes: number }> {
  const file = join(redis.dir, "bench.backup");
  const cli = fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url));
  const startedAt = performance.now();
  const done = await runChild(process.execPath, [cli, "backup", file], {
    env: { ...process.env, ...broker.env },
    capture: true,
  });
  if (done.code !== 0) throw new Error(done.output);
  const seconds = (performance.now() - startedAt) / 1_000;
  const { size: bytes } = await stat(file);
  await rm(file);
  return { seconds, bytes };
}
