import { expect, it } from "vitest";
import { brokerProcess, WITH_FAIL_POINTS } from "../kit/broker-process.ts";
import { expireSoon } from "../kit/expire.ts";
import { AMELIA, world } from "../kit/world.ts";

const REFRESHES = Number(process.env.TEST_WINDOW ?? 100);
/** A machine that runs other tests says nothing about it: the figure is asked for on its own. */
const ON_ITS_OWN = process.env.TEST_WINDOW !== undefined;

it(`between iManage's answer and its commit, ${REFRESHES} refreshes: milliseconds, by the clock of the process itself (F16)`, {
  timeout: 30_000 + REFRESHES * 200,
}, async () => {
  const here = await world({ serverSettings: { rotation: "strict" } });
  here.simulator.setSwitches({ refresh_mode: "strict" });
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;
  const broker = await brokerProcess(here, "http", WITH_FAIL_POINTS);
  const client = here.clientOf(broker.base);

  const clocked = await broker.failPoints.measure(async () => {
    for (let refresh = 0; refresh < REFRESHES; refresh++) {
      await expireSoon(here, grant);
      expect((await client.accessToken(ask)).status).toBe(200);
    }
  });
  const at = (wanted: string) => clocked.filter(([point]) => point === wanted).map(([, , ms]) => ms);
  const [answered, committed] = [at("answer-received"), at("after-commit")];
  expect([answered.length, committed.length]).toEqual([REFRESHES, REFRESHES]);
  const windows = committed.map((ms, i) => ms - answered[i]!).sort((a, b) => a - b);
  const percentile = (p: number) => windows[Math.ceil(windows.length * p) - 1]!;
  console.log(
    `figure: answered to committed, ${REFRESHES} refreshes: p50 ${percentile(0.5).toFixed(2)} ms, ` +
      `p99 ${percentile(0.99).toFixed(2)} ms, max ${windows.at(-1)!.toFixed(2)} ms`,
  );
  if (ON_ITS_OWN) expect(percentile(0.99)).toBeLessThanOrEqual(5);
});
