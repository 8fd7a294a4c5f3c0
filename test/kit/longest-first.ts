import { existsSync } from "node:fs";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The longest by far, longest first: whatever begins last keeps one core waiting for the other. */
export const LONGEST = [
  "test/scripts/demo.test.ts",
  "test/scripts/demo-of-a-server.test.ts",
  "test/pages/browser.test.ts",
  "test/walks/libraries.test.ts",
  "test/faults/held-up.test.ts",
  "test/walks/walks.test.ts",
  "test/faults/redis-away.test.ts",
  "test/race/random-kills.test.ts",
  "test/faults/holder-dies.test.ts",
  "test/workers/killed-workers.test.ts",
  "test/model/model.test.ts",
  "test/race/stopped-holder.test.ts",
];

/**
 * Vitest begins with the files that took longest, if they ran here before. Where they did not, in CI, it goes by their
 * length in bytes, which says little of those that wait or start processes.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const gone = LONGEST.filter((path) => !existsSync(`${this.ctx.config.root}/${path}`));
    if (gone.length > 0)
      throw new Error(`test/kit/longest-first.ts names what is not there: ${gone.join(", ")}`);
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((path) => moduleId.endsWith(`/${path}`));
      return at === -1 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
