import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
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
  const config = await writeAptConfig(work, release);
  const apt = (...args: string[]) =>
    run(options.aptGet, ["-c", config, "-q", "-y", ...args], {
      env: { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
      timeout: 180_000,
      maxBuffer: 16 * 1024 * 1024,
    });

  // A mirror that cannot be reached is only a warning to apt; what is then missing shows below.
  const updated = await apt("update").catch((error: unknown) => ({ stderr: complaints(error).join("\n") }));
  const unreachable = /Failed to fetch|Could not (?:connect|resolve)|Temporary failure/.test(updated.stderr);

  // First only what the machine lacks. If the result does not start (or the machine's own packages are in
  // disorder, which stops apt), everything the package needs, as on an empty system.
  const status = join(work, "status");
  let complaint = "";
  for (const known of [await readFile("/var/lib/dpkg/status", "utf8").catch(() => ""), ""]) {
    await writeFile(status, known);
    for (const packageName of PACKAGES) {
      const archives = join(work, "cache", "archives");
      await rm(archives, { recursive: true, force: true });
      await mkdir(join(archives, "partial"), { recursive: true });
      try {
        await apt("install", "--download-only", "--no-install-recommends", packageName);
      } catch (error) {
        complaint ||= complaints(error)[0] ?? "";
        continue;
      }
      const unpacked = join(work, "unpacked");
      await rm(unpacked, { recursive: true, force: true });
      await mkdir(unpacked);
      for (const file of await readdir(archives)) {
        // The C library belongs to the system's own loader: one of another patch level beside it crashes.
        if (!file.endsWith(".deb") || /^libc6_/.test(file)) continue;
        await run(options.dpkgDeb, ["-x", join(archives, file), unpacked]);
      }
      if ((await tryUnpacked(unpacked)) !== undefined) return unpacked;
    }
  }
  if (unreachable) throw new RedisUnavailable("apt cannot reach the distribution's package mirrors");
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

async function libraryFolders(root: string): Promise<string[]> {
  const folders: string[] = [];
  for (const parent of [join(root, "usr", "lib"), join(root, "lib")]) {
    for (const entry of await readdir(parent, { withFileTypes: true }).catch(() => [])) {
      if (entry.isDirectory() && entry.name.includes("-linux-")) folders.push(join(parent, entry.name));
    }
    folders.push(parent);
  }
  return folders;
}

async function writeAptConfig(work: string, release: OsRelease): Promise<string> {
  const at = (...parts: string[]) => join(work, ...parts);
  await mkdir(at("state", "lists", "partial"), { recursive: true });
  await mkdir(at("cache", "archives", "partial"), { recursive: true });
  await mkdir(at("log"), { recursive: true });
  await writeFile(at("status"), "");

  const lines = [
    `Dir::State "${at("state")}";`,
    `Dir::State::lists "${at("state", "lists")}";`,
    `Dir::State::status "${at("status")}";`,
    `Dir::State::extended_states "${at("state", "extended_states")}";`,
    `Dir::Cache "${at("cache")}";`,
    `Dir::Cache::archives "${at("cache", "archives")}";`,
    `Dir::Log "${at("log")}";`,
    `Debug::NoLocking "1";`,
    // As root apt would drop to its own user, who cannot write here.
    `APT::Sandbox::User "";`,
    `Acquire::Languages "none";`,
    `Acquire::Retries "1";`,
    `Acquire::http::Timeout "15";`,
    `Acquire::https::Timeout "15";`,
    // The machine's hooks (tidying, indexes for other programs) are none of our business.
    ..."APT::Update::Pre-Invoke APT::Update::Post-Invoke APT::Update::Post-Invoke-Success DPkg::Pre-Invoke DPkg::Post-Invoke DPkg::Pre-Install-Pkgs"
      .split(" ")
      .map((hook) => `#clear ${hook};`),
  ];
  const sources = await distributionSources(release);
  if (sources.length > 0) {
    await mkdir(at("sources"), { recursive: true });
    for (const { name, text } of sources) await writeFile(at("sources", name), text);
    lines.push(`Dir::Etc::sourcelist "/dev/null";`, `Dir::Etc::sourceparts "${at("sources")}";`);
  }
  const config = at("apt.conf");
  await writeFile(config, `${lines.join("\n")}\n`);
  return config;
}

/**
 * The machine's package sources, without the third parties': Redis is in the distribution, and somebody's
 * unreachable repository must not cost half a minute. An empty answer means: use the machine's as they are.
 */
async function distributionSources(release: OsRelease): Promise<{ name: string; text: string }[]> {
  const folder = "/etc/apt/sources.list.d";
  const files = (await readdir(folder).catch(() => [])).map((file) => join(folder, file));
  const kept: { name: string; text: string }[] = [];
  for (const file of ["/etc/apt/sources.list", ...files]) {
    const text = await readFile(file, "utf8").catch(() => "");
    const own = file.endsWith(".sources")
      ? text
          .split(/\n\s*\n/)
          .filter((stanza) => isOwnSuite(/^Suites:(.*)$/im.exec(stanza)?.[1] ?? "", release))
          .join("\n\n")
      : text
          .split("\n")
          .filter((line) =>
            isOwnSuite(/^\s*deb\s+(?:\[[^\]]*\]\s*)?\S+\s+(\S+)/.exec(line)?.[1] ?? "", release),
          )
          .join("\n");
    if (own.trim() === "") continue;
    const name = file === "/etc/apt/sources.list" ? "main.list" : basename(file);
    kept.push({ name, text: `${own}\n` });
  }
  return kept;
}

function isOwnSuite(suites: string, release: OsRelease): boolean {
  const first = suites.trim().split(/\s+/)[0] ?? "";
  const names = [release.codename, "stable", "testing", "unstable", "sid"].filter((name) => name !== "");
  return names.some((name) => first === name || first.startsWith(`${name}-`) || first.startsWith(`${name}/`));
}

type OsRelease = { id: string; codename: string };

async function readOsRelease(): Promise<OsRelease> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const field = (name: string) => new RegExp(`^${name}="?([^"\\n]*)"?$`, "m").exec(text)?.[1] ?? "";
  return { id: field("ID") || "linux", codename: field("UBUNTU_CODENAME") || field("VERSION_CODENAME") };
}

function complaints(error: unknown): string[] {
  const text = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
  return text
    .split("\n")
    .filter((line) => /^[EW]:/.test(line))
    .map((line) => line.replace(/^[EW]:\s*/, "").trim());
}
