import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { plainEnvironment, ROOT, runProgram, temporaryFolder } from "./program.ts";

test("the last line counts what passed, failed and was skipped, and a file that does not load as a failure", async () => {
  const root = await temporaryFolder();
  await writeFile(
    join(root, "mixed.test.ts"),
    `test("a", () => {}); test("b", () => {}); test("c", () => { throw new Error("c"); }); test.skip("d", () => {}); test.todo("e");`,
  );
  await writeFile(join(root, "broken.test.ts"), `throw new Error("does not load");`);
  const run = runProgram(
    process.execPath,
    [
      join(ROOT, "node_modules/vitest/vitest.mjs"),
      ...["run", "--globals", "--root", root, "--reporter", "default"],
      ...["--reporter", join(ROOT, "test/kit/closing-line-reporter.ts")],
    ],
    { cwd: root, env: plainEnvironment() },
  );
  expect((await run.ended).code).toBe(1);
  expect(run.output().trimEnd().split("\n").at(-1)).toBe("2 passed, 2 failed, 2 skipped");
});

test("a run that finds no tests says so, fails, and still ends with the counts", async () => {
  const run = runProgram(process.execPath, [join(ROOT, "scripts/test.ts"), "no-such-test"], {
    env: plainEnvironment(),
  });
  expect((await run.ended).code).toBe(1);
  expect(run.output().trimEnd().split("\n").slice(-2)).toEqual([
    "Failed: tests",
    "0 passed, 1 failed, 0 skipped",
  ]);
});
