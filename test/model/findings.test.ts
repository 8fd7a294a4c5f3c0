import { beforeAll, describe, expect, it } from "vitest";
import { sharedRedisUrl } from "../kit/redis.ts";
import { configurationNamed } from "./configurations.ts";
import { explore } from "./explore.ts";
import { modelOf } from "./invariants.ts";
import { openRealStore, type RealStore } from "./real-grant.ts";
import { REPAIRS, repaired } from "./repairs.ts";
import { asWritten } from "./scripts.ts";
import { firstConsent, firstWorld, PRODUCT } from "./world.ts";

const CASES = REPAIRS.flatMap((repair) =>
  repair.shows.map(({ invariant, configuration }) => ({
    ...repair,
    invariant,
    configuration: configurationNamed(configuration),
    title: `${repair.script} breaks ${invariant} on "${configuration}"`,
  })),
);

describe("what the scripts as they are written let happen", () => {
  let real: RealStore;
  beforeAll(async () => {
    real = await openRealStore(sharedRedisUrl());
    return () => real.close();
  });

  it.each(CASES)("$title until $name", async ({ invariant, configuration, name, lua, script }) => {
    const { violations } = explore(modelOf(configuration, PRODUCT), invariant);
    const violation = violations.find((found) => found.invariant === invariant);
    expect(
      violation,
      `${script} does not let it happen any more: take "${name}" out of repairs.ts`,
    ).toBeDefined();
    console.log(`${script} (${invariant}):\n${violation!.trace}\nproposed:\n${lua}`);

    // The same on a real Redis, with the real script: no step of the model is a fiction.
    const world = firstWorld(configuration);
    const grant = await real.newGrant(world.now, firstConsent(world.now));
    for (const { step } of violation!.path) expect(await grant.follow(step), step.says).toEqual([]);
  });

  it.each(CASES)("$title also when all other repairs are made", ({ invariant, configuration, name }) => {
    const without = REPAIRS.filter((repair) => repair.name === name);
    const rules = { ...PRODUCT, scripts: repaired(asWritten, without) };
    const { violations } = explore(modelOf(configuration, rules), invariant);
    expect(violations.map((found) => found.invariant)).toContain(invariant);
  });
});
