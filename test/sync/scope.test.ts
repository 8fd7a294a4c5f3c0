import { expect, test } from "vitest";
import type { SyncId } from "../../src/domain/id.ts";
import { releaseDeletions } from "../../src/sync/held-deletions.ts";
import { SyncRuns } from "../../src/sync/run-sync.ts";
import { vanish } from "./following.ts";
import { dyingAfter, LIBRARY, NOTE, syncKit } from "./kit.ts";

const DAY = 86_400_000;
const ONE = "ACTIVE!11";
const OTHER = "ACTIVE!12";
const ROOT = `/work/api/v2/customers/5948/libraries/${LIBRARY}`;

type Kit = Awaited<ReturnType<typeof syncKit>>;

const inside = ({ simulator }: Kit, workspaces: readonly string[]) =>
  simulator.libraries
    .find(5948, LIBRARY)!
    .documents.filter(({ workspace_id }) => workspaces.includes(workspace_id))
    .map(({ id }) => id)
    .toSorted();

async function scoped(
  workspaces: readonly string[],
  options: Parameters<typeof syncKit>[0] = {},
  prepare: (kit: Kit) => void = () => {},
) {
  const kit = await syncKit(options);
  prepare(kit);
  const { sync } = await kit.stories.create({
    ...{ caller: kit.caller, server: kit.server, library: LIBRARY, note: NOTE },
    wish: { existing: "tell", workspaces },
  });
  const run = async () => {
    let outcome = await kit.runs.run(sync.id);
    for (let n = 0; n < 200 && outcome.kind === "gave_way"; n++) outcome = await kit.runs.run(sync.id);
    return outcome;
  };
  return {
    ...kit,
    sync: sync.id,
    run,
    scan: async () => {
      kit.advance(DAY);
      return run();
    },
    last: async () => (await kit.syncs.findSync(sync.id))!.cursor.lastScan!,
    told: async (from = 0) => (await kit.all(sync.id)).slice(from).map((it) => `${it.kind} ${it.object}`),
    asked: (path: string) => kit.simulator.requests().filter((it) => it.path === `${ROOT}/${path}`).length,
  };
}

const told = async (kit: Kit, sync: SyncId) => (await kit.all(sync)).map(({ object }) => object).toSorted();

test("a scan of chosen workspaces lists these alone, one after the other, and is proven", async () => {
  const kit = await scoped([ONE, OTHER], { pageSize: 5 });
  expect(await kit.run()).toMatchObject({ kind: "complete" });
  expect(await told(kit, kit.sync)).toEqual(inside(kit, [ONE, OTHER]));
  expect(await kit.last()).toMatchObject({ proven: true, documents: inside(kit, [ONE, OTHER]).length });
  expect(kit.asked("documents")).toBe(0);
  // What is gone without a word of the feed is told by the next.
  vanish(kit, ["ACTIVE!1002.1"]);
  const before = (await kit.told()).length;
  await kit.scan();
  expect(await kit.told(before)).toEqual(["document.deleted ACTIVE!1002.1"]);
});

test("a workspace of a few documents in a library of 20,000 costs a few calls", async () => {
  const kit = await scoped([`${LIBRARY}!1`], {}, ({ simulator }) =>
    simulator.libraries.patch(5948, LIBRARY, {
      ...{ documents: [], workspaces: [], folders: [] },
      generated: { documents: 20_000, workspaces: 2_000, seed: 7, private_share: 0 },
    }),
  );
  expect(await kit.run()).toMatchObject({ kind: "complete" });
  const { documents, proven } = await kit.last();
  expect(proven).toBe(true);
  expect(documents).toBeGreaterThan(0);
  expect(kit.asked("documents")).toBe(0);
  expect(kit.asked(`workspaces/${LIBRARY}!1/documents`)).toBeLessThanOrEqual(Math.ceil(documents / 10) + 1);
});

test("killed after any page, a scan of workspaces goes on with the workspace and the page it stood at", async () => {
  const kit = await scoped([ONE, OTHER], { pageSize: 3 });
  let runs = 0;
  for (let kind = ""; kind !== "complete" && runs < 60; runs++) {
    // Dead at its second page, whatever it was about to do.
    const syncs = dyingAfter(kit.ports.syncs, "commitPage", 2);
    const dying = new SyncRuns({ ...kit.ports, syncs }, { pageSize: 3 });
    kind = await dying.run(kit.sync).then(
      (outcome) => outcome.kind,
      () => "killed",
    );
    kit.advance(60_000);
  }
  expect(runs).toBeGreaterThan(4);
  expect(await told(kit, kit.sync)).toEqual(inside(kit, [ONE, OTHER]));
  expect(await kit.last()).toMatchObject({ proven: true });
});

test("an iManage that does not list workspaces is asked for the whole library, and told is what lies in them", async () => {
  const kit = await scoped([ONE, OTHER], {}, ({ simulator }) =>
    simulator.setSwitches({ missing_resources: ["workspaces/:workspace/documents"] }),
  );
  expect(await kit.run()).toMatchObject({ kind: "complete" });
  expect(await told(kit, kit.sync)).toEqual(inside(kit, [ONE, OTHER]));
  expect(await kit.last()).toMatchObject({ proven: true });
  expect(kit.asked(`workspaces/${ONE}/documents`)).toBe(1);
  expect(kit.asked(`workspaces/${OTHER}/documents`)).toBe(0);
});

test.each([
  [403, "workspace_refused"],
  [404, "workspace_refused"],
])(
  "a workspace whose list answers %i, and which is there, proves nothing: no deletion is told",
  async (status, flaw) => {
    const kit = await scoped([ONE, OTHER]);
    await kit.run();
    const before = (await kit.told()).length;
    vanish(kit, ["ACTIVE!1001.1", "ACTIVE!1002.1"]);
    kit.simulator.addFault({
      on: { route: "api", path_starts_with: `${ROOT}/workspaces/${OTHER}/documents` },
      times: "always",
      do: { answer: { status } },
    });
    expect(await kit.scan()).toMatchObject({ kind: "complete" });
    expect(await kit.last()).toMatchObject({ proven: false, flaw });
    expect(await kit.told(before)).toEqual([]);
  },
);

test("a workspace that is gone, while others are listed, takes with it the documents that iManage has no more", async () => {
  const kit = await scoped([ONE, OTHER, "ACTIVE!99"], { brake: { objects: 3, share: 0.1 } });
  await kit.run();
  expect(await kit.last()).toMatchObject({ proven: true });
  const before = (await kit.told()).length;
  const gone = inside(kit, [OTHER]);
  vanish(kit, gone);
  kit.simulator.edit(LIBRARY, { kind: "container", id: OTHER, change: { deleted: true } });
  expect(await kit.scan()).toMatchObject({ kind: "parked", code: "deletions_held" });
  await releaseDeletions(kit.ports, kit.sync, NOTE);
  expect(await kit.run()).toMatchObject({ kind: "complete" });
  expect((await kit.told(before)).toSorted()).toEqual(gone.map((id) => `document.deleted ${id}`));
});

test("a row that names no workspace is not told as deleted: neither by the whole library's list nor by the feed", async () => {
  const kit = await scoped([ONE]);
  await kit.run();
  const before = (await kit.told()).length;
  const [id] = inside(kit, [ONE]);
  const all = kit.ports.documents;
  const nameless = <T extends object>(of: T): T => ({ ...of, workspaceId: undefined });
  const documents = new Proxy(all, {
    get: (target, name) =>
      name === "readDocument"
        ? async (...of: Parameters<typeof all.readDocument>) => {
            const answer = await all.readDocument(...of);
            return answer.kind === "ok" && answer.value
              ? { ...answer, value: nameless(answer.value) }
              : answer;
          }
        : name === "listDocuments"
          ? async (...[server, token, query]: Parameters<typeof all.listDocuments>) => {
              if (query.workspace !== undefined) return { kind: "unavailable", reason: "status_404" };
              const answer = await all.listDocuments(server, token, query);
              return answer.kind === "ok"
                ? { ...answer, value: { ...answer.value, documents: answer.value.documents.map(nameless) } }
                : answer;
            }
          : (Reflect.get(target, name) as () => void).bind(target),
  });
  const runs = new SyncRuns({ ...kit.ports, documents }, { pageSize: 10 });
  kit.simulator.editDocument(LIBRARY, id!, { name: "Renamed" });
  kit.advance(DAY);
  expect(await runs.run(kit.sync)).toMatchObject({ kind: "complete" });
  expect(await kit.last()).toMatchObject({ proven: true });
  const kinds = new Set((await kit.told(before)).map((it) => it.split(" ")[0]));
  expect([...kinds]).toEqual(["document.changed"]);
});

test("a move out of the workspaces is told by the feed; many at once wait for a scan and its brake", async () => {
  const brake = { objects: 3, share: 0.1 };
  const kit = await scoped([ONE], { brake });
  await kit.run();
  const before = (await kit.told()).length;
  const [first, ...rest] = inside(kit, [ONE]);
  const move = (id: string) => kit.simulator.edit(LIBRARY, { kind: "move", id, workspace_id: OTHER });
  move(first!);
  kit.advance(600_000);
  await kit.run();
  expect(await kit.told(before)).toEqual([`document.deleted ${first}`]);

  for (const id of rest.slice(0, 5)) move(id);
  kit.advance(600_000);
  expect(await kit.run()).toMatchObject({ kind: "parked", code: "deletions_held" });
  expect(await kit.told(before + 1)).toEqual([]);
  await releaseDeletions(kit.ports, kit.sync, NOTE);
  await kit.run();
  expect((await kit.told(before + 1)).toSorted()).toEqual(
    rest.slice(0, 5).map((id) => `document.deleted ${id}`),
  );
});

test("what a workspace's list shows without naming a workspace lies in that one", async () => {
  const kit = await scoped([ONE, OTHER]);
  const all = kit.ports.documents;
  const documents = new Proxy(all, {
    get: (target, name) =>
      name === "listDocuments"
        ? async (...of: Parameters<typeof all.listDocuments>) => {
            const answer = await all.listDocuments(...of);
            if (answer.kind !== "ok") return answer;
            const nameless = answer.value.documents.map((it) => ({ ...it, workspaceId: undefined }));
            return { ...answer, value: { ...answer.value, documents: nameless } };
          }
        : (Reflect.get(target, name) as () => void).bind(target),
  });
  await new SyncRuns({ ...kit.ports, documents }, { pageSize: 10 }).run(kit.sync);
  expect(await told(kit, kit.sync)).toEqual(inside(kit, [ONE, OTHER]));
  expect(await kit.last()).toMatchObject({ proven: true });
});

test("a list that begins to name workspaces otherwise lets nobody go: the scan asks by id, and what is inside stays", async () => {
  const kit = await scoped([ONE]);
  await kit.run();
  const before = (await kit.told()).length;
  const all = kit.ports.documents;
  const documents = new Proxy(all, {
    get: (target, name) =>
      name === "listDocuments"
        ? async (...of: Parameters<typeof all.listDocuments>) => {
            const answer = await all.listDocuments(...of);
            if (answer.kind !== "ok") return answer;
            const renamed = answer.value.documents.map((it) => ({ ...it, workspaceId: "W-11" }));
            return { ...answer, value: { ...answer.value, documents: renamed } };
          }
        : (Reflect.get(target, name) as () => void).bind(target),
  });
  kit.advance(DAY);
  expect(await new SyncRuns({ ...kit.ports, documents }, { pageSize: 10 }).run(kit.sync)).toMatchObject({
    kind: "complete",
  });
  expect(await kit.told(before)).toEqual([]);
  expect((await kit.syncs.findSync(kit.sync))!.counts.objects).toBe(before);
});
