import { expect, test } from "vitest";
import { Problem } from "../../src/domain/problem.ts";
import { SyncSweep } from "../../src/sync/sweep-syncs.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { LIBRARY, NOTE, syncKit } from "../sync/kit.ts";
import { Happened, workersOn } from "./kit.ts";

const INTERVAL = 100;

/** A sync that workers run by themselves, every tenth of a second. */
async function runningSync() {
  const redis = await ownRedisForThisTest();
  const kit = await syncKit({ minIntervalMs: INTERVAL, parkedRetryMs: INTERVAL, redisUrl: redis.url });
  const happened = new Happened();
  const sweep = new SyncSweep(kit.ports);
  await workersOn(redis.url, {
    sweepSyncs: () => sweep.sweep(),
    runSync: async (id, stopping) => happened.tell((await kit.runs.run(id, stopping)).kind),
  });
  const { sync } = await kit.stories.create({
    caller: kit.caller,
    server: kit.server,
    library: LIBRARY,
    wish: { existing: "tell" },
    intervalMs: INTERVAL,
    note: NOTE,
  });
  await happened.until("complete");
  const { cursor } = await kit.reader.read({ caller: kit.caller, sync: sync.id, limit: 500 });
  return {
    ...kit,
    happened,
    next: (from = cursor) =>
      kit.reader.read({ caller: kit.caller, sync: sync.id, cursor: from, waitMs: 20_000 }),
  };
}

test("an edit in iManage arrives at a client that waits, without anyone asking for it", async () => {
  const { simulator, next } = await runningSync();
  const waiting = next();
  simulator.editDocument(LIBRARY, "ACTIVE!1005.1", { name: "Countersigned" });
  const { changes, cursor } = await waiting;
  expect(changes.map(({ object, document }) => [object, document?.name])).toEqual([
    ["ACTIVE!1005.1", "Countersigned"],
  ]);

  const again = next(cursor);
  simulator.editDocument(LIBRARY, "ACTIVE!1006.1", { name: "Second" });
  expect((await again).changes.map(({ document }) => document?.name)).toEqual(["Second"]);
});

test("a sync whose admin withdrew is parked, and tells what it missed once he has lent the library again", async () => {
  const { simulator, tokens, happened, next } = await runningSync();
  tokens.refusal = new Problem("authorization_required");
  await happened.until("parked", 2);
  simulator.editDocument(LIBRARY, "ACTIVE!1007.1", { name: "While it was parked" });
  tokens.refusal = undefined;
  expect((await next()).changes.map(({ document }) => document?.name)).toEqual(["While it was parked"]);
});
