import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { endWithThisProcess } from "../watchdog.mjs";
import type { ImageConfig } from "./build.ts";
import { ended, type Ran } from "./run-step.ts";

/**
 * What an engine does for a container of this image: name spaces of its own for mounts and process ids, the root
 * read-only, `/proc`, four devices, a `/tmp` in memory, the volumes, the image's environment, user and folder, and no way
 * to more rights. The network is the machine's: Redis listens on loopback.
 *
 * $1 root, $2 working folder, $3 user id, $4 group id, then the volumes (FROM TO ro|rw), `--`, and the command.
 */
const START = `
set -e
root=$1; folder=$2; uid=$3; gid=$4; shift 4
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o nosuid,nodev,noexec,mode=1777,size=64m tmpfs "$root/tmp"
mount -t tmpfs -o nosuid,noexec,mode=755,size=64k tmpfs "$root/dev"
for device in null zero random urandom; do : > "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
mount -t tmpfs -o nosuid,nodev,noexec,mode=755,size=64k tmpfs "$root/run"
while [ "$1" != -- ]; do
  mkdir -p "$root$2"
  mount --bind "$1" "$root$2"
  mount -o "remount,bind,$3,nosuid,nodev,noexec" "$root$2"
  shift 3
done
shift
mount -o remount,ro "$root/run"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs unshare --root="$root" --wd="$folder" --setgid="$gid" --setuid="$uid" "$@"
`;

/** A grace that a hanging process does not get to use up: the test of ten seconds is made elsewhere. */
const WATCHDOG_SECONDS = 15;

export type Volume = { from: string; to: string; writable: boolean };

export type Container = {
  /** The process of the image itself, as the machine sees it. */
  pid: number;
  ended: Promise<Ran>;
  /** Whatever became of it: gone afterwards, with all that it started. */
  kill(): Promise<void>;
  /** Another command in the same container, as `docker exec` and health checks do it. */
  exec(command: readonly string[]): Promise<Ran>;
};

/** Starts a command of the image and answers when its process is there. */
export async function startContainer(
  root: string,
  image: ImageConfig,
  options: { command?: readonly string[]; env: Record<string, string>; volumes: readonly Volume[] },
): Promise<Container> {
  const [uid = "", gid = ""] = image.user.split(":");
  const volumes = options.volumes.flatMap(({ from, to, writable }) => [from, to, writable ? "rw" : "ro"]);
  const command = options.command ?? image.command;
  const env = { ...image.env, ...options.env };
  const child = spawn(
    "/usr/bin/unshare",
    [
      ...["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"],
      ...[
        "/bin/sh",
        "-c",
        START,
        "container",
        root,
        image.workingDir,
        uid,
        gid,
        ...volumes,
        "--",
        ...command,
      ],
    ],
    // The image's PATH finds the image's programs; those that set it up are found by the machine's defaults.
    { env: { ...env, PATH: `${env.PATH}:/usr/sbin:/usr/bin:/sbin:/bin` }, stdio: ["ignore", "pipe", "pipe"] },
  );
  const end = ended(child);
  const pid = await Promise.race([firstChildOf(child.pid!), end.then(() => 0)]);
  // Not unshare: whoever becomes another user no longer hears that his parent has died. With the first process of its
  // name space every other of it ends.
  if (pid !== 0)
    endWithThisProcess(Object.create(child, { pid: { value: pid } }), { graceSeconds: WATCHDOG_SECONDS });
  return {
    pid,
    ended: end,
    async kill() {
      if (pid === 0 || child.exitCode !== null || child.signalCode !== null) return;
      process.kill(pid, "SIGKILL");
      await end;
    },
    exec(inside) {
      const entered = spawn(
        "/usr/bin/nsenter",
        [
          ...[
            "--target",
            String(pid),
            "--mount",
            "--pid",
            `--root=/proc/${pid}/root`,
            `--wd=/proc/${pid}/cwd`,
          ],
          ...[`--setgid=${gid}`, `--setuid=${uid}`, ...inside],
        ],
        { env, stdio: ["ignore", "pipe", "pipe"] },
      );
      return ended(entered);
    },
  };
}

/** unshare forks; the child is the container's first process, through every exec. */
async function firstChildOf(parent: number): Promise<number> {
  for (;;) {
    const children = await readFile(`/proc/${parent}/task/${parent}/children`, "utf8").catch(() => "");
    const [first] = children.trim().split(" ");
    if (first !== undefined && first !== "") return Number(first);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What the kernel says of a process. */
export async function standingOf(
  pid: number,
): Promise<{ uid: number; capabilities: bigint; noNewPrivileges: boolean }> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1] ?? "";
  return {
    uid: Number(field("Uid")),
    capabilities: BigInt(`0x${field("CapEff")}`) | BigInt(`0x${field("CapPrm")}`),
    noNewPrivileges: field("NoNewPrivs") === "1",
  };
}
