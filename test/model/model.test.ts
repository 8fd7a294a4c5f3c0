import { afterAll, describe, expect, it } from "vitest";
import { accepts } from "./authorization-server.ts";
import { CONFIGURATIONS } from "./configurations.ts";
import { explore } from "./explore.ts";
import { explainLoss, INVARIANTS, modelOf } from "./invariants.ts";
import { isLost, PRODUCT, reachableTokens } from "./world.ts";

const STATES_MIN = 100_000;

describe("in every state that two processes can reach with one grant", () => {
  const lines: string[] = [];
  const losses = new Map<string, number>();
  let states = 0;
  let transitions = 0;
  let violations = 0;
  let elapsedMs = 0;

  afterAll(() => {
    for (const line of lines) console.log(line);
    for (const [why, n] of losses) console.log(`  explained: ${why}: ${n} steps into a lost grant`);
    console.log(
      `states in the model: ${states} (${transitions} steps, ${Math.round(elapsedMs)} ms), violations: ${violations}`,
    );
  });

  it.each(CONFIGURATIONS)("$name: all invariants hold", (configuration) => {
    const { mode } = configuration;
    let lost = 0;
    let spareOnly = 0;
    const startedAt = performance.now();
    const found = explore(modelOf(configuration, PRODUCT), "never", {
      state(world) {
        if (isLost(world, configuration)) lost++;
        else if (
          world.store.grant !== undefined &&
          world.signIns.length === 0 &&
          !reachableTokens(world, "without spares").some((token) => accepts(world.families, mode, token))
        )
          spareOnly++;
      },
      step(from, step) {
        if (isLost(from, configuration) || !isLost(step.to, configuration)) return;
        const why = explainLoss(from, step, configuration) ?? "not at all";
        losses.set(why, (losses.get(why) ?? 0) + 1);
      },
    });
    const ms = performance.now() - startedAt;
    elapsedMs += ms;
    states += found.states;
    transitions += found.transitions;
    violations += found.violations.length;
    lines.push(
      `  ${configuration.name.padEnd(24)} ${String(found.states).padStart(7)} states, ${String(found.transitions).padStart(7)} steps, ${String(found.depth).padStart(2)} deep, ${String(Math.round(ms)).padStart(5)} ms; lost (explained) ${lost}, saved only by a spare ${spareOnly}`,
    );
    expect(found.violations.map(({ invariant, trace }) => `${invariant}\n${trace}`)).toEqual([]);
    if (mode === "same" || mode === "none" || (mode === "leeway" && !configuration.leewayEnds))
      expect(lost).toBe(0);
  });

  it("there are enough of them to mean something", () => {
    expect(states).toBeGreaterThanOrEqual(STATES_MIN);
    expect(losses.has("not at all")).toBe(false);
  });

  it("every invariant says in one sentence what it means", () => {
    for (const [name, rule] of Object.entries(INVARIANTS)) {
      const made = rule(CONFIGURATIONS[0]!);
      expect(made.name).toBe(name);
      expect(made.sentence).toMatch(/^[A-Z].*\.$/);
    }
  });
});
