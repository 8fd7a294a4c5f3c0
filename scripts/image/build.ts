import { execFile } from "node:child_process";
import { chmod, copyFile, cp, mkdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { getCACertificates } from "node:tls";
import { promisify } from "node:util";
import { ROOT } from "../checks.ts";
import { Sentence } from "./run-step.ts";
import type { Tools } from "./tools.ts";

const run = promisify(execFile);

/** What a base named by the Dockerfile has beyond Debian's essential packages: what Node loads, and authorities. */
const NODE_NEEDS = ["libatomic1", "libstdc++6", "ca-certificates"];

/** The name after FROM, and what it promises. */
export async function baseOfDockerfile(): Promise<{ name: string; node: string; debian: string }> {
  const dockerfile = await readFile(join(ROOT, "Dockerfile"), "utf8");
  const [, name, node, debian] = /^ARG NODE_IMAGE=(node:([\d.]+)-(\w+)-slim)$/m.exec(dockerfile) ?? [];
  if (name === undefined || node === undefined || debian === undefined)
    throw new Sentence("The Dockerfile names no base of the form node:VERSION-DEBIAN-slim.");
  return { name, node, debian };
}

/**
 * A stand-in for the base image, under its name: Debian by debootstrap, the Node of this project and the npm of this
 * machine, where the official image has them.
 */
export async function makeBase(tools: Tools, folder: string): Promise<void> {
  const { name, node, debian } = await baseOfDockerfile();
  if (process.version !== `v${node}`)
    throw new Sentence(`The Dockerfile's base has Node ${node}; this runs under ${process.version}.`);
  const root = join(folder, "base");
  await tools.debootstrap(debian, NODE_NEEDS, root);
  await rm(join(root, "var/cache/apt/archives"), { recursive: true, force: true });

  const npm = dirname(dirname(await realpath((await run("sh", ["-c", "command -v npm"])).stdout.trim())));
  const local = join(root, "usr/local");
  await mkdir(join(local, "lib/node_modules"), { recursive: true });
  await copyFile(process.execPath, join(local, "bin/node"));
  await chmod(join(local, "bin/node"), 0o755);
  // The archive that the official image unpacks, and the package that development has, have it at their top.
  await copyFile(join(dirname(dirname(process.execPath)), "LICENSE"), join(local, "LICENSE"));
  await cp(npm, join(local, "lib/node_modules/npm"), { recursive: true, verbatimSymlinks: true });
  await symlink("../lib/node_modules/npm/bin/npm-cli.js", join(local, "bin/npm"));

  const container = (await tools.buildah("from", "scratch")).stdout.trim();
  await tools.buildah("add", "--quiet", container, root, "/");
  await tools.buildah("commit", "--quiet", "--rm", ...(await trusting(folder)), container, name);
  await rm(root, { recursive: true });
}

/** Nothing of an earlier build is used. Answers the digests of the layers. */
export async function build(tools: Tools, folder: string, name: string, epoch: number): Promise<string[]> {
  await tools.buildah(
    ...["build", "--format", "docker", "--pull-never", "--no-cache", "--quiet", "--tag", name],
    ...["--build-arg", `SOURCE_DATE_EPOCH=${epoch}`],
    ...["--secret", `id=npmrc,src=${await npmConfiguration(folder)}`],
    ...(await trusting(folder)),
    ROOT,
  );
  return (await inspect(tools, name)).layers;
}

export type ImageConfig = {
  user: string;
  env: Record<string, string>;
  command: string[];
  healthcheck: string[];
  workingDir: string;
  stopSignal: string;
  layers: string[];
};

export async function inspect(tools: Tools, name: string): Promise<ImageConfig> {
  const { Docker } = JSON.parse((await tools.buildah("inspect", "--type", "image", name)).stdout) as {
    Docker: {
      config: {
        User: string;
        Env: string[];
        Cmd: string[];
        WorkingDir: string;
        StopSignal: string;
        Healthcheck: { Test: string[] };
      };
      rootfs: { diff_ids: string[] };
    };
  };
  const { User, Env, Cmd, WorkingDir, StopSignal, Healthcheck } = Docker.config;
  return {
    user: User,
    env: Object.fromEntries(
      Env.map((entry) => [entry.split("=", 1)[0]!, entry.slice(entry.indexOf("=") + 1)]),
    ),
    command: Cmd,
    healthcheck: Healthcheck.Test.slice(1),
    workingDir: WorkingDir,
    stopSignal: StopSignal,
    layers: Docker.rootfs.diff_ids,
  };
}

/** The image as a folder. */
export async function unfold(tools: Tools, folder: string, name: string): Promise<string> {
  const container = (
    await tools.buildah("from", "--pull-never", ...(await trusting(folder)), name)
  ).stdout.trim();
  return (await tools.buildah("mount", container)).stdout.trim();
}

/** Images of our own making are not signed. */
async function trusting(folder: string): Promise<string[]> {
  const file = join(folder, "policy.json");
  await writeFile(file, JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] }));
  return ["--signature-policy", file];
}

/**
 * Registry, proxies and authorities as npm is configured here; as a secret of the build they are in no layer. A registry
 * that asks for a token is not served: tokens are left where they are.
 */
async function npmConfiguration(folder: string): Promise<string> {
  const { stdout } = await run("npm", ["config", "list", "--json"], { cwd: ROOT });
  const config = JSON.parse(stdout.slice(stdout.indexOf("{"))) as Record<string, unknown>;
  const lines: string[] = [];
  for (const key of ["registry", "proxy", "https-proxy", "noproxy"]) {
    const value = config[key];
    if (
      value !== null &&
      value !== undefined &&
      value !== "" &&
      !(Array.isArray(value) && value.join("") === "")
    )
      lines.push(`${key}=${Array.isArray(value) ? value.join(",") : String(value)}`);
  }
  // What this process trusts, where somebody added to it: npm runs by the same Node here.
  const trusted =
    typeof config.cafile === "string"
      ? ((await readFile(config.cafile, "utf8")).match(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----/g) ?? [])
      : process.env.NODE_EXTRA_CA_CERTS === undefined
        ? []
        : getCACertificates("default");
  for (const pem of trusted) lines.push(`ca[]="${pem.trim().replaceAll("\n", "\\n")}"`);
  const file = join(folder, "npmrc");
  await writeFile(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  return file;
}
