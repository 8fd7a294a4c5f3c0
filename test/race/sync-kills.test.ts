import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import type { SyncId } from "../../src/domain/id.ts";
import { Problem } from "../../src/domain/problem.ts";
import type { Change } from "../../src/sync/read-changes.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { Seeded } from "../kit/seeded.ts";
import { type World, world } from "../kit/world.ts";
import { Fleet, QUICK, syncedLibraries } from "../workers/fleet.ts";

const EDITS = Number(process.env.TEST_SYNC_EDITS ?? 60);
const KILLS = Number(process.env.TEST_SYNC_KILLS ?? 2);
const RESTARTS = Number(process.env.TEST_SYNC_REDIS_RESTARTS ?? 1);
/** Others use the machine. */
const LAG_BOUND_MS = Number(process.env.TEST_SYNC_LAG_BOUND_MS ?? 10_000);
const LANES = Math.min(3, Math.max(2, KILLS));
const LIBRARIES = 4;
const DOCUMENTS = 60;
const INTERVAL_MS = 1_000;
/** So often a second. */
const EDITED = 60;

/** What somebody did in iManage, and what has to be told of it. */
interface Edit {
  readonly told: string;
  readonly at: number;
  /** When a consumer had it, and how often. */
  seenAt: number | undefined;
  times: number;
}

/** One library: people who edit it, and a client that follows its changes. */
class Followed {
  readonly edits = new Map<string, Edit>();
  readonly #here: World;
  readonly #sync: { readonly id: SyncId; readonly library: string };
  readonly #lot: Seeded;
  /** Documents that nothing is under way of: two edits of one document between two looks are one change. */
  readonly #free: string[];
  #made = 0;
  readonly #seen = new Set<string>();
  readonly surprises: string[] = [];

  constructor(here: World, sync: { readonly id: SyncId; readonly library: string }, lot: Seeded) {
    this.#here = here;
    this.#sync = sync;
    this.#lot = lot;
    this.#free = Array.from({ length: DOCUMENTS }, (_, i) => `${sync.library}!${i + 1}.1`);
  }

  /** One edit, if there is a document to edit. */
  edit(): boolean {
    const { simulator } = this.#here;
    const { library } = this.#sync;
    const dice = this.#lot.next();
    const n = ++this.#made;
    if (dice < 0.1) {
      const id = `${library}!${10_000 + n}.1`;
      simulator.editDocument(library, id, { name: `made ${n}` });
      this.#expect(`document.created ${id} made ${n}`);
      return true;
    }
    const [id] = this.#free.splice(this.#lot.below(this.#free.length), 1);
    if (id === undefined) return false;
    if (dice < 0.2 && this.#free.length > DOCUMENTS / 2) {
      simulator.editDocument(library, id, { deleted: true });
      this.#expect(`document.deleted ${id}`);
    } else {
      simulator.editDocument(library, id, { name: `edit ${n}` });
      this.#expect(`document.changed ${id} edit ${n}`);
    }
    return true;
  }

  #expect(told: string): void {
    this.edits.set(told, { told, at: performance.now(), seenAt: undefined, times: 0 });
  }

  get pending(): number {
    let pending = 0;
    for (const { seenAt } of this.edits.values()) if (seenAt === undefined) pending++;
    return pending;
  }

  /** Reads the stream by cursor as a client does, and goes on from the last cursor whatever happens. */
  async follow(ended: AbortSignal): Promise<void> {
    let cursor: string | undefined;
    while (!ended.aborted) {
      try {
        const read = await this.#here.broker.changes.read({
          caller: { client: this.#here.client.id as never, address: "192.0.2.1" },
          sync: this.#sync.id,
          waitMs: 1_000,
          limit: 500,
          signal: ended,
          ...(cursor !== undefined && { cursor }),
        });
        for (const change of read.changes) this.#take(change);
        cursor = read.cursor;
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        await pause(50);
      }
    }
  }

  #take({ id, kind, object, document }: Change): void {
    const told = [kind, object, document?.name].filter((it) => it !== undefined).join(" ");
    if (this.#seen.has(id)) return void this.surprises.push(`${id} twice`);
    this.#seen.add(id);
    const edit = this.edits.get(told);
    if (edit === undefined) return void this.surprises.push(`nobody did ${told}`);
    if (++edit.times > 1) this.surprises.push(`${told} twice`);
    edit.seenAt ??= performance.now();
    if (kind !== "document.deleted") this.#free.push(object);
  }
}

test(`${EDITS} edits, ${KILLS} kills -9 of workers and ${RESTARTS} of Redis: every edit is told exactly once (F38)`, {
  timeout: 60_000 + EDITS * 100 + (KILLS + RESTARTS) * 8_000,
}, async () => {
  const lot = new Seeded();
  console.log(`seed ${lot.seed}: kills while libraries are followed`);
  const redis = await ownRedisForThisTest({ appendfsync: "always" });
  const here = await world({ redisUrl: redis.url });
  const syncs = await syncedLibraries(here, LIBRARIES, DOCUMENTS, {
    intervalMs: INTERVAL_MS,
    existing: "skip",
  });
  const caller = { client: here.client.id as never, address: "192.0.2.1" };
  const fleet = new Fleet(here);
  const orders = { timing: QUICK, pageSize: 20 };
  const workers = await Promise.all(Array.from({ length: LANES }, () => fleet.start(orders)));
  const ready = async () =>
    (await Promise.all(syncs.map(({ id }) => here.broker.syncs.find(caller, id)))).every(
      (sync) => sync?.baselineAt !== undefined,
    );
  while (!(await ready())) await fleet.next(({ says }) => says === "end");

  const followed = syncs.map((sync) => new Followed(here, sync, lot));
  const ended = new AbortController();
  const following = Promise.all(followed.map((one) => one.follow(ended.signal)));
  let edits = 0;
  let kills = 0;
  const tick = async (done: () => boolean, act: () => void) => {
    for (; !done(); await pause(1_000 / EDITED)) act();
  };
  const editSome = (limit: number) =>
    tick(
      () => edits >= limit,
      () => void (lot.pick(followed).edit() && edits++),
    );
  // As long as nobody dies, how long does an edit take to its reader?
  const calm = Math.ceil(EDITS / 5);
  await editSome(calm);
  await tick(
    () => followed.every(({ pending }) => pending === 0),
    () => {},
  );
  const calmUntil = performance.now();

  const settled = () => edits >= EDITS && kills >= KILLS;
  const killing = Promise.all(
    workers.map(async (first) => {
      for (let worker = first; kills < KILLS; ) {
        kills++;
        // At a word of his that is drawn by lot, and then somewhere before the next.
        for (let words = 1 + lot.below(8); words > 0; words--) {
          await Promise.race([fleet.next(({ by }) => by === worker), pause(1_500)]);
        }
        await pause(lot.below(20));
        await worker.kill();
        worker = await fleet.start(orders);
      }
    }),
  );
  const restarting = (async () => {
    for (let restarts = 0; restarts < RESTARTS; restarts++) {
      const share = (restarts + 1) / (RESTARTS + 1);
      await tick(
        () => kills >= KILLS * share,
        () => {},
      );
      await redis.kill();
      await redis.restart();
    }
  })();
  // Whoever was put aside because his process died again and again: somebody says that he may go on (F37).
  let resumed = 0;
  const resuming = (async () => {
    while (!ended.signal.aborted) {
      await pause(500);
      for (const { id } of syncs) {
        const sync = await here.broker.syncs.find(caller, id).catch(() => undefined);
        if (sync?.parkedBecause !== "worker_crashed") continue;
        resumed++;
        await here.broker.syncs.resume(caller, id, { actor: "test", requestId: "r" }).catch(() => {});
      }
    }
  })();
  const editing = tick(settled, () => {
    if (edits < EDITS && lot.pick(followed).edit()) edits++;
  });
  await Promise.all([killing, restarting, editing]);
  const until = performance.now() + 60_000;
  await tick(
    () => followed.every(({ pending }) => pending === 0) || performance.now() > until,
    () => {},
  );
  ended.abort();
  await Promise.all([following, resuming]);

  const all = followed.flatMap((one) => [...one.edits.values()]);
  const lost = all.filter(({ times }) => times === 0).map(({ told }) => told);
  const lags = (of: readonly Edit[]) =>
    of.flatMap(({ at, seenAt }) => (seenAt === undefined ? [] : [seenAt - at])).sort((a, b) => a - b);
  const p95 = (of: readonly number[]) => of[Math.floor(of.length * 0.95)] ?? 0;
  const calmLags = lags(all.filter(({ at }) => at < calmUntil));
  console.log(
    `figure: ${all.length} edits, ${kills} kills of workers, ${RESTARTS} of Redis, ${resumed} put aside and resumed: ${lost.length} lost, ${followed.flatMap(({ surprises }) => surprises).length} told twice or made up`,
  );
  console.log(
    `figure: from edit to reader p95 ${Math.round(p95(calmLags))} ms at an interval of ${INTERVAL_MS} ms (${calmLags.length} edits, nobody dying); with kills p95 ${Math.round(p95(lags(all)))} ms`,
  );
  expect(lost).toEqual([]);
  expect(followed.flatMap(({ surprises }) => surprises)).toEqual([]);
  expect(p95(calmLags)).toBeLessThan(LAG_BOUND_MS);
});
