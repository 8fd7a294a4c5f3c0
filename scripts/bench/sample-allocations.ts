import { writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import { join } from "node:path";

/**
 * For `--import`: samples what a process allocates, what was collected again included (`--heap-prof` tells of what is left), and writes it
 * into `ALLOCATIONS_DIR` as the process ends.
 */
const folder = process.env.ALLOCATIONS_DIR;
if (folder !== undefined) {
  const session = new Session();
  session.connect();
  session.post("HeapProfiler.startSampling", {
    samplingInterval: 32 * 1024,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  process.once("exit", () => {
    // Answered in the same call: the session is one of this very thread.
    session.post("HeapProfiler.stopSampling", (error, answer) => {
      if (error === null)
        writeFileSync(join(folder, `allocations.${process.pid}.heapprofile`), JSON.stringify(answer.profile));
    });
  });
}
