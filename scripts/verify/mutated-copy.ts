import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Guard } from "../../test/kit/promise.ts";
import { ROOT } from "../checks.ts";

/** A copy of the project in which guards are taken away; the original is never touched. */
export interface MutatedCopy {
  readonly root: string;
  /** Runs `act` while the guard is gone. @throws if its text is not found exactly once. */
  without<T>(guard: Guard, act: () => Promise<T>): Promise<T>;
  remove(): Promise<void>;
}

const LEFT_OUT = new Set(["node_modules", ".git", ".data"]);

export async function mutatedCopy(): Promise<MutatedCopy> {
  const root = await mkdtemp(join(tmpdir(), "verify-"));
  for (const entry of await readdir(ROOT)) {
    if (!LEFT_OUT.has(entry)) await cp(join(ROOT, entry), join(root, entry), { recursive: true });
  }
  await mkdir(join(root, ".data"));
  await symlink(join(ROOT, "node_modules"), join(root, "node_modules"));
  return {
    root,
    async without({ file, replace, by, guard }, act) {
      const path = join(root, file);
      const text = await readFile(path, "utf8");
      if (text.split(replace).length !== 2)
        throw new Error(`${file} does not hold once what “${guard}” is about`);
      await writeFile(
        path,
        text.replace(replace, () => by),
      );
      try {
        return await act();
      } finally {
        await writeFile(path, text);
      }
    },
    remove: () => rm(root, { recursive: true, force: true }),
  };
}
