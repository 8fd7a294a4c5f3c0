import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sharedRedisUrl } from "../kit/redis.ts";
import { Seeded } from "../kit/seeded.ts";
import { configurationNamed } from "./configurations.ts";
import { explore, type Invariant } from "./explore.ts";
import { modelOf } from "./invariants.ts";
import { openRealStore, type RealStore } from "./real-grant.ts";
import {
  type Configuration,
  clockRuns,
  firstConsent,
  firstWorld,
  isOnTheEdge,
  PRODUCT,
  stepsOf,
  type World,
  type WorldStep,
} from "./world.ts";

const TRACES_PER_SERVER = 40;
const STEPS_PER_TRACE = 45;

/** Everything at once, and more of it than can be explored: here it is about the scripts, not about what follows. */
const wild = (change: Pick<Configuration, "name" | "mode" | "profile">): Configuration => ({
  attempts: 30,
  faults: 10,
  rejections: 3,
  deletes: true,
  salvages: true,
  keepsAlive: true,
  refusesAtTimes: true,
  consent: { earlier: "keeps", signIns: 2 },
  ...change,
});
/** Two processes that overtake each other all the time and always arrive: more spares than are kept, late refusals. */
const busy = (change: Pick<Configuration, "name" | "mode" | "profile">): Configuration => ({
  attempts: 200,
  faults: 0,
  rejections: 200,
  refusesAtTimes: true,
  ...change,
});
const SERVERS = [
  { ...busy({ name: "leeway, busy", mode: "leeway", profile: "leeway" }), refusesAtTimes: false },
  {
    ...busy({ name: "leeway, sign-ins", mode: "leeway", profile: "leeway" }),
    consent: { earlier: "keeps", signIns: 15 },
  } satisfies Configuration,
  busy({ name: "none, busy", mode: "none", profile: "static" }),
  wild({ name: "same", mode: "same", profile: "static" }),
  wild({ name: "none", mode: "none", profile: "unknown" }),
  wild({ name: "rotate", mode: "rotate", profile: "rotating" }),
  wild({ name: "leeway", mode: "leeway", profile: "leeway" }),
  { ...wild({ name: "strict", mode: "strict", profile: "strict" }), extendsLife: true },
];

/** Every answer a script can give, and where it is given. */
const ANSWERS = [
  ["refresh-begin", "begun", "strict"],
  ["refresh-begin", "fresh", "strict"],
  ["refresh-begin", "held", "strict"],
  ["refresh-begin", "cooling", "strict"],
  ["refresh-begin", "state", "rotate, four attempts"],
  ["refresh-begin", "gone", "strict, deleted"],
  ["refresh-mark-sent", "1", "strict"],
  ["refresh-mark-sent", "0", "strict"],
  ["refresh-renew", "1", "strict"],
  ["refresh-commit", "committed", "strict"],
  ["refresh-commit", "spare", "leeway"],
  ["refresh-commit", "orphaned", "strict, deleted"],
  ["refresh-fail", "1", "strict"],
  ["refresh-fail", "0", "strict"],
  ["refresh-release", "1", "strict"],
  ["refresh-release", "0", "strict"],
  ["put-consent", "stored", "strict, consent ends"],
  ["delete-grant", "1", "strict, deleted"],
] as const;

describe("the model's scripts and the real ones on a real Redis", () => {
  const chance = new Seeded();
  let real: RealStore;
  let traces = 0;
  let compared = 0;

  beforeAll(async () => {
    real = await openRealStore(sharedRedisUrl());
    return () => real.close();
  });
  afterAll(() =>
    console.log(
      `conformance (TEST_SEED=${chance.seed}): ${traces} random traces, ${compared} steps compared, no difference`,
    ),
  );

  it.each(SERVERS)(
    "agree on answer and record after every step: $name",
    async (configuration) => {
      for (let n = 0; n < TRACES_PER_SERVER; n++) {
        let world = firstWorld(configuration);
        const grant = await real.newGrant(world.now, firstConsent(world.now));
        const trace: string[] = [];
        for (let s = 0; s < (configuration.faults === 0 ? 3 * STEPS_PER_TRACE : STEPS_PER_TRACE); s++) {
          const step = pickStep(world, configuration, chance);
          if (step === undefined) break;
          trace.push(step.says);
          const differences = await grant.follow(clocked(step));
          if (differences.length > 0)
            expect.fail(
              `after these steps (TEST_SEED=${chance.seed}) model and Redis differ:\n${trace.join("\n")}\n⇒ ${differences.join("\n  ")}`,
            );
          if (step.command !== undefined) compared++;
          world = step.to;
        }
        traces++;
      }
    },
    60_000,
  );

  it("at least three hundred traces were compared", () => {
    expect(traces).toBeGreaterThanOrEqual(300);
  });

  it("agree when answers overtake each other again and again, and on new consent after that", async () => {
    const overtaken = [
      "A begins (rejected)",
      "A asks",
      "A sends",
      "17 s",
      "B begins (rejected)",
      "B asks",
      "B sends",
    ];
    const late = ["the server takes", "the server takes", "A receives", "B receives", "B stores", "A stores"];
    const round = [...overtaken, ...late];
    const story = [...round, ...round, ...round, ...round, "a person", "the consent"];
    const configuration: Configuration = {
      ...busy({ name: "leeway", mode: "leeway", profile: "leeway" }),
      refusesAtTimes: false,
      consent: { earlier: "keeps", signIns: 1 },
    };
    let world = firstWorld(configuration);
    const grant = await real.newGrant(world.now, firstConsent(world.now));
    for (const says of story) {
      const steps = stepsOf(world, configuration, PRODUCT, clockRuns);
      const step = steps.find((candidate) => candidate.says.startsWith(says));
      expect(step, `${says} cannot happen`).toBeDefined();
      expect(await grant.follow(clocked(step!)), step!.says).toEqual([]);
      world = step!.to;
    }
    // A server with a leeway gives both the same token: neither is a spare of the other.
    expect(world.store.grant?.spares).toBeUndefined();
  });

  it.each(ANSWERS)("agree on the shortest way to %s: %s (%s)", async (script, answer, name) => {
    const configuration = configurationNamed(name);
    const gives: Invariant<World, WorldStep> = {
      name: "gives",
      sentence: "Nobody gives this answer.",
      check: (_from, { command }) =>
        command?.script === script && kindOf(command.answer) === answer ? "given" : undefined,
    };
    const model = { ...modelOf(configuration, PRODUCT), invariants: [gives] };
    const [found] = explore(model, "gives").violations;
    expect(found, `no process ever gets ${answer} from ${script}`).toBeDefined();
    const { now } = firstWorld(configuration);
    const grant = await real.newGrant(now, firstConsent(now));
    for (const { step } of found!.path)
      expect(await grant.follow(step), `${step.says}, of\n${found!.trace}`).toEqual([]);
  });
});

/** First a kind of step, then one of them: or nearly every step would be a process that asks in vain. */
function pickStep(world: World, configuration: Configuration, chance: Seeded): WorldStep | undefined {
  const steps = stepsOf(world, configuration, PRODUCT, clockRuns);
  const edge = isOnTheEdge(world);
  const kinds = [...new Set(steps.map(({ kind }) => kind))].filter(
    (kind) =>
      (kind !== "delete" || chance.below(8) === 0) && !(edge && (kind === "begin" || kind === "commit")),
  );
  if (kinds.length === 0) return undefined;
  const kind = chance.pick(kinds);
  return chance.pick(steps.filter((step) => step.kind === kind));
}

/** With a clock that runs, an instant of the record never moves by itself. */
const clocked = (step: WorldStep): WorldStep =>
  step.command === undefined ? { ...step, kind: "leave" } : step;

const kindOf = (answer: unknown): string =>
  typeof answer === "object" && answer !== null ? (answer as { kind: string }).kind : String(answer);
