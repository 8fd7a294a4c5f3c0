/**
 * `npm run verify:image`: the Dockerfile is really built, twice, and the image really run, without an engine.
 *
 * Needs: Debian, root, util-linux (unshare, nsenter, setpriv), the mirrors of apt and the registry of npm as both are
 * configured here, 2.5 GiB of disk under `.data`, two minutes.
 * Does: fetches buildah and debootstrap by apt into a folder (nothing is installed), makes a base under the name that
 * the Dockerfile's FROM gives (Debian by debootstrap, this project's Node, this machine's npm), builds with chroot isolation and the vfs
 * driver, looks at every file of the image, and runs it: its own user, root read-only, against a Redis started for it, on
 * free ports of loopback. Everything it made and started is gone afterwards; nothing of the system is changed.
 *
 * Last line: `image: N MiB, N packages, ready in N ms, ended in N ms`.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "./checks.ts";
import { build, inspect, makeBase, unfold } from "./image/build.ts";
import { lookInto } from "./image/contents.ts";
import { Sentence } from "./image/run-step.ts";
import { bringTools } from "./image/tools.ts";
import { walkImage } from "./image/walk.ts";
import { holdingLock } from "./lock.mjs";
import { startRedis } from "./redis/index.ts";

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(signal, () => interrupted.abort());

/** Between two steps whoever interrupts is heard; during one its program is ended. */
const tell = (line: string) => {
  interrupted.signal.throwIfAborted();
  process.stdout.write(`${line}\n`);
};

async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const done = await work();
  tell(`${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
  return done;
}

async function verify(folder: string): Promise<void> {
  const tools = await step("fetched: buildah and debootstrap, by apt, into a folder of this run", () =>
    bringTools(folder, interrupted.signal),
  );
  await step("base: Debian by debootstrap, with this project's Node", () => makeBase(tools, folder));

  const epoch = await commitTime();
  const first = await step("built: the Dockerfile", () => build(tools, folder, "broker:first", epoch));
  const second = await step("built: the same once more, from nothing", () =>
    build(tools, folder, "broker:second", epoch),
  );
  if (first.join() !== second.join())
    throw new Sentence(`Two builds differ:\n${first.join("\n")}\n${second.join("\n")}`);
  tell(`layers: the same twice, ${first.join(" ")}`);

  const image = await inspect(tools, "broker:first");
  const root = await unfold(tools, folder, "broker:first");
  const contents = await lookInto(root);
  const mebibytes = Math.round(contents.bytes / 2 ** 20);
  tell(`contents: ${contents.files} files, ${mebibytes} MiB; programs: ${contents.programs.join(" ")}`);
  tell(`  Debian's packages: ${contents.debianPackages.join(" ")}`);
  tell(`  npm's packages: ${contents.npmPackages.length}`);
  tell(
    `  setuid and setgid: ${listed(contents.setuid)}; compilers, shells, package managers, npm: ${listed(contents.unwanted)}`,
  );
  tell(`  without their notice: ${listed(contents.unnoticed)}`);
  tell(`  not root's, or open to others: ${listed(contents.writable)}`);
  if (contents.setuid.length > 0 || contents.unwanted.length > 0)
    throw new Sentence("The image holds what it must not hold.");
  if (contents.unnoticed.length > 0)
    throw new Sentence(
      "The image distributes something without its notice. `npm run papers` writes those of npm's packages.",
    );
  if (contents.writable.join(" ") !== "/tmp /var/lib/token-broker")
    throw new Sentence("The image's process could change more than its two folders.");

  const redis = await startRedis({ configFile: join(ROOT, "config/redis.conf") });
  try {
    const walk = await walkImage(root, image, folder, { url: redis.url }, tell);
    const packages = contents.debianPackages.length + contents.npmPackages.length;
    tell(
      `image: ${mebibytes} MiB, ${packages} packages, ready in ${walk.readyMs} ms, ended in ${walk.endedMs} ms`,
    );
  } finally {
    await redis.stop();
  }
}

const listed = (found: readonly string[]) => (found.length === 0 ? "none" : found.join(" "));

/** Of what is built: the time of the last commit; of an unpacked archive, the epoch. */
async function commitTime(): Promise<number> {
  const log = promisify(execFile)("git", ["log", "-1", "--format=%ct"], { cwd: ROOT });
  return log.then(({ stdout }) => Number(stdout)).catch(() => 0);
}

const data = join(ROOT, ".data");
await mkdir(data, { recursive: true });
try {
  await holdingLock(join(data, "image.lock"), async () => {
    // Of a run that was killed before it could tidy up.
    for (const left of (await readdir(data)).filter((name) => name.startsWith("image-")))
      await rm(join(data, left), { recursive: true, force: true });
    const folder = await mkdtemp(join(data, "image-"));
    try {
      await verify(folder);
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  });
} catch (error) {
  if (interrupted.signal.aborted) process.exitCode = 130;
  else if (error instanceof Sentence) {
    process.stdout.write(`${error.message}\n`);
    process.exitCode = 1;
  } else throw error;
}
