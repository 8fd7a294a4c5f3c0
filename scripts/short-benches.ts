import { readRecorded } from "./bench/recorded.ts";
import { ROOT, type Step } from "./checks.ts";
import { type ChildResult, runChild } from "./run-child.mjs";

/**
 * The short form of each bench that is recorded, one after the other and with nothing beside it: each judges itself, and fails where its
 * figure is far worse than what is recorded. A second look before that is believed: what else a machine does is not a bench's fault.
 */
export const shortBenches: Step = {
  name: "benches, short",
  async run() {
    let last: ChildResult = { code: 0, signal: null, output: "" };
    for (const name of Object.keys(await readRecorded())) {
      last = await shortForm(name);
      if (last.code !== 0 && last.signal === null) last = await shortForm(name);
      if (last.code !== 0) break;
      process.stdout.write(`${last.output.trimEnd().split("\n").at(-1)}\n`);
    }
    return last;
  },
};

const shortForm = (name: string): Promise<ChildResult> =>
  runChild(process.execPath, [`${ROOT}scripts/bench-${name}.ts`, "--short"], { cwd: ROOT, capture: true });
