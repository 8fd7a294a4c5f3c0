import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, mkdtemp, rename, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { holdingLock } from "../lock.mjs";
import { libraryFolders, ownApt, readOsRelease } from "./own-apt.ts";

const run = promisify(execFile);

const DATA_FOLDER = fileURLToPath(new URL("../../.data/", import.meta.url));

/** How to run a program of a language: before its own arguments, and with these added to the environment. */
export interface Runtime {
  readonly command: string;
  readonly environment: Readonly<Record<string, string>>;
}

export type Language = "python" | "ruby" | "shell";

/** What a sample of each needs besides the language, and Debian's names for all of it. */
const LANGUAGES: Readonly<
  Record<Language, { readonly command: string; readonly packages: readonly string[]; readonly try: string[] }>
> = {
  python: {
    command: "python3",
    packages: ["python3", "python3-requests", "python3-authlib"],
    try: ["-c", "import requests, authlib.integrations.requests_client"],
  },
  ruby: { command: "ruby", packages: ["ruby"], try: ["-rjson", "-rnet/http", "-ropenssl", "-e", ""] },
  shell: {
    command: "bash",
    packages: ["bash", "curl", "jq", "openssl"],
    try: ["-c", "for tool in curl jq openssl; do $tool --version || $tool version || exit 1; done"],
  },
};

export interface Languages {
  readonly runtimes: Readonly<Partial<Record<Language, Runtime>>>;
  /** Why one of them is missing. */
  readonly reason: string;
}

/**
 * Python with requests and Authlib, Ruby, and a shell with curl, jq and openssl: those of the machine, or else Debian's or
 * Ubuntu's packages unpacked into `.data/languages-dist`, without root and without touching the system. Never throws.
 */
export async function findLanguages({
  fetches = true,
  log = () => {},
  dataFolder = DATA_FOLDER,
  searchPath = process.env.PATH ?? "",
}: {
  /** False: what is not here yet stays away. */
  readonly fetches?: boolean;
  readonly log?: (line: string) => void;
  readonly dataFolder?: string;
  readonly searchPath?: string;
} = {}): Promise<Languages> {
  const release = await readOsRelease();
  const folder = join(dataFolder, "languages-dist");
  const root = join(folder, `${release.id}-${release.codename}-${process.arch}`);
  const look = () => lookFor(root, searchPath);
  let found = await look();
  if (missingOf(found).length === 0) return { runtimes: found, reason: "" };
  if (!fetches) return { runtimes: found, reason: "it is neither on PATH nor fetched yet" };
  const [aptGet, dpkgDeb] = await Promise.all(
    ["apt-get", "dpkg-deb"].map((name) => findProgram(name, searchPath)),
  );
  if (aptGet === undefined || dpkgDeb === undefined)
    return { runtimes: found, reason: "it is not on PATH, and there is no apt to fetch it with" };
  try {
    await holdingLock(`${root}.lock`, async () => {
      found = await look();
      const missing = missingOf(found);
      // Fetched once: what does not start here does not start by being fetched again.
      if (missing.length === 0 || (await isThere(root))) return;
      log(`Fetching the distribution's ${missing.join(", ")} into .data/languages-dist (no root needed)`);
      const startedAt = performance.now();
      const work = await mkdtemp(join(folder, ".fetching-"));
      try {
        const apt = await ownApt(work, { release, aptGet, dpkgDeb });
        const reachable = await apt.update();
        const packages = missing.flatMap((language) => LANGUAGES[language].packages);
        const complaint = await apt.unpack(packages, join(work, "unpacked"), "machine");
        if (!reachable) throw new Error("apt cannot reach the distribution's package mirrors");
        if (complaint !== undefined) throw new Error(`apt says: ${complaint}`);
        await rename(join(work, "unpacked"), root);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
      found = await look();
      log(`They are here (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
    });
  } catch (error) {
    return { runtimes: found, reason: error instanceof Error ? error.message : String(error) };
  }
  return { runtimes: found, reason: "what the distribution's packages hold does not start here" };
}

const missingOf = (found: Languages["runtimes"]): Language[] =>
  (Object.keys(LANGUAGES) as Language[]).filter((language) => found[language] === undefined);

async function lookFor(root: string, searchPath: string): Promise<Languages["runtimes"]> {
  const fetched = await environmentOf(root, searchPath);
  const looks = (Object.keys(LANGUAGES) as Language[]).map(async (language) => {
    const { command, try: args } = LANGUAGES[language];
    const own = await findProgram(command, searchPath);
    const candidates: Runtime[] = [
      ...(own === undefined ? [] : [{ command: own, environment: { PATH: searchPath } }]),
      // Packages of Debian fit its own interpreter, whichever comes first on PATH.
      ...[join(root, "usr", "bin", command), join("/usr/bin", command)].map((path) => ({
        command: path,
        environment: fetched,
      })),
    ];
    for (const runtime of candidates) {
      const env = { ...process.env, ...runtime.environment };
      const starts = await run(runtime.command, args, { env, timeout: 20_000 }).then(
        () => true,
        () => false,
      );
      if (starts) return [language, runtime] as const;
    }
    return undefined;
  });
  return Object.fromEntries((await Promise.all(looks)).filter((look) => look !== undefined));
}

/** Where programs look for what was unpacked in `root` rather than installed. */
async function environmentOf(root: string, searchPath: string): Promise<Record<string, string>> {
  const libraries = await libraryFolders(root);
  const { stdout } = await run("ls", [join(root, "usr", "lib", "ruby")]).catch(() => ({ stdout: "" }));
  const [version = ""] = /^\d+\.\d+\.\d+$/m.exec(stdout) ?? [];
  const ruby = [join(root, "usr", "lib"), ...libraries].flatMap((folder) => [
    join(folder, "ruby", version),
    join(folder, "ruby", "vendor_ruby"),
  ]);
  return {
    PATH: [join(root, "usr", "bin"), searchPath].join(delimiter),
    LD_LIBRARY_PATH: libraries.join(":"),
    PYTHONPATH: join(root, "usr", "lib", "python3", "dist-packages"),
    // Packages that were not installed are not compiled either: the first start does it, and the next take half of the time.
    PYTHONDONTWRITEBYTECODE: "",
    RUBYLIB: ruby.join(":"),
    // Gems of the machine are of its own Ruby.
    RUBYOPT: "--disable-gems",
  };
}

async function findProgram(name: string, searchPath: string): Promise<string | undefined> {
  for (const folder of searchPath.split(delimiter).filter((each) => each !== "")) {
    const path = join(folder, name);
    if (await isThere(path, constants.X_OK)) return path;
  }
  return undefined;
}

const isThere = (path: string, how: number = constants.F_OK): Promise<boolean> =>
  access(path, how).then(
    () => true,
    () => false,
  );
