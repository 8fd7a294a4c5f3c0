import { expect, test } from "vitest";
import { days } from "../../src/domain/instant.ts";
import type { Sealed } from "../../src/domain/sealed.ts";
import { WHOLE_LIBRARY } from "../../src/domain/sync-wish.ts";
import { RedisSyncSpace } from "../../src/store/redis-sync-space.ts";
import { RedisSyncStore } from "../../src/store/redis-sync-store.ts";
import { firstCursor } from "../../src/sync/cursor.ts";
import { identities, NOTE, redisFor } from "../sync/kit.ts";

const QUIET = 30_000;

async function kit(options: { readonly changesKept?: number } = {}) {
  const offset = { ms: 0 };
  const { store } = await redisFor(offset);
  const ids = identities();
  const syncs = new RedisSyncStore(store, options);
  const space = new RedisSyncSpace(store, options);
  const insert = async (library: string) => {
    const { id } = await syncs.insertSync(
      {
        id: ids.newSync(),
        client: ids.client,
        server: ids.server,
        library,
        wish: WHOLE_LIBRARY,
        intervalMs: 30_000,
        fields: undefined,
      },
      NOTE,
    );
    await syncs.beginRun(id, QUIET);
    return id;
  };
  /** A page of a sync that keeps on reading. */
  const commit = (id: Awaited<ReturnType<typeof insert>>, sequence: number, objects = 100) =>
    syncs.commitPage(
      id,
      {
        sequence,
        cursor: firstCursor(sequence + 1),
        changes: Array.from({ length: objects }, () => "x".repeat(500) as Sealed),
        marks: Array.from({ length: objects }, (_, n) => [
          `ACTIVE!${sequence}${n}.1`,
          { version: "a-digest-of-what", scan: 1 },
        ]),
        forgotten: [],
        documents: objects,
        unreadable: 0,
        pass: "more",
      },
      QUIET,
    );
  const kept = async (id: Parameters<typeof commit>[0]) => {
    const answer = await syncs.readChanges(id, undefined, 100_000);
    return answer.kind === "read" ? answer : undefined;
  };
  return { ...ids, offset, store, syncs, space, insert, commit, kept };
}

test("what the syncs of an organisation take is measured with each page, and given back with each sync that ends", async () => {
  const { organisation, space, syncs, insert, commit } = await kit();
  expect(await space.totalOf(organisation)).toBe(0);
  const [one, other] = [await insert("ACTIVE"), await insert("CLOSED")];
  await commit(one, 1);
  const first = await space.totalOf(organisation);
  // A hundred objects and as many changes of half a kilobyte.
  expect(first).toBeGreaterThan(50_000);
  expect(first).toBeLessThan(150_000);
  await commit(one, 2);
  await commit(other, 1);
  const { total, of } = await space.spaceOf(organisation);
  expect(of.get(one)).toBeGreaterThan(1.5 * first);
  expect(total).toBe(of.get(one)! + of.get(other)!);
  expect(await space.totalOf(organisation)).toBe(total);
  await syncs.deleteSync(one, NOTE);
  expect(await space.totalOf(organisation)).toBe(of.get(other));
  await syncs.deleteSync(other, NOTE);
  expect(await space.totalOf(organisation)).toBe(0);
});

test("a total that something else has altered is right again after the next tidying", async () => {
  const { organisation, route, store, space, insert, commit } = await kit();
  const sync = await insert("ACTIVE");
  await commit(sync, 1);
  const total = await space.totalOf(organisation);
  const key = `b1:{o:${route}}:sync-space`;
  await store.call((redis) => redis.hset(key, { total: 1e12, [`${sync}x`]: 1e12, [sync]: 7 }));
  await space.tidy(organisation);
  expect(await space.spaceOf(organisation)).toEqual({ total, of: new Map([[sync, total]]) });
});

test("a change is kept for a week, and then goes with the next page or with the next tidying", async () => {
  const { organisation, offset, space, syncs, insert, commit, kept } = await kit();
  const [busy, quiet] = [await insert("ACTIVE"), await insert("CLOSED")];
  await commit(busy, 1, 3);
  await commit(quiet, 1, 3);
  offset.ms += days(4);
  await commit(busy, 2, 2);
  await commit(quiet, 2, 2);
  offset.ms += days(3) - 60_000;
  await space.tidy(organisation);
  expect(await kept(quiet)).toMatchObject({ truncated: false, changes: { length: 5 } });

  offset.ms += 120_000;
  await commit(busy, 3, 1);
  expect((await kept(busy))!.changes.map(({ id }) => id)).toEqual(["2-1", "2-2", "3-1"]);
  expect(await kept(quiet)).toMatchObject({ truncated: false, changes: { length: 5 } });
  await space.tidy(organisation);
  expect(await kept(quiet)).toMatchObject({ truncated: true, changes: { length: 2 } });
  expect(await syncs.readChanges(quiet, "1-2", 10)).toEqual({ kind: "expired" });
  expect(await syncs.readChanges(quiet, "1-3", 10)).toMatchObject({ kind: "read", changes: { length: 2 } });

  offset.ms += days(7);
  await space.tidy(organisation);
  expect(await kept(quiet)).toMatchObject({ truncated: true, changes: { length: 0 } });
  expect(await syncs.readChanges(quiet, "2-1", 10)).toEqual({ kind: "expired" });
  expect(await syncs.readChanges(quiet, "2-2", 10)).toMatchObject({ kind: "read" });
  // And it is written on.
  await commit(quiet, 3, 1);
  expect((await kept(quiet))!.changes.map(({ id }) => id)).toEqual(["3-1"]);
});

test("many old changes go in one tidying, and what they took is free", async () => {
  const { organisation, offset, space, insert, commit, kept } = await kit();
  const sync = await insert("ACTIVE");
  for (let page = 1; page <= 5; page++) await commit(sync, page, 1_000);
  const before = await space.totalOf(organisation);
  offset.ms += days(8);
  await space.tidy(organisation);
  expect((await kept(sync))!.changes).toEqual([]);
  // Objects alone: half a kilobyte of each change has gone.
  expect(await space.totalOf(organisation)).toBeLessThan(before - 2_000_000);
});
