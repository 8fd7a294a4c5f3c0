import { execFile } from "node:child_process";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { libraryFolders, type OsRelease, ownApt, readOsRelease } from "../debian/own-apt.ts";
import { holdingLock } from "../lock.mjs";
import { RedisUnavailable } from "./redis-unavailable.ts";

const run = promisify(execFile);

/** The first one that the distribution carries. */
const PACKAGES = ["redis-server", "valkey-server"];

export type FetchedRedis = { path: string; libraryPath: string };

type FetchOptions = { folder: string; aptGet: string; dpkgDeb: string; log: (line: string) => void };

/**
 * Unpacks Debian's or Ubuntu's Redis into `folder`, without root and without touching the system: apt works on
 * lists, status and cache of its own, downloads only, and `dpkg-deb -x` unpacks. apt still verifies the
 * distribution's signatures. What was fetched stays for later runs; two runs at once wait for each other.
 */
export async function fetchRedisByApt(options: FetchOptions): Promise<FetchedRedis> {
  // Named after the release and the CPU: a repository mounted into another distribution's container must not
  // start the host's binaries.
  const release = await readOsRelease();
  const name = `${release.id}-${release.codename}-${process.arch}`;
  const finished = join(options.folder, name);

  const cached = await tryUnpacked(finished);
  if (cached !== undefined) return cached;

  return holdingLock(
    join(options.folder, `${name}.lock`),
    async () => {
      const meanwhile = await tryUnpacked(finished);
      if (meanwhile !== undefined) return meanwhile;

      const startedAt = performance.now();
      options.log(
        "No Redis is installed: fetching the distribution's own package into .data/redis-dist (no root needed)",
      );
      const work = await mkdtemp(join(options.folder, `.${name}-`));
      try {
        const unpacked = await fetchAndUnpack(work, release, options);
        await rm(finished, { recursive: true, force: true });
        await rename(unpacked, finished);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
      const fetched = await tryUnpacked(finished);
      if (fetched === undefined)
        throw new RedisUnavailable("the distribution's Redis package does not start here");
      options.log(`Redis is here (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
      return fetched;
    },
    { onWait: ({ pid }) => options.log(`Waiting for process ${pid}, which is fetching Redis already`) },
  );
}

async function fetchAndUnpack(work: string, release: OsRelease, options: FetchOptions): Promise<string> {
  const apt = await ownApt(work, { release, ...options });
  // A mirror that cannot be reached is only a warning to apt; what is then missing shows below.
  const reachable = await apt.update();

  // First only what the machine lacks. If the result does not start (or the machine's own packages are in
  // disorder, which stops apt), everything the package needs, as on an empty system.
  let complaint = "";
  for (const have of ["machine", "nothing"] as const) {
    for (const packageName of PACKAGES) {
      const unpacked = join(work, "unpacked");
      const complained = await apt.unpack([packageName], unpacked, have);
      if (complained !== undefined) {
        complaint ||= complained;
        continue;
      }
      if ((await tryUnpacked(unpacked)) !== undefined) return unpacked;
    }
  }
  if (!reachable) throw new RedisUnavailable("apt cannot reach the distribution's package mirrors");
  throw new RedisUnavailable(`apt has no Redis for this machine${complaint === "" ? "" : `: ${complaint}`}`);
}

/** The unpacked server, if it is there and starts. */
async function tryUnpacked(root: string): Promise<FetchedRedis | undefined> {
  const libraryPath = (await libraryFolders(root)).join(":");
  for (const name of ["redis-server", "valkey-server"]) {
    const path = join(root, "usr", "bin", name);
    try {
      await run(path, ["--version"], {
        env: { ...process.env, LD_LIBRARY_PATH: libraryPath },
        timeout: 10_000,
      });
      return { path, libraryPath };
    } catch {
      // Not there, or for another machine.
    }
  }
  return undefined;
}
