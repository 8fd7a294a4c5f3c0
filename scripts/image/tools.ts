import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { libraryFolders, ownApt, readOsRelease } from "../debian/own-apt.ts";
import { type Ran, runStep, Sentence } from "./run-step.ts";

export type Tools = {
  /** buildah on a storage of its own in `folder`. */
  buildah(...args: readonly string[]): Promise<Ran>;
  /** A Debian of that release, without anything that is not essential but `include`. */
  debootstrap(release: string, include: readonly string[], into: string): Promise<void>;
};

/** In a mount namespace of its own: what is mounted below ends with the program, even if that is killed. */
const APART = ["unshare", "--mount", "--propagation", "private"];
/** With process ids of its own too: whatever debootstrap starts ends with it. */
const ALONE = [...APART, "--pid", "--fork", "--kill-child"];

/**
 * buildah and debootstrap, fetched from Debian by apt as an ordinary user would and unpacked into `folder`: nothing is
 * installed, and the system stays as it is.
 */
export async function bringTools(folder: string, signal: AbortSignal): Promise<Tools> {
  const release = await readOsRelease();
  if (release.id !== "debian")
    throw new Sentence(
      "The image is built on a base made by debootstrap from the machine's own Debian mirror: this needs Debian.",
    );
  if (process.getuid?.() !== 0)
    throw new Sentence("buildah's chroot isolation and debootstrap need root: run this as root.");

  const work = join(folder, "apt");
  await mkdir(work, { recursive: true });
  const apt = await ownApt(work, { release, aptGet: "apt-get", dpkgDeb: "dpkg-deb" });
  const reachable = await apt.update();
  const root = join(folder, "tools");
  const complained = await apt.unpack(["buildah", "debootstrap", "debian-archive-keyring"], root, "machine");
  if (complained !== undefined)
    throw new Sentence(
      reachable
        ? `apt has no buildah or debootstrap: ${complained}`
        : "apt cannot reach the distribution's package mirrors.",
    );
  const mirror = await mirrorOf(apt.indexTargets, release.codename);

  // buildah starts itself anew with an empty environment, so LD_LIBRARY_PATH does not reach it; the loader's cache does.
  // One of our own lies over the system's, in buildah's mount namespace alone.
  const loaderCache = join(folder, "ld.so.cache");
  const loaderConf = join(folder, "ld.so.conf");
  await writeFile(loaderConf, `${(await libraryFolders(root)).join("\n")}\ninclude /etc/ld.so.conf\n`);
  await runStep(["/sbin/ldconfig", "-X", "-C", loaderCache, "-f", loaderConf], { signal });

  const storage = join(folder, "storage.conf");
  await writeFile(
    storage,
    `[storage]\ndriver = "vfs"\nrunroot = "${join(folder, "run")}"\ngraphroot = "${join(folder, "store")}"\n`,
  );
  const containers = join(folder, "containers.conf");
  await writeFile(containers, "");
  const env = {
    ...process.env,
    PATH: [process.env.PATH, "/usr/sbin", "/sbin", join(root, "usr/bin"), join(root, "usr/sbin")].join(
      delimiter,
    ),
    CONTAINERS_STORAGE_CONF: storage,
    CONTAINERS_CONF: containers,
    // Its large temporary files beside the rest, where they are removed.
    TMPDIR: await madeFolder(join(folder, "tmp")),
    BUILDAH_ISOLATION: "chroot",
  };
  const find = (name: string, ...places: string[]) =>
    [join(root, "usr/bin", name), join(root, "usr/sbin", name), ...places].find(existsSync) ?? name;
  const buildah = find("buildah", "/usr/bin/buildah");
  const debootstrap = find("debootstrap", "/usr/sbin/debootstrap");
  const scripts = join(root, "usr/share/debootstrap");

  return {
    buildah: (...args) =>
      runStep(
        [
          ...APART,
          "sh",
          "-c",
          'mount --bind "$0" /etc/ld.so.cache && exec "$@"',
          loaderCache,
          buildah,
          ...args,
        ],
        { env, signal },
      ),
    async debootstrap(suite, include, into) {
      const keyring = [
        join(root, "usr/share/keyrings/debian-archive-keyring.gpg"),
        "/usr/share/keyrings/debian-archive-keyring.gpg",
      ].find(existsSync);
      await runStep(
        [
          ...[...ALONE, "sh", debootstrap, "--variant=minbase", "--merged-usr"],
          ...(keyring === undefined ? [] : [`--keyring=${keyring}`]),
          ...[`--include=${include.join(",")}`, suite, into, mirror],
        ],
        { env: { ...env, ...(existsSync(scripts) && { DEBOOTSTRAP_DIR: scripts }) }, signal },
      );
    },
  };
}

/** The mirror that apt's own sources name for this release. */
async function mirrorOf(
  indexTargets: (format: string) => Promise<string[]>,
  codename: string,
): Promise<string> {
  const lines = await indexTargets("$(CREATED_BY) $(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)");
  const found = lines
    .map((line) => line.split(" "))
    .find(
      ([by, origin, name, component]) =>
        by === "Packages" && origin === "Debian" && name === codename && component === "main",
    );
  const mirror = found?.[4];
  if (mirror === undefined) throw new Sentence(`apt's sources name no mirror of Debian ${codename}.`);
  return mirror;
}

async function madeFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  return path;
}
