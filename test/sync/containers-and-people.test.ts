import { beforeEach, expect, test } from "vitest";
import type { SyncWish } from "../../src/domain/sync-wish.ts";
import type { ObjectSource } from "../../src/sync/object-source.ts";
import type { Change } from "../../src/sync/read-changes.ts";
import { SyncRuns } from "../../src/sync/run-sync.ts";
import { documentFields } from "../../src/sync/sync-fields.ts";
import { keysOf } from "../kit/redis.ts";
import { LIBRARY, NOTE, syncKit } from "./kit.ts";

const MINUTE = 60_000;
const AT = `/work/api/v2/customers/5948/libraries/${LIBRARY}/`;
const ALL = { wants: ["documents", "containers", "people"] } as const;

let kit: Awaited<ReturnType<typeof syncKit>>;
beforeEach(async () => {
  kit = await syncKit();
});

/** A sync that has seen what is there, and one pass of it later what that told. */
async function about(wish: Partial<SyncWish> = ALL, fields?: readonly string[]) {
  const { sync } = await kit.stories.create({
    ...{ caller: kit.caller, server: kit.server, library: LIBRARY, note: NOTE, wish },
    ...(fields && { fields }),
  });
  expect(await kit.runs.run(sync.id)).toEqual({ kind: "complete", changes: 0 });
  return {
    id: sync.id,
    async pass(runs = kit.runs): Promise<readonly Change[]> {
      const known = (await kit.all(sync.id)).length;
      kit.advance(5 * MINUTE);
      expect(await runs.run(sync.id)).toMatchObject({ kind: "complete" });
      return (await kit.all(sync.id)).slice(known);
    },
  };
}

const edit = (...of: Parameters<typeof kit.simulator.edit> extends [string, ...infer E] ? E : never) =>
  kit.simulator.edit(LIBRARY, ...of);
const container = (
  id: string,
  change: Extract<Parameters<typeof edit>[0], { kind: "container" }>["change"],
) => edit({ kind: "container", id, change });
const asked = (what: string) => kit.simulator.requests().filter(({ path }) => path.endsWith(what)).length;
const refuse = (what: string, status: number) =>
  kit.simulator.addFault({
    on: { route: "api", path_starts_with: `${AT}${what}` },
    times: "always",
    do: { answer: { status } },
  });
const lines = (changes: readonly Change[]) => changes.map(({ kind, object }) => `${kind} ${object}`);

test("what changed of a workspace, a folder, a user or a group is told as it is now, each loaded once a page", async () => {
  const { pass } = await about();
  for (const name of ["Draft", "Almost", "Project Falcon"]) container("ACTIVE!11", { name, custom1: "ACME" });
  container("ACTIVE!111", { name: "Signed" });
  edit({ kind: "user", id: "clara.voss", change: { name: "Clara Voss-Hart", locked: true } });
  edit({ kind: "group", id: "TEAM", change: { full_name: "The team", is_external: true } });
  const told = await pass();
  expect(told).toMatchObject([
    {
      kind: "container.changed",
      object: "ACTIVE!11",
      time: expect.any(Number),
      container: {
        ...{ id: "ACTIVE!11", type: "workspace", name: "Project Falcon", custom1: "ACME" },
        editedAt: expect.any(Number),
      },
    },
    {
      kind: "container.changed",
      container: { id: "ACTIVE!111", type: "folder", name: "Signed", workspaceId: "ACTIVE!11" },
    },
    { kind: "user.changed", user: { id: "clara.voss", name: "Clara Voss-Hart", allowLogon: false } },
    {
      kind: "group.changed",
      group: { id: "TEAM", name: "The team", enabled: true, external: true },
    },
  ]);
  expect(
    ["document", "container", "user"].filter((of) => told[3]![of as keyof Change] !== undefined),
  ).toEqual([]);
  expect(["workspaces/ACTIVE!11", "folders/ACTIVE!11", "folders/ACTIVE!111"].map(asked)).toEqual([1, 0, 1]);
});

test("what the feed says has gone is told as deleted and not asked for; what iManage does not show after a change is told by its id", async () => {
  const { pass } = await about();
  container("ACTIVE!122", { deleted: true });
  edit({ kind: "user", id: "e.moreau", change: { deleted: true } });
  edit({ kind: "group", id: "TEAM", change: { full_name: "The team" } });
  edit({ kind: "group", id: "TEAM", change: { deleted: true } });
  expect(lines(await pass())).toEqual([
    "container.deleted ACTIVE!122",
    "user.deleted e.moreau",
    "group.deleted TEAM",
  ]);
  expect(["folders/ACTIVE!122", "users/e.moreau", "groups/TEAM"].map(asked)).toEqual([0, 0, 0]);

  refuse("folders/ACTIVE!121", 403);
  refuse("workspaces/ACTIVE!12", 404);
  refuse("users/clara.voss", 405);
  for (const id of ["ACTIVE!12", "ACTIVE!121", "ACTIVE!111"]) container(id, { name: "Renamed" });
  edit({ kind: "user", id: "clara.voss", change: { name: "Clara" } });
  const told = await pass();
  expect(lines(told)).toEqual([
    "container.changed ACTIVE!12",
    "container.changed ACTIVE!121",
    "container.changed ACTIVE!111",
    "user.changed clara.voss",
  ]);
  expect(told.map((change) => change.container?.name ?? change.user)).toEqual([
    undefined,
    undefined,
    "Renamed",
    undefined,
  ]);
});

test.each([
  ["is none of what is expected", '{"data":[]}', 1],
  ["is a page of a proxy", "<html>sign in</html>", 6],
])(
  "an answer that %s is told by its id, and holds up nothing beyond what a document would",
  async (_, body, runs) => {
    const { id } = await about();
    kit.simulator.addFault({
      on: { route: "api", path_starts_with: `${AT}groups/TEAM` },
      times: "always",
      do: { answer: { status: 200, body } },
    });
    edit({ kind: "group", id: "TEAM", change: { full_name: "The team" } });
    edit({ kind: "document", id: "ACTIVE!1003.1", change: { name: "Sound" } });
    const outcomes: string[] = [];
    for (let last = ""; last !== "complete"; ) {
      kit.advance(5 * MINUTE);
      last = (await kit.runs.run(id)).kind;
      outcomes.push(last);
      expect(outcomes.length).toBeLessThan(10);
    }
    expect(outcomes).toHaveLength(runs);
    expect(lines(await kit.all(id))).toEqual(["document.changed ACTIVE!1003.1", "group.changed TEAM"]);
    expect((await kit.syncs.findSync(id))!.counts).toMatchObject({ unreadable: 0, failures: 0 });
  },
);

test("a sync of some workspaces is told what lies in them, also where the feed does not say where; what has left them is told by its id", async () => {
  const { pass } = await about({ ...ALL, workspaces: ["ACTIVE!11"] });
  const told = async (of: Promise<readonly Change[]>) =>
    (await of).map(({ kind, object, container: now }) => `${kind} ${object} ${now?.name}`);
  const rename = (name: string) => {
    for (const id of ["ACTIVE!11", "ACTIVE!12", "ACTIVE!111", "ACTIVE!121"]) container(id, { name });
  };
  rename("Told where");
  container("ACTIVE!112", { name: "Leaves at once" });
  const { folders } = kit.simulator.libraries.find(5948, LIBRARY)!;
  const moved = folders.map((folder) =>
    folder.id === "ACTIVE!112" ? { ...folder, workspace_id: "ACTIVE!12", parent_id: "ACTIVE!12" } : folder,
  );
  kit.simulator.libraries.patch(5948, LIBRARY, { folders: moved });
  expect(await told(pass())).toEqual([
    "container.changed ACTIVE!11 Told where",
    "container.changed ACTIVE!111 Told where",
    "container.changed ACTIVE!112 undefined",
  ]);

  kit.simulator.setSwitches({ change_events_root: "missing" });
  rename("Not told where");
  container("ACTIVE!122", { deleted: true });
  refuse("folders/ACTIVE!112", 404);
  container("ACTIVE!112", { name: "Nobody knows where" });
  expect(await told(pass())).toEqual([
    "container.changed ACTIVE!11 Not told where",
    "container.changed ACTIVE!111 Not told where",
  ]);
});

test("a page that names more of them than iManage's rate limit lets through at once gets on, part by part", async () => {
  const { id } = await about();
  const all = kit.ports.objects;
  let left = 0;
  const objects: ObjectSource = {
    readObject: async (...of) =>
      left-- > 0 ? all.readObject(...of) : { kind: "throttled", retryAfterMs: 5_000 },
  };
  const runs = new SyncRuns({ ...kit.ports, objects }, { objectsAtOnce: 4 });
  const ids = Array.from({ length: 20 }, (_, n) => `TEAM-${n}`);
  // One of them all along the page.
  for (const team of ids) {
    edit({ kind: "group", id: team, change: { full_name: team } });
    container("ACTIVE!11", { name: `With ${team}` });
  }
  kit.advance(5 * MINUTE);
  let outcomes = 0;
  for (let done = false; !done && outcomes < 10; outcomes++) {
    left = 6;
    done = (await runs.run(id)).kind === "complete";
    kit.advance(5_000);
  }
  expect(outcomes).toBeLessThan(10);
  const told = await kit.all(id);
  expect(told.filter(({ group }) => group !== undefined).map(({ object }) => object)).toEqual(ids);
  expect(
    told.filter(({ container: now }) => now !== undefined).map(({ container: now }) => now!.name),
  ).toEqual(["With TEAM-19"]);
});

test("names of matters and people are sealed where they are kept, and open to the client alone", async () => {
  const { id, pass } = await about();
  container("ACTIVE!11", { name: "Project Falcon", custom1: "Acme Holdings" });
  edit({ kind: "user", id: "clara.voss", change: { name: "Clara Falcon", email: "clara@falcon.example" } });
  const told = await pass();
  expect(told.map((change) => (change.container ?? change.user)!.name)).toEqual([
    "Project Falcon",
    "Clara Falcon",
  ]);
  const kept = await kit.store.call(async (redis) => {
    const texts: string[] = [];
    for (const key of await keysOf(redis, `b1:{o:${kit.route}}:`)) {
      const dump = await redis.type(key);
      if (dump === "hash") texts.push(JSON.stringify(await redis.hgetall(key)));
      else if (dump === "stream") texts.push(JSON.stringify(await redis.xrange(key, "-", "+")));
      else if (dump === "string") texts.push(String(await redis.get(key)));
      else texts.push(dump);
    }
    return texts.join("\n");
  });
  expect(kept).toContain(id);
  expect(kept).toContain(`"library":"${LIBRARY}"`);
  expect(kept).not.toMatch(/falcon|acme|clara/i);
});

test("a change tells the fields that were asked for: documents' by their names, others behind what they are of, and all where none is named", async () => {
  const { pass } = await about(ALL, ["name", "container.name", "user.name"]);
  edit({ kind: "document", id: "ACTIVE!1003.1", change: { name: "Lease", author: "b.okafor" } });
  container("ACTIVE!11", { name: "Project Falcon" });
  edit({ kind: "user", id: "clara.voss", change: { name: "Clara" } });
  edit({ kind: "group", id: "TEAM", change: { full_name: "The team" } });
  expect(
    (await pass()).map(({ document, container: of, user, group }) => document ?? of ?? user ?? group),
  ).toEqual([
    { id: "ACTIVE!1003.1", number: 1003, version: 1, name: "Lease" },
    { id: "ACTIVE!11", type: "workspace", name: "Project Falcon" },
    { id: "clara.voss", name: "Clara" },
    { id: "TEAM", name: "The team", enabled: true, external: false },
  ]);
  edit({ kind: "document", id: "ACTIVE!1003.1", change: { author: "e.moreau" } });
  expect(await pass()).toEqual([]);
  expect(documentFields(["container.name"])).toBeUndefined();
});

test("a container whose fields are too long to be kept is told by what names it", async () => {
  const { pass } = await about();
  const long = "\u0001".repeat(1_024);
  container("ACTIVE!11", { name: long, description: long, owner: long, custom1: long });
  expect(await pass()).toMatchObject([
    { kind: "container.changed", shortened: true, container: { id: "ACTIVE!11", type: "workspace" } },
  ]);
});
