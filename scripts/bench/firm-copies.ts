import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { runChild } from "../run-child.mjs";
import { fromInfo } from "./grant-bytes.ts";
import type { ScaleFirm } from "./scale-firm.ts";

export interface Copies {
  readonly backupSeconds: number;
  readonly backupBytes: number;
  readonly rewriteSeconds: number;
  readonly rewrittenBytes: number;
  readonly forkMs: number;
}

/** How long copies take and how large they are: our own backup, and Redis' rewriting of its append-only file. */
export async function measureCopies({ admin, broker, redis }: ScaleFirm): Promise<Copies> {
  let startedAt = performance.now();
  await admin.bgrewriteaof();
  do await pause(50);
  while ((await fromInfo(admin, "persistence", "aof_rewrite_in_progress")) === 1);
  const rewriteSeconds = (performance.now() - startedAt) / 1_000;
  const rewrittenBytes = await fromInfo(admin, "persistence", "aof_base_size");
  const forkMs = (await fromInfo(admin, "stats", "latest_fork_usec")) / 1_000;

  const file = join(redis.dir, "bench.backup");
  const cli = fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url));
  startedAt = performance.now();
  const done = await runChild(process.execPath, [cli, "backup", file], {
    env: { ...process.env, ...broker.env },
    capture: true,
  });
  if (done.code !== 0) throw new Error(done.output);
  const backupSeconds = (performance.now() - startedAt) / 1_000;
  const backupBytes = (await stat(file)).size;
  await rm(file);
  return { backupSeconds, backupBytes, rewriteSeconds, rewrittenBytes, forkMs };
}
