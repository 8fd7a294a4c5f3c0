/**
 * `npm run verify:cluster`: every test that has to do with Redis, on a real Redis Cluster. What shares a Redis shares one of
 * three masters; a Redis of one's own is a node that has all slots. With arguments, only the files whose paths hold one of them,
 * and what begins with `-` goes to vitest. The last line is `N passed, N failed, N skipped`.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { program, ROOT } from "./checks.ts";
import { exitLike, runChild } from "./run-child.mjs";

const args = process.argv.slice(2);
const wanted = args.filter((arg) => !arg.startsWith("-"));
const options = args.filter((arg) => arg.startsWith("-"));

const REDIS_OF_TESTS = resolve(ROOT, "test/kit/redis.ts");
const known = new Map<string, readonly string[]>();

const files = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.ts"))
  .map((file) => join(ROOT, "test", file))
  .filter(comesToRedis)
  .map((file) => relative(ROOT, file))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
process.stdout.write(`${files.length} files of tests, each on a Redis Cluster\n`);
if (files.length === 0) process.exit(1);

exitLike(
  await runChild(process.execPath, program("vitest/vitest.mjs", "run", ...options, ...files), {
    cwd: ROOT,
    env: { ...process.env, TEST_REDIS: "cluster" },
  }),
);

/** Whether a file of the tests, or one that it imports, uses the Redis of the tests. */
function comesToRedis(file: string): boolean {
  const seen = new Set([file]);
  for (const one of seen) for (const imported of importsOf(one)) seen.add(imported);
  return seen.has(REDIS_OF_TESTS);
}

function importsOf(file: string): readonly string[] {
  const already = known.get(file);
  if (already !== undefined) return already;
  const found = [...readFileSync(file, "utf8").matchAll(/^(?:import|}) .*"(\.[^"]+\.ts)";$/gm)]
    .map(([, path]) => resolve(dirname(file), path ?? ""))
    .filter((path) => path.startsWith(join(ROOT, "test")) && existsSync(path));
  known.set(file, found);
  return found;
}
