import { readRecorded } from "./bench/recorded.ts";
import { ROOT, type Step } from "./checks.ts";
import { type ChildResult, runChild } from "./run-child.mjs";

/**
 * The short form of each bench that is recorded: each judges itself, and fails where its figure is far worse than what is recorded. Two at a
 * time, since all are ratios of what was measured in turns; one that fails is looked at once more by itself before that is believed.
 */
export const shortBenches: Step = {
  name: "benches, short",
  async run() {
    const names = Object.keys(await readRecorded());
    const doubtful: string[] = [];
    const some = async (): Promise<void> => {
      for (let name = names.shift(); name !== undefined; name = names.shift()) {
        const { code, output } = await shortForm(name);
        if (code === 0) process.stdout.write(`${lastLine(output)}\n`);
        else doubtful.push(name);
      }
    };
    await Promise.all([some(), some()]);
    for (const name of doubtful) {
      const again = await shortForm(name);
      if (again.code !== 0) return again;
      process.stdout.write(`${lastLine(again.output)} (by itself)\n`);
    }
    return { code: 0, signal: null, output: "" };
  },
};

const lastLine = (output: string): string => output.trimEnd().split("\n").at(-1) ?? "";

const shortForm = (name: string): Promise<ChildResult> =>
  runChild(process.execPath, [`${ROOT}scripts/bench-${name}.ts`, "--short"], { cwd: ROOT, capture: true });
