import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { fetchRedisByApt } from "./fetch-redis-by-apt.ts";
import { RedisUnavailable } from "./redis-unavailable.ts";

const run = promisify(execFile);

/** Our scripts carry `#!lua flags=…`, which Redis understands from 7.0 on. Valkey began at 7.2. */
const OLDEST_MAJOR = 7;

/** Where people's package managers put it when PATH does not say so (a cron job, a desktop launcher). */
const USUAL_FOLDERS = [
  "/usr/local/bin",
  "/usr/bin",
  "/usr/sbin",
  "/opt/homebrew/bin",
  "/home/linuxbrew/.linuxbrew/bin",
];

const DATA_FOLDER = fileURLToPath(new URL("../../.data/", import.meta.url));

export type RedisServerBinary = {
  path: string;
  version: string;
  kind: "redis" | "valkey";
  origin: "path" | "apt" | "homebrew";
  /** Goes into LD_LIBRARY_PATH when the server's libraries are not the system's. */
  libraryPath?: string;
};

export type FindRedisOptions = {
  log?: (line: string) => void;
  /** Where what is fetched stays for later runs; `.data` of the repository unless a test says otherwise. */
  dataFolder?: string;
  /** PATH, unless a test says otherwise. */
  searchPath?: string;
};

/**
 * Finds a Redis (or Valkey) server, or brings one: what is installed, then Debian's and Ubuntu's package
 * unpacked into a private folder without root, then Homebrew. Throws RedisUnavailable with what to install.
 * Callers look at REDIS_URL first: whoever names a Redis wants that one.
 */
export async function findRedisServer(options: FindRedisOptions = {}): Promise<RedisServerBinary> {
  const log = options.log ?? (() => {});
  const searchPath = options.searchPath ?? process.env.PATH ?? "";

  const installed = await findInstalled(searchPath, log);
  if (installed !== undefined) return installed;

  const reasons: string[] = [];
  const aptGet = await findProgram("apt-get", searchPath);
  const dpkgDeb = await findProgram("dpkg-deb", searchPath);
  if (aptGet !== undefined && dpkgDeb !== undefined) {
    try {
      const fetched = await fetchRedisByApt({
        folder: join(options.dataFolder ?? DATA_FOLDER, "redis-dist"),
        aptGet,
        dpkgDeb,
        log,
      });
      const found = await describe(fetched.path, "apt", fetched.libraryPath);
      if (isNewEnough(found)) return found;
      reasons.push(`the distribution's package is ${found.kind} ${found.version}`);
    } catch (error) {
      reasons.push(error instanceof RedisUnavailable ? error.message : String(error));
    }
  }

  const brew = await findProgram("brew", searchPath);
  if (brew !== undefined) {
    try {
      return await installByHomebrew(brew, log);
    } catch {
      reasons.push("`brew install redis` did not succeed");
    }
  }

  const because = reasons.length > 0 ? ` (${reasons.join("; ")})` : "";
  throw new RedisUnavailable(
    `No Redis could be found or brought along${because}: install redis-server or valkey-server, version ${OLDEST_MAJOR} or newer, or set REDIS_URL to a Redis you may use.`,
  );
}

async function findInstalled(searchPath: string, log: (line: string) => void) {
  for (const name of ["valkey-server", "redis-server"]) {
    const path = await findProgram(name, searchPath);
    if (path === undefined) continue;
    try {
      const found = await describe(path, "path");
      if (isNewEnough(found)) return found;
      log(`${path} is version ${found.version}, older than ${OLDEST_MAJOR}: looking further`);
    } catch {
      log(`${path} does not start: looking further`);
    }
  }
  return undefined;
}

async function findProgram(name: string, searchPath: string): Promise<string | undefined> {
  const folders = searchPath.split(delimiter).filter((folder) => folder !== "");
  // A PATH given by a test is meant literally; the usual folders help only where PATH is the machine's own.
  if (searchPath === process.env.PATH) folders.push(...USUAL_FOLDERS);
  for (const folder of folders) {
    const candidate = join(folder, name);
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not here.
    }
  }
  return undefined;
}

async function describe(
  path: string,
  origin: RedisServerBinary["origin"],
  libraryPath?: string,
): Promise<RedisServerBinary> {
  const env = libraryPath === undefined ? process.env : { ...process.env, LD_LIBRARY_PATH: libraryPath };
  const { stdout } = await run(path, ["--version"], { env, timeout: 10_000 });
  const version = /v=(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${path} does not tell its version`);
  return {
    path,
    version,
    kind: /valkey/i.test(stdout) ? "valkey" : "redis",
    origin,
    ...(libraryPath === undefined ? {} : { libraryPath }),
  };
}

function isNewEnough(binary: RedisServerBinary): boolean {
  return Number(binary.version.split(".")[0]) >= OLDEST_MAJOR;
}

async function installByHomebrew(brew: string, log: (line: string) => void): Promise<RedisServerBinary> {
  log("No Redis is installed: asking Homebrew for it (brew install redis)");
  const env = { ...process.env, HOMEBREW_NO_AUTO_UPDATE: "1", HOMEBREW_NO_ENV_HINTS: "1" };
  await run(brew, ["install", "redis"], { env, timeout: 10 * 60_000, maxBuffer: 64 * 1024 * 1024 });
  const { stdout } = await run(brew, ["--prefix"], { env });
  return describe(join(stdout.trim(), "bin", "redis-server"), "homebrew");
}
