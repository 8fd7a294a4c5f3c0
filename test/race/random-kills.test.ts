import { expect, it } from "vitest";
import { killRounds } from "../kit/kill-rounds.ts";
import { Seeded } from "../kit/seeded.ts";
import { world } from "../kit/world.ts";

const KILLS = Number(process.env.TEST_KILLS ?? 4);
/** Of the kills, on each of the two kinds of server that bear one. */
const HALF = Math.ceil(KILLS / 2);
const PATIENCE = { timeout: 60_000 + KILLS * 3_000 };

it.each([
  { rotation: "leeway", refresh_mode: "leeway" },
  { rotation: "static", refresh_mode: "same" },
] as const)(
  `${HALF} kills -9 at random moments of a refresh cost no grant, $rotation (F16, F17, F24)`,
  PATIENCE,
  async ({ rotation, refresh_mode }) => {
    const here = await world({ serverSettings: { rotation } });
    here.simulator.setSwitches({ refresh_mode, leeway_seconds: 60 });
    const seeded = new Seeded();
    console.log(`seed ${seeded.seed}: ${HALF} kills, ${rotation}`);
    const { rounds, losses, findings, answered } = await killRounds(here, { kills: HALF, seeded });

    console.log(
      `figure: ${rotation}: ${rounds.length} kills -9, ${losses.length} grants lost, ${answered} requests answered meanwhile`,
    );
    expect(rounds).toHaveLength(HALF);
    expect(losses.map(({ sentence }) => sentence)).toEqual([]);
    expect(findings.broken).toEqual([]);
    expect(findings.with("healthy")).toHaveLength(findings.grants.length);
  },
);

it(
  `${KILLS} kills -9 on a strict server: a grant is lost only between answer and commit, and its journal says so (F16)`,
  PATIENCE,
  async () => {
    const here = await world({ serverSettings: { rotation: "strict" } });
    here.simulator.setSwitches({ refresh_mode: "strict" });
    const seeded = new Seeded();
    console.log(`seed ${seeded.seed}: ${KILLS} kills, strict`);
    const { rounds, losses, findings } = await killRounds(here, { kills: KILLS, seeded });

    const inTheWindow = rounds.filter(({ costs }) => costs === "always");
    console.log(
      `figure: strict: ${rounds.length} kills -9, ${inTheWindow.length} of them aimed between answer and commit, ` +
        `${losses.length} grants lost, ${losses.filter(({ explained }) => explained).length} of these explained`,
    );
    expect(losses.filter(({ verdict, explained }) => verdict !== "lost" || !explained)).toEqual([]);
    for (const { kill, finding } of inTheWindow) {
      expect(finding.verdict, `${kill.told}: ${finding.sentence}`).toBe("lost");
    }
    expect(findings.broken).toEqual([]);
    expect(findings.with("healthy")).toHaveLength(findings.grants.length);
  },
);
