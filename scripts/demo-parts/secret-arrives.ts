import { existsSync, readFileSync, watch } from "node:fs";
import { dirname } from "node:path";

/** Is there something in the file? One that is being written is empty at first. */
export function isThere(file: string): boolean {
  try {
    return readFileSync(file, "utf8").trim() !== "";
  } catch {
    return false;
  }
}

/** Some file systems (network, containers) tell nobody that something changed. */
const LOOK_AGAIN_MS = 2_000;

/** Resolves once the file holds something. */
export async function arrival(file: string): Promise<void> {
  while (!isThere(file)) await changeIn(nearestFolder(file));
}

function changeIn(folder: string): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, LOOK_AGAIN_MS);
    const watcher = watch(folder, done);
    watcher.on("error", () => {});
    function done() {
      clearTimeout(timer);
      watcher.close();
      resolve();
    }
  });
}

function nearestFolder(file: string): string {
  let folder = dirname(file);
  while (!existsSync(folder)) folder = dirname(folder);
  return folder;
}
