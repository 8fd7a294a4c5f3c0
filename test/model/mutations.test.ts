import { afterAll, describe, expect, it } from "vitest";
import { configurationNamed } from "./configurations.ts";
import { explore } from "./explore.ts";
import { modelOf } from "./invariants.ts";
import { MUTATIONS } from "./mutations.ts";

describe("the model sees a guard that is missing", () => {
  let caught = 0;
  afterAll(() => console.log(`mutations caught: ${caught}/${MUTATIONS.length}`));

  it.each(MUTATIONS)("$guard ($breaks)", ({ breaks, configuration, rules, guard }) => {
    const { violations } = explore(modelOf(configurationNamed(configuration), rules), breaks);
    const violation = violations.find(({ invariant }) => invariant === breaks);
    expect(violation, `${guard}: without it nothing breaks ${breaks}`).toBeDefined();
    expect(violation!.trace).toContain("⇒");
    caught++;
    if (process.env.MODEL_TRACES) console.log(`without "${guard}":\n${violation!.trace}`);
  });
});
