import { expect, test } from "vitest";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { world } from "../kit/world.ts";
import { Fleet, QUICK, syncedLibraries, toldOf } from "./fleet.ts";

// The whole count is for `npm run verify:faults`.
const OTHERS = Number(process.env.TEST_OTHER_JOBS ?? 25);

test(`F37 a job that aborts its process is parked after three starts, and ${OTHERS} other jobs are done`, {
  timeout: 60_000 + 200 * OTHERS,
}, async () => {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  const [first, second, poison, ...rest] = await syncedLibraries(here, OTHERS + 1);
  const others = [first!, second!, ...rest];
  const fleet = new Fleet(here);
  const finished = Promise.all([
    fleet.written("worker_crashed"),
    ...others.map(({ id }) => fleet.next((it) => it.says === "end" && it.id === id, 0)),
  ]);
  const deaths = await fleet.supervise({ timing: QUICK, abort: poison!.id }, finished, 6);

  expect([fleet.count("run", poison!.id), deaths], "starts of the poison job, and deaths").toEqual([3, 3]);
  const ask = (method: string, path: string) => here.client.call(method, `/v1/syncs/${poison!.id}${path}`);
  expect((await ask("GET", "")).body).toMatchObject({
    state: "parked",
    waits_for: { code: "worker_crashed", remedy: "operator" },
  });
  for (const { id } of others) {
    expect(
      (await here.broker.syncs.find({ client: here.client.id, address: "127.0.0.1" } as never, id)).state,
    ).toBe("active");
    expect(await toldOf(here, id)).toHaveLength(1);
  }
  console.log(`figure: parked after 3 deaths, ${others.length} of ${OTHERS} other jobs done`);

  // Mended, and resumed by its client: it goes on where it was.
  const mended = new Fleet(here);
  await mended.start({ timing: QUICK });
  expect((await ask("POST", "/resume")).status).toBe(200);
  await mended.next((it) => it.says === "end" && it.id === poison!.id, 0);
  expect(await toldOf(here, poison!.id)).toHaveLength(1);
});
