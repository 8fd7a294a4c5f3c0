import { expect, test } from "vitest";
import { makeId } from "../../src/domain/id.ts";
import { Problem } from "../../src/domain/problem.ts";
import { systemRandom } from "../../src/security/random.ts";
import type { SnapshotLine, SnapshotOptions } from "../../src/sync/read-snapshot.ts";
import { withRules } from "../kit/policies.ts";
import { keysOf } from "../kit/redis.ts";
import { DOCUMENTS, LIBRARY, NOTE, problemCode, syncKit } from "./kit.ts";

const MINUTE = 60_000;

/** A sync that knows its library, and how its snapshot is read. */
async function known(options: SnapshotOptions & { readonly wish?: object; readonly fields?: string[] } = {}) {
  const { wish, fields, ...snapshotOptions } = options;
  const kit = await syncKit();
  const { sync } = await kit.stories.create({
    caller: kit.caller,
    server: kit.server,
    library: LIBRARY,
    wish: { existing: "tell", ...wish },
    ...(fields && { fields }),
    note: NOTE,
  });
  await kit.runs.run(sync.id);
  const snapshots = kit.snapshots(snapshotOptions);
  let reading = 0;
  const open = (signal?: AbortSignal) =>
    snapshots.read({
      caller: kit.caller,
      sync: sync.id,
      note: { ...NOTE, requestId: `reading-${++reading}` },
      ...(signal && { signal }),
    });
  const before = kit.listed().length;
  return { ...kit, sync: sync.id, open, asked: () => kit.listed().length - before };
}

async function all(lines: AsyncIterable<SnapshotLine>): Promise<readonly SnapshotLine[]> {
  const read: SnapshotLine[] = [];
  for await (const line of lines) read.push(line);
  return read;
}

const documents = (lines: readonly SnapshotLine[]) =>
  lines.flatMap((line) => (line.kind === "document" ? [line.document] : []));

test("a snapshot has a cursor, every document, and an end that counts them; nothing of it is stored", async () => {
  const kit = await known();
  const keys = () => kit.store.call((redis) => keysOf(redis, `b1:{o:${kit.route}}`));
  const before = (await keys()).sort();
  const lines = await all(kit.open());
  expect(lines[0]).toEqual({ kind: "begin", sync: kit.sync, cursor: expect.any(String) });
  expect(lines.at(-1)).toEqual({ kind: "end", documents: DOCUMENTS, unreadable: 0 });
  expect(new Set(documents(lines).map(({ id }) => id)).size).toBe(DOCUMENTS);
  expect(documents(lines)[0]).toEqual((await kit.all(kit.sync))[0]!.document);
  expect((await keys()).sort()).toEqual(before);
});

test("what is edited while a snapshot is read comes as a change from its cursor on, and nothing of before does", async () => {
  const kit = await known();
  const open = kit.open();
  const { value: begin } = await open.next();
  for (let n = 0; n < 15; n++) await open.next();
  kit.advance(5 * MINUTE);
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1003.1", { name: "Edited behind the reader" });
  await all(open);
  await kit.runs.run(kit.sync);
  const { cursor } = begin as { cursor: string };
  const { changes } = await kit.reader.read({ caller: kit.caller, sync: kit.sync, cursor });
  expect(changes.map(({ document }) => document?.name)).toEqual(["Edited behind the reader"]);
});

test("a document that the sync has not met is not told by a snapshot, but by a change behind its cursor", async () => {
  const kit = await known();
  await kit.store.call((redis) =>
    redis.hdel(`b1:{o:${kit.route}}:sync-objects:${kit.sync}`, "ACTIVE!1007.1"),
  );
  const lines = await all(kit.open());
  expect(documents(lines).map(({ id }) => id)).not.toContain("ACTIVE!1007.1");
  expect(lines.at(-1)).toMatchObject({ documents: DOCUMENTS - 1 });
});

test("a snapshot tells the fields that were asked for, and what lies in the workspaces that were named", async () => {
  const whole = await known();
  const of = documents(await all(whole.open()));
  const workspace = of[0]!.workspaceId!;
  const kit = await known({ wish: { workspaces: [workspace] }, fields: ["name"] });
  const told = documents(await all(kit.open()));
  expect(told.map(({ id }) => id)).toEqual(
    of.filter(({ workspaceId }) => workspaceId === workspace).map(({ id }) => id),
  );
  expect(told.length).toBeLessThan(DOCUMENTS);
  expect(Object.keys(told[0]!)).toEqual(["id", "number", "version", "name"]);
});

test("before all was seen once there is no snapshot, and of what is not about documents there is none", async () => {
  const kit = await syncKit();
  const sync = await kit.create();
  const read = (of = sync) => all(kit.snapshots().read({ caller: kit.caller, sync: of, note: NOTE }));
  await expect(read()).rejects.toMatchObject({ code: "sync_not_ready", details: { retryAfterMs: 10_000 } });
  kit.tokens.refusal = new Problem("authorization_required");
  await kit.runs.run(sync);
  await expect(read()).rejects.toThrow("The sync waits: authorization_required.");

  const people = await kit.stories.create({
    caller: kit.caller,
    server: kit.server,
    library: "TEMPLATES",
    wish: { wants: ["people"] },
    note: NOTE,
  });
  expect(await problemCode(read(people.sync.id))).toBe("invalid_request");
});

test("iManage is asked for a page when the reader has come to it, and with a token of that moment", async () => {
  const kit = await known();
  const tokens = kit.tokens.asked.length;
  const open = kit.open();
  for (let n = 0; n < 11; n++) await open.next();
  expect(kit.asked()).toBe(1);
  await open.next();
  expect(kit.asked()).toBe(2);
  await all(open);
  expect(kit.asked()).toBe(3);
  expect(kit.tokens.asked.slice(tokens)).toHaveLength(3);
  expect(kit.tokens.asked.at(-1)).toMatchObject({
    action: "sync",
    client: kit.client,
    subject: { type: "library", id: LIBRARY },
    note: { requestId: "reading-1", purpose: "snapshot" },
  });
});

test("a reader who goes away ends the snapshot, and gives his place to another", async () => {
  const kit = await known({ atOnce: 1 });
  const gone = new AbortController();
  const open = kit.open(gone.signal);
  for (let n = 0; n < 5; n++) await open.next();
  expect(await problemCode(all(kit.open()))).toBe("snapshots_busy");
  gone.abort();
  expect(await all(open)).toEqual([]);
  expect(kit.asked()).toBe(1);
  expect(await all(kit.open())).toHaveLength(DOCUMENTS + 2);
});

test("two snapshots of a client go on at once, over all processes; a third waits, and a dead one blocks nobody", async () => {
  const kit = await known();
  const [first, second, third] = [kit.open(), kit.open(), kit.open()];
  await first.next();
  await second.next();
  await expect(third.next()).rejects.toMatchObject({
    code: "snapshots_busy",
    details: { retryAfterMs: 30_000 },
  });
  await first.return();
  await kit.open().next();
  expect(await problemCode(kit.open().next())).toBe("snapshots_busy");
  // Nobody has heard of them for three minutes.
  kit.advance(3 * MINUTE);
  expect((await kit.open().next()).value).toMatchObject({ kind: "begin" });
});

test("a reader who is slow and alive keeps his place", async () => {
  const kit = await known({ atOnce: 1 });
  const open = kit.open();
  await open.next();
  for (let n = 0; n < 8; n++) {
    kit.advance(MINUTE);
    await open.next();
  }
  expect(await problemCode(kit.open().next())).toBe("snapshots_busy");
});

test.each<[string, (kit: Awaited<ReturnType<typeof known>>) => void, string]>([
  ["the policy is taken away", (kit) => kit.policies.delete(kit.client), "not_found"],
  [
    "the policy does not name syncs any more",
    (kit) => kit.policies.set(kit.client, withRules(kit.policy, { actions: ["token"] })),
    "not_allowed",
  ],
  [
    "the client is stopped",
    (kit) => {
      kit.standing.state = "stopped";
    },
    "invalid_client",
  ],
  [
    "tokens are stopped",
    (kit) => {
      kit.stop.found = makeId("ctn", kit.route, 1, systemRandom.bytes(16));
    },
    "contained",
  ],
  [
    "the library's admin takes his authorisation back",
    (kit) => {
      kit.tokens.refusal = new Problem("reauthorization_required");
    },
    "reauthorization_required",
  ],
])("where %s while a snapshot is read, no further page is told", async (_, happens, code) => {
  const kit = await known();
  const open = kit.open();
  for (let n = 0; n < 11; n++) await open.next();
  happens(kit);
  expect(await problemCode(open.next())).toBe(code);
  expect(kit.asked()).toBe(1);
});

test("another client's sync has no snapshot", async () => {
  const kit = await known();
  const other = makeId("cli", undefined, Date.now(), systemRandom.bytes(16));
  kit.policies.set(other, { ...kit.policy, client: other });
  const read = kit.snapshots().read({ caller: { client: other, address: "" }, sync: kit.sync, note: NOTE });
  expect(await problemCode(read.next())).toBe("not_found");
});

test("what passes is waited for, and a token that iManage refuses is replaced once", async () => {
  const kit = await known();
  const answer = (status: number, headers: Record<string, string> = {}) =>
    kit.simulator.addFault({ on: { route: "api", library: LIBRARY }, do: { answer: { status, headers } } });
  answer(429, { "Retry-After": "7" });
  expect(await all(kit.open())).toHaveLength(DOCUMENTS + 2);
  expect(kit.waited).toEqual([7_000]);
  answer(503);
  expect(await all(kit.open())).toHaveLength(DOCUMENTS + 2);
  expect(kit.waited).toEqual([7_000, 2_000]);
  const tokens = kit.tokens.asked.length;
  answer(401);
  expect(await all(kit.open())).toHaveLength(DOCUMENTS + 2);
  expect(kit.tokens.asked.slice(tokens).filter(({ rejected }) => rejected !== undefined)).toHaveLength(1);
});

const AT = `/work/api/v2/customers/5948/libraries/${LIBRARY}`;
const chosen = ["ACTIVE!11", "ACTIVE!12"];
const listedBy = (kit: Awaited<ReturnType<typeof known>>, count: number) =>
  kit
    .listed()
    .slice(-count)
    .map(({ path }) => path.slice(AT.length));

test("a snapshot of chosen workspaces lists these alone, and tells what the whole library's list would", async () => {
  const kit = await known({ wish: { workspaces: chosen } });
  const told = documents(await all(kit.open()));
  expect(new Set(listedBy(kit, kit.asked()))).toEqual(
    new Set(chosen.map((id) => `/workspaces/${id}/documents`)),
  );
  expect(told.length).toBeGreaterThan(0);
  expect(new Set(told.map(({ workspaceId }) => workspaceId))).toEqual(new Set(chosen));
  expect(new Set(told.map(({ id }) => id)).size).toBe((await kit.syncs.findSync(kit.sync))!.counts.objects);
});

test("an iManage that does not list workspaces is asked for the whole library by a snapshot too; of a workspace that is gone nothing is told", async () => {
  const kit = await known({ wish: { workspaces: chosen } });
  const ids = async () =>
    documents(await all(kit.open()))
      .map(({ id, workspaceId }) => `${workspaceId} ${id}`)
      .toSorted();
  const whole = await ids();
  kit.simulator.setSwitches({ missing_resources: ["workspaces/:workspace/documents"] });
  expect(await ids()).toEqual(whole);
  expect(listedBy(kit, 1)).toEqual(["/documents"]);
  kit.simulator.setSwitches({ missing_resources: [] });

  // The second has no list and is there: what is left is sought in the whole library, and nothing is told twice.
  const refuse = (path: string, status: number) =>
    kit.simulator.addFault({
      id: path,
      on: { route: "api", path_starts_with: `${AT}/workspaces/${path}` },
      times: "always",
      do: { answer: { status } },
    });
  refuse("ACTIVE!12/documents", 404);
  expect(await ids()).toEqual(whole);
  expect(listedBy(kit, 2)).toEqual(["/documents", "/documents"]);
  // It is there no more.
  refuse("ACTIVE!12", 404);
  expect(await ids()).toEqual(whole.filter((line) => line.startsWith("ACTIVE!11 ")));
  kit.simulator.clearFaults("ACTIVE!12");
  kit.simulator.clearFaults("ACTIVE!12/documents");
  // All of iManage is away: that says nothing about a workspace.
  kit.simulator.addFault({
    on: { route: "api", path_starts_with: AT },
    times: "always",
    do: { answer: { status: 404 } },
  });
  expect(await problemCode(all(kit.open()))).toBe("not_library_admin");
});
