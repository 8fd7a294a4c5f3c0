import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export type OsRelease = { id: string; codename: string };

export type OwnApt = {
  /** False where a mirror could not be reached; apt itself only warns. */
  update(): Promise<boolean>;
  /**
   * Downloads packages and what they depend on, and unpacks them into `into`, which is made anew. `have` says what apt
   * takes for installed: what this machine has, or nothing. Answers what apt complained of, or undefined.
   */
  unpack(packages: readonly string[], into: string, have: "machine" | "nothing"): Promise<string | undefined>;
  /** The lines of `apt-get indextargets`, which tell the mirrors of the machine's own sources. */
  indexTargets(format: string): Promise<string[]>;
};

/**
 * apt as an ordinary user and without touching the system: lists, status and cache of its own in `work`, downloads only,
 * and `dpkg-deb -x` unpacks. It verifies the distribution's signatures as always.
 */
export async function ownApt(
  work: string,
  { release, aptGet, dpkgDeb }: { release: OsRelease; aptGet: string; dpkgDeb: string },
): Promise<OwnApt> {
  const config = await writeAptConfig(work, release);
  const apt = (...args: string[]) =>
    run(aptGet, ["-c", config, "-q", "-y", ...args], {
      env: { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
      timeout: 180_000,
      maxBuffer: 16 * 1024 * 1024,
    });
  const archives = join(work, "cache", "archives");

  return {
    async update() {
      const said = await apt("update").catch((error: unknown) => ({ stderr: complaints(error).join("\n") }));
      return !/Failed to fetch|Could not (?:connect|resolve)|Temporary failure/.test(said.stderr);
    },
    async unpack(packages, into, have) {
      const known = have === "machine" ? await readFile("/var/lib/dpkg/status", "utf8").catch(() => "") : "";
      await writeFile(join(work, "status"), known);
      await rm(archives, { recursive: true, force: true });
      await mkdir(join(archives, "partial"), { recursive: true });
      try {
        await apt("install", "--download-only", "--no-install-recommends", ...packages);
      } catch (error) {
        return complaints(error)[0] ?? "";
      }
      await rm(into, { recursive: true, force: true });
      await mkdir(into);
      for (const file of await readdir(archives)) {
        // The C library belongs to the system's own loader: one of another patch level beside it crashes.
        if (!file.endsWith(".deb") || /^libc6_/.test(file)) continue;
        await run(dpkgDeb, ["-x", join(archives, file), into]);
      }
      return undefined;
    },
    indexTargets: async (format) =>
      (await apt("indextargets", "--format", format)).stdout.split("\n").filter((line) => line !== ""),
  };
}

/** Where the libraries of packages unpacked into `root` lie. */
export async function libraryFolders(root: string): Promise<string[]> {
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
 * The machine's package sources, without the third parties': what is asked for is in the distribution, and
 * somebody's unreachable repository must not cost half a minute. An empty answer means: use the machine's as they are.
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

export async function readOsRelease(): Promise<OsRelease> {
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
