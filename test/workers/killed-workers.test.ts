import { expect, test } from "vitest";
import { hours } from "../../src/domain/instant.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { Seeded } from "../kit/seeded.ts";
import { type World, world } from "../kit/world.ts";
import type { WorkerOrders } from "./broker-worker.ts";
import { Fleet, QUICK, syncedLibraries, toldOf, type WorkerProcess } from "./fleet.ts";

// The whole counts are for `npm run verify:faults`.
const KILLS_OF_ONE_JOB = Number(process.env.TEST_KILLS_OF_ONE_JOB ?? 1);
const KILLS_WITHOUT_PROGRESS = Number(process.env.TEST_KILLS_WITHOUT_PROGRESS ?? 3);
const KILLS = Number(process.env.TEST_WORKER_KILLS ?? 2);

const ownWorld = async (): Promise<World> => world({ redisUrl: (await ownRedisForThisTest()).url });

test(`F38 a job whose worker is killed runs again within about 15 s and goes on where it stood, ${KILLS_OF_ONE_JOB} times in a row`, {
  timeout: 30_000 + 25_000 * KILLS_OF_ONE_JOB,
}, async () => {
  const here = await ownWorld();
  const documents = KILLS_OF_ONE_JOB + 2;
  const [sync] = await syncedLibraries(here, 1, documents);
  const fleet = new Fleet(here);
  // As in production, but for pages of one document; whoever has stored one stands still until he is killed.
  const orders: WorkerOrders = { pageSize: 1, hang: "page" };
  await Promise.all([fleet.start(orders), fleet.start(orders)]);
  let { by } = await fleet.next(({ says }) => says === "page", 0);
  const took: number[] = [];
  for (let kills = 0; kills < KILLS_OF_ONE_JOB; kills++) {
    const from = fleet.all.length;
    await by.kill();
    const killedAt = performance.now();
    const replaced = fleet.start(orders);
    took.push((await fleet.next(({ says }) => says === "run", from)).at - killedAt);
    ({ by } = await fleet.next(({ says }) => says === "page", from));
    await replaced;
  }
  const from = fleet.all.length;
  by.go();
  await fleet.next(({ says }) => says === "end", from);

  const told = (await toldOf(here, sync!.id)).map(({ object }) => object);
  expect(told.sort()).toEqual(documentsOf(sync!.library, documents));
  const longest = Math.max(...took);
  console.log(
    `figure: ${KILLS_OF_ONE_JOB} kills of one job, 0 lost; run again after ${(longest / 1_000).toFixed(1)} s at the most`,
  );
  // Fifteen, and what a busy machine takes to notice.
  expect(longest).toBeLessThan(20_000);
});

test(`F38 a job that is killed ${KILLS_WITHOUT_PROGRESS} times before it stores anything waits an hour after each third, and is done in the end`, {
  timeout: 30_000 + 15_000 * KILLS_WITHOUT_PROGRESS,
}, async () => {
  const here = await ownWorld();
  const [sync] = await syncedLibraries(here, 1);
  const fleet = new Fleet(here);
  let offsetMs = 0;
  let waited = 0;
  /** A worker that runs the job; where it is put aside, an hour later. */
  const runs = async (): Promise<WorkerProcess> => {
    for (;;) {
      const putAside = fleet.written("worker_crashed", waited + 1);
      const from = fleet.all.length;
      const worker = await fleet.start({ timing: QUICK, hang: "run", offsetMs });
      const ran = fleet.next(({ says }) => says === "run", from).then(() => true);
      if (await Promise.race([ran, putAside.then(() => false)])) return worker;
      await worker.kill();
      waited += 1;
      offsetMs += hours(1);
      here.advance(hours(1));
    }
  };
  for (let kills = 0; kills < KILLS_WITHOUT_PROGRESS; kills++) await (await runs()).kill();
  const from = fleet.all.length;
  (await runs()).go();
  await fleet.next(({ says }) => says === "end", from);

  expect(await toldOf(here, sync!.id)).toHaveLength(1);
  expect(
    await here.broker.syncs.find({ client: here.client.id, address: "127.0.0.1" } as never, sync!.id),
  ).toMatchObject({ state: "active" });
  expect(waited).toBe(KILLS_WITHOUT_PROGRESS - 2);
  console.log(`figure: ${KILLS_WITHOUT_PROGRESS} kills without progress, put aside ${waited} times, 0 lost`);
});

test(`F38 after ${KILLS} kills at moments drawn by lot every edit has been told, and told once`, {
  timeout: 30_000 + 15_000 * KILLS,
}, async () => {
  const lot = new Seeded();
  console.log(`seed ${lot.seed}: kills of workers`);
  const here = await ownWorld();
  const documents = 12;
  const [sync] = await syncedLibraries(here, 1, documents);
  const fleet = new Fleet(here);
  const orders: WorkerOrders = { timing: QUICK, pageSize: 2 };
  await Promise.all([fleet.start(orders), fleet.start(orders)]);
  await fleet.next(({ says }) => says === "end", 0);

  const names: string[] = [];
  const edit = async () => {
    const ids = documentsOf(sync!.library, documents);
    for (let i = 1 + lot.below(documents - 1); i > 0; i--) {
      const name = `edit ${names.length}`;
      here.simulator.editDocument(sync!.library, ids.splice(lot.below(ids.length), 1)[0]!, { name });
      names.push(name);
    }
    await here.broker.syncs.runNow({ client: here.client.id, address: "127.0.0.1" } as never, sync!.id);
  };
  /** All edits have been told: otherwise a later one of the same document would hide the earlier. */
  const told = async () => {
    const known = (await toldOf(here, sync!.id)).map(({ document }) => document?.name ?? "");
    return names.every((name) => known.includes(name));
  };
  for (let kills = 0; kills < KILLS; kills++) {
    let from = fleet.all.length;
    await edit();
    let { by } = await fleet.next(({ says }) => says === "run", from);
    // Its first, second … page, or the end of the run; and then somewhere before the next.
    for (let left = lot.below(6); left > 0; left--) {
      const heard = await fleet.next(({ says }) => says !== "ready", from);
      from = fleet.all.indexOf(heard) + 1;
      by = heard.by;
      if (heard.says === "end") break;
    }
    for (let left = lot.below(20); left > 0; left--) await new Promise(setImmediate);
    await by.kill();
    const replaced = fleet.start(orders);
    while (!(await told())) {
      await here.broker.syncs.runNow({ client: here.client.id, address: "127.0.0.1" } as never, sync!.id);
      await fleet.next(({ says }) => says === "end");
    }
    await replaced;
  }

  const all = await toldOf(here, sync!.id);
  const edits = all.slice(documents).map(({ document }) => document?.name);
  expect(new Set(all.map(({ id }) => id)).size, "ids of changes").toBe(all.length);
  expect(edits.toSorted()).toEqual(names.toSorted());
  console.log(`figure: ${KILLS} kills, ${names.length} edits: 0 lost, 0 told twice`);
});

const documentsOf = (library: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${library}!${i + 1}.1`).sort();
