import type { Dirent } from "node:fs";
import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export type Contents = {
  files: number;
  bytes: number;
  debianPackages: string[];
  npmPackages: string[];
  /** Of these and of Node, what is distributed without its notice. */
  unnoticed: string[];
  /** What runs with somebody else's rights. */
  setuid: string[];
  /** What anybody may write to, or the image's own user owns: files and folders. */
  writable: string[];
  /** Programs, by their names. */
  programs: string[];
  /** Of those, and of all file names, what has no business in production. */
  unwanted: string[];
};

/** Compilers and linkers, package managers, shells, and what fetches things. */
const UNWANTED =
  /^(?:cc|c\+\+|gcc|g\+\+|cpp|clang|ld|as|make|cmake|go|rustc|python[\d.]*|perl|npm|npx|yarn|pnpm|corepack|apt|apt-get|dpkg|pip\d?|sh|bash|dash|busybox|curl|wget|nc|ssh|git)$/;
/** Development's packages, and the Node that development brings along. */
const UNWANTED_PACKAGES =
  /^(?:typescript|vitest|@biomejs\/.*|playwright-core|@types\/.*|node-(?:bin|linux|darwin)-.*|npm)$/;
const PROGRAM_FOLDERS = /^\/(?:usr\/)?(?:local\/)?s?bin\//;

/** Looks at every file of an unfolded image. */
export async function lookInto(root: string): Promise<Contents> {
  const found: Contents = {
    ...{
      files: 0,
      bytes: 0,
      debianPackages: [],
      npmPackages: [],
      unnoticed: [],
      setuid: [],
      writable: [],
      programs: [],
      unwanted: [],
    },
  };
  for await (const entry of everyEntry(root)) {
    const path = join(entry.parentPath, entry.name);
    const inside = `/${path.slice(root.length).replace(/^\/+/, "")}`;
    const { mode, uid, size, nlink } = await lstat(path);
    if (entry.isFile()) {
      found.files++;
      found.bytes += size / nlink;
    }
    if (!entry.isSymbolicLink()) {
      if ((mode & 0o6000) !== 0) found.setuid.push(inside);
      if ((mode & 0o022) !== 0 || uid !== 0) found.writable.push(inside);
    }
    const executable = entry.isFile() && (mode & 0o111) !== 0;
    if (PROGRAM_FOLDERS.test(inside) && !entry.isDirectory()) found.programs.push(inside);
    if (UNWANTED.test(entry.name) && (executable || PROGRAM_FOLDERS.test(inside)))
      found.unwanted.push(inside);
    if (entry.name === "package.json" && /\/node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/.test(inside)) {
      const { name, version } = JSON.parse(await readFile(path, "utf8")) as {
        name?: string;
        version?: string;
      };
      if (name === undefined || version === undefined) continue;
      found.npmPackages.push(`${name}@${version}`);
      if (UNWANTED_PACKAGES.test(name)) found.unwanted.push(inside);
    }
  }
  found.debianPackages = await readdir(join(root, "var/lib/dpkg/status.d"));
  found.unnoticed = await lookForNotices(root, found);
  return found;
}

async function lookForNotices(root: string, { npmPackages, debianPackages }: Contents): Promise<string[]> {
  const notices = new Set((await readFile(join(root, "app/THIRD-PARTY-NOTICES.txt"), "utf8")).split("\n"));
  const doc = new Map([
    ["node", "nodejs/LICENSE"],
    ...debianPackages.map((name) => [name, `${name}/copyright`] as const),
  ]);
  const without = await Promise.all(
    [...doc].map(async ([name, file]) => {
      const text = await readFile(join(root, "usr/share/doc", file), "utf8").catch(() => "");
      return text === "" ? [name] : [];
    }),
  );
  return [...npmPackages.filter((id) => !notices.has(id.replace(/(?<=.)@/, " "))), ...without.flat()];
}

/** Not by `recursive`, which goes through links: one of the image, `/var/run`, leads to the machine's own `/run`. */
async function* everyEntry(folder: string): AsyncGenerator<Dirent> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    yield entry;
    if (entry.isDirectory()) yield* everyEntry(join(folder, entry.name));
  }
}
