// A lock that is a folder. Plain JavaScript without dependencies: the bootstrap needs it before anything is
// installed, under whatever Node the machine has.
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** How often the owner says "still here". */
const HEARTBEAT_MS = 5_000;
/** Without a heartbeat for this long an owner is gone, even if another process carries its pid by now. */
const SILENCE_MAX_MS = 60_000;
const POLL_MS = 50;

/**
 * Does `work` while holding the folder `path` as a lock. The folder appears with its owner's pid already in it
 * (it is renamed into place), so no moment exists in which it belongs to nobody. A lock whose owner has died is
 * taken over; `onWait` is told once whom we wait for.
 *
 * @template T
 * @param {string} path
 * @param {() => T | Promise<T>} work
 * @param {{ onWait?: (owner: { pid: number }) => void }} [options]
 * @returns {Promise<T>}
 */
export async function holdingLock(path, work, options = {}) {
  mkdirSync(dirname(path), { recursive: true });
  const me = { pid: process.pid, host: hostname(), nonce: Math.random().toString(36).slice(2) };

  let told = false;
  while (!claim(path, me) && !takeOver(path, me)) {
    if (!told) {
      told = true;
      options.onWait?.({ pid: readOwner(path)?.pid ?? 0 });
    }
    await pause(POLL_MS);
  }

  const heartbeat = setInterval(() => beat(path, me), HEARTBEAT_MS);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if (isMine(path, me)) rmSync(path, { recursive: true, force: true });
  }
}

function claim(path, me) {
  const prepared = mkdtempSync(join(dirname(path), `.${basename(path)}-`));
  try {
    writeFileSync(join(prepared, "owner.json"), JSON.stringify(me));
    renameSync(prepared, path);
    return true;
  } catch (error) {
    rmSync(prepared, { recursive: true, force: true });
    if (["EEXIST", "ENOTEMPTY", "EPERM"].includes(error.code)) return false;
    throw error;
  }
}

/**
 * Takes over in place, and only under a marker inside the very folder that was found stale: of two who saw the
 * same dead owner one gets the marker, and the other, arriving later, finds a living owner when he looks again.
 */
function takeOver(path, me) {
  if (!isStale(path)) return false;
  const marker = join(path, "takeover");
  try {
    mkdirSync(marker);
  } catch (error) {
    if (error.code === "EEXIST" && ageMs(marker) > SILENCE_MAX_MS) rmdirQuietly(marker);
    return false;
  }
  try {
    if (!isStale(path)) return false;
    const next = join(path, `owner-${me.nonce}.json`);
    writeFileSync(next, JSON.stringify(me));
    renameSync(next, join(path, "owner.json"));
    return true;
  } catch {
    return false;
  } finally {
    rmdirQuietly(marker);
  }
}

function isStale(path) {
  const owner = readOwner(path);
  if (owner === undefined) return false;
  if (owner.host === hostname() && !isAlive(owner.pid)) return true;
  return ageMs(join(path, "owner.json")) > SILENCE_MAX_MS;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function isMine(path, me) {
  return readOwner(path)?.nonce === me.nonce;
}

function beat(path, me) {
  if (!isMine(path, me)) return;
  const now = new Date();
  try {
    utimesSync(join(path, "owner.json"), now, now);
  } catch {
    // The folder was removed by hand. The work goes on; there is nobody left to tell.
  }
}

function readOwner(path) {
  try {
    return JSON.parse(readFileSync(join(path, "owner.json"), "utf8"));
  } catch {
    return undefined;
  }
}

function ageMs(path) {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

function rmdirQuietly(path) {
  try {
    rmdirSync(path);
  } catch {
    // Someone was quicker.
  }
}
