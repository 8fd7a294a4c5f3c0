import { expect, test } from "vitest";
import type { ReadChanges } from "../../src/sync/read-changes.ts";
import { SyncRuns } from "../../src/sync/run-sync.ts";
import { LIBRARY, NOTE, problemCode, syncKit } from "./kit.ts";

const MINUTE = 60_000;

test("a reader that goes on from each cursor sees every change once and in order", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  await kit.runs.run(sync);
  const seen: string[] = [];
  let cursor: string | undefined;
  for (;;) {
    const page = await kit.reader.read({
      caller: kit.caller,
      sync,
      limit: 7,
      ...(cursor !== undefined && { cursor }),
    });
    cursor = page.cursor;
    if (page.changes.length === 0) break;
    expect(page.changes.length).toBeLessThanOrEqual(7);
    seen.push(...page.changes.map(({ id }) => id));
  }
  expect(seen).toEqual((await kit.all(sync)).map(({ id }) => id));
  expect(seen).toHaveLength(24);
});

test("a reader that waits is woken by the next change, whoever stores it", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  await kit.runs.run(sync);
  const { cursor } = await kit.reader.read({ caller: kit.caller, sync, limit: 500 });
  const waiting = kit.reader.read({ caller: kit.caller, sync, cursor, waitMs: 30_000 });

  kit.advance(5 * MINUTE);
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1004.1", { name: "Amended" });
  await kit.runs.run(sync);
  // The test's own limit is below the wait: had nobody woken it, it would fail.
  expect((await waiting).changes.map(({ document }) => document?.name)).toEqual(["Amended"]);
  expect(kit.listener.size).toBe(0);
}, 10_000);

test("a reader that waits in vain gets its cursor back, and leaves nobody waiting", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  await kit.runs.run(sync);
  const { cursor } = await kit.reader.read({ caller: kit.caller, sync, limit: 500 });
  expect(await kit.reader.read({ caller: kit.caller, sync, cursor, waitMs: 20 })).toEqual({
    changes: [],
    cursor,
    truncated: false,
  });
  expect(kit.listener.size).toBe(0);
});

test("a caller who goes away waits no more", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  const gone = new AbortController();
  const waiting = kit.reader.read({ caller: kit.caller, sync, waitMs: 30_000, signal: gone.signal });
  gone.abort();
  expect((await waiting).changes).toEqual([]);
  expect(kit.listener.size).toBe(0);
}, 10_000);

test("whose policy is taken away while he waits is told nothing more", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  const waiting = problemCode(kit.reader.read({ caller: kit.caller, sync, waitMs: 30_000 }));
  // Waits already when the policy goes.
  while (kit.listener.size === 0) await new Promise(setImmediate);
  kit.policies.delete(kit.client);
  await kit.runs.run(sync);
  expect(await waiting).toBe("not_found");
}, 10_000);

test("whose client is stopped while he waits is told nothing more", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  const waiting = problemCode(kit.reader.read({ caller: kit.caller, sync, waitMs: 30_000 }));
  while (kit.listener.size === 0) await new Promise(setImmediate);
  // What is stored by a run that was on its way.
  const { accessToken } = kit.ports;
  const runs = new SyncRuns({
    ...kit.ports,
    accessToken: (request) => {
      // The first page tells nothing: it finds the end of the feed.
      if (request.note.requestId.endsWith("/2")) kit.standing.state = "stopped";
      return accessToken(request);
    },
  });
  await runs.run(sync);
  expect(await waiting).toBe("invalid_client");
}, 10_000);

test("a cursor made up, altered, or of another sync is refused", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  await kit.runs.run(sync);
  const { cursor } = await kit.reader.read({ caller: kit.caller, sync });
  const refused = (of: string) => problemCode(kit.reader.read({ caller: kit.caller, sync, cursor: of }));
  const altered = Buffer.from(Buffer.from(cursor, "base64url").toString().replace(/^\d+/, "1")).toString(
    "base64url",
  );
  expect(altered).not.toBe(cursor);
  for (const of of ["", "0-0", altered, "x".repeat(100_000)])
    expect(await refused(of)).toBe("invalid_request");

  await kit.stories.delete(kit.caller, sync, NOTE);
  const other = await kit.create();
  expect(await problemCode(kit.reader.read({ caller: kit.caller, sync: other, cursor }))).toBe(
    "invalid_request",
  );
});

test("a reader of some kinds gets these alone, and his cursor goes past the others", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  await kit.runs.run(sync);
  const read = (more: Partial<ReadChanges>) => kit.reader.read({ caller: kit.caller, sync, ...more });
  const { cursor } = await read({ kinds: ["document.deleted"] });
  expect((await read({ cursor })).changes).toEqual([]);
  kit.advance(5 * MINUTE);
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1004.1", { name: "Amended" });
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1009.1", { name: "Amended" });
  await kit.runs.run(sync);
  const kinds = (await kit.all(sync)).map(({ kind }) => kind);
  for (const kind of new Set(kinds)) {
    const some = await read({ kinds: [kind], limit: 500 });
    expect(some.changes.map((change) => change.kind)).toEqual(kinds.filter((it) => it === kind));
    expect((await read({ cursor: some.cursor })).changes).toEqual([]);
  }
  // Page by page as without a filter.
  const first = await read({ kinds: ["document.changed"], cursor, limit: 1 });
  const second = await read({ kinds: ["document.changed"], cursor: first.cursor, limit: 1 });
  expect([...first.changes, ...second.changes].map(({ object }) => object)).toEqual([
    "ACTIVE!1004.1",
    "ACTIVE!1009.1",
  ]);
});

test("a reader who waits for a kind is not woken by another, and is by his own", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  await kit.runs.run(sync);
  const { cursor } = await kit.reader.read({ caller: kit.caller, sync, limit: 500 });
  const edit = async (id: string) => {
    kit.advance(5 * MINUTE);
    kit.simulator.editDocument(LIBRARY, id, { name: "Amended" });
    await kit.runs.run(sync);
  };
  const waiting = kit.reader.read({
    caller: kit.caller,
    sync,
    cursor,
    kinds: ["document.deleted"],
    waitMs: 1_500,
  });
  await edit("ACTIVE!1004.1");
  expect((await waiting).changes).toEqual([]);
  const woken = kit.reader.read({
    caller: kit.caller,
    sync,
    cursor: (await waiting).cursor,
    kinds: ["document.changed"],
    waitMs: 30_000,
  });
  await edit("ACTIVE!1005.1");
  expect((await woken).changes.map(({ object }) => object)).toEqual(["ACTIVE!1005.1"]);
}, 15_000);

test("a cursor older than what is kept is expired, one that has lost nothing is not", async () => {
  const kit = await syncKit({ changesKept: 15 });
  const sync = await kit.create();
  const { cursor: start } = await kit.reader.read({ caller: kit.caller, sync });
  await kit.runs.run(sync);

  const { changes, truncated } = await kit.reader.read({ caller: kit.caller, sync, limit: 500 });
  expect(changes).toHaveLength(15);
  expect(truncated).toBe(true);
  expect(await problemCode(kit.reader.read({ caller: kit.caller, sync, cursor: start }))).toBe(
    "cursor_expired",
  );

  // Read up to the end, then exactly as many changes as are kept: nothing was lost.
  const { cursor } = await kit.reader.read({ caller: kit.caller, sync, limit: 500 });
  kit.advance(5 * MINUTE);
  for (let n = 1; n <= 15; n++) {
    kit.simulator.editDocument(LIBRARY, `ACTIVE!${1000 + n}.1`, { name: `Again ${n}` });
  }
  await kit.runs.run(sync);
  const next = await kit.reader.read({ caller: kit.caller, sync, cursor, limit: 500 });
  expect(next.changes).toHaveLength(15);

  // One more, and the reader who stood there has lost one.
  kit.advance(5 * MINUTE);
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1020.1", { name: "One more" });
  await kit.runs.run(sync);
  expect(await problemCode(kit.reader.read({ caller: kit.caller, sync, cursor }))).toBe("cursor_expired");
});
