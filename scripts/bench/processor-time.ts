import { readFile } from "node:fs/promises";

/** Linux counts in hundredths of a second (`sysconf(_SC_CLK_TCK)`, 100 wherever Node runs). */
const TICK_MS = 10;

/** Processor time of a process so far, of the kernel's work for it too, in ms. Undefined where there is no `/proc`. */
export async function processorMs(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // After the name, which stands in brackets and may hold blanks, the third field is the first one.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields && (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
