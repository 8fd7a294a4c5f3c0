import { mkdir, readdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { holdingLock } from "../../scripts/lock.mjs";
import { runProgram, temporaryFolder } from "./program.ts";

test("of many who come at once one is inside at a time, and nothing stays behind", async () => {
  const folder = await temporaryFolder();
  let inside = 0;
  let most = 0;
  const visit = () =>
    holdingLock(join(folder, "lock"), async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    });
  await Promise.all([visit(), visit(), visit(), visit()]);
  expect(most).toBe(1);
  expect(await readdir(folder)).toEqual([]);
});

test("a lock whose owner has died is taken over, by one of all who find it", async () => {
  const folder = await temporaryFolder();
  const dead = runProgram(process.execPath, ["-e", "0"]);
  await dead.ended;
  await mkdir(join(folder, "lock"));
  await writeFile(
    join(folder, "lock", "owner.json"),
    JSON.stringify({ pid: dead.pid, host: hostname(), nonce: "n" }),
  );

  let inside = 0;
  let most = 0;
  const visit = () =>
    holdingLock(join(folder, "lock"), async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    });
  await Promise.all([visit(), visit(), visit()]);
  expect(most).toBe(1);
});

test("a lock is released when the work throws, and the error is handed on", async () => {
  const path = join(await temporaryFolder(), "lock");
  await expect(
    holdingLock(path, () => {
      throw new Error("the work");
    }),
  ).rejects.toThrow("the work");
  expect(await holdingLock(path, () => "free")).toBe("free");
});
