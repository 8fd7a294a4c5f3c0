import { expect, test } from "vitest";
import type { DocumentSource } from "../../src/sync/library-source.ts";
import { loadEach } from "../../src/sync/load-each.ts";
import type { Refusal } from "../../src/sync/refusals.ts";
import { SyncRuns } from "../../src/sync/run-sync.ts";
import { LIBRARY, NOTE, syncKit } from "./kit.ts";

const unavailable = (reason: string): Refusal => ({ kind: "unavailable", reason });

test.each([
  ["deadline", true, 1],
  ["headers_timeout", true, 1],
  ["body_too_large", true, 1],
  ["connection_reset", true, 1],
  ["status_500", true, 1],
  // All of iManage is away.
  ["deadline", false, "deadline"],
  ["status_500", false, 1],
  // This is never about one object.
  ["connection_refused", true, "connection_refused"],
  ["tls_expired", true, "tls_expired"],
])("one that fails by %s while iManage answers otherwise (%s): %s", async (reason, answering, expected) => {
  const of = { load: async (id: string) => (id === "b" ? unavailable(reason) : undefined), patient: false };
  const loaded = await loadEach(["a", "b", "c"], { ...of, isAnswering: async () => answering });
  expect(loaded).toEqual(
    typeof expected === "number" ? { kind: "ok", value: expected } : unavailable(expected),
  );
});

test("whoever is patient fails with the first that fails, and asks for nothing behind it", async () => {
  const asked: number[] = [];
  const load = async (id: number) => {
    asked.push(id);
    return unavailable("deadline");
  };
  const all = Array.from({ length: 20 }, (_, n) => n);
  const loaded = await loadEach(all, { load, patient: true, isAnswering: async () => true });
  expect(loaded).toEqual(unavailable("deadline"));
  expect(asked).toEqual([0, 1, 2, 3]);
});

test("a document, or a group, that iManage never answers for holds up the others for a while, not for ever", async () => {
  const kit = await syncKit();
  const { sync } = await kit.stories.create({
    ...{ caller: kit.caller, server: kit.server, library: LIBRARY, note: NOTE },
    wish: { wants: ["documents", "people"], existing: "skip" },
  });
  while ((await kit.runs.run(sync.id)).kind !== "complete");
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1003.1", { name: "Endless" });
  kit.simulator.editDocument(LIBRARY, "ACTIVE!1004.1", { name: "Sound" });
  kit.simulator.edit(LIBRARY, { kind: "group", id: "TEAM", change: { full_name: "Endless" } });
  const all = kit.ports.documents;
  const documents: DocumentSource = {
    listDocuments: (...of) => all.listDocuments(...of),
    findDocuments: (...of) => all.findDocuments(...of),
    hasWorkspace: (...of) => all.hasWorkspace(...of),
    readEvents: (...of) => all.readEvents(...of),
    readDocument: async (...of) =>
      of[2].id === "ACTIVE!1003.1" ? unavailable("deadline") : all.readDocument(...of),
  };
  const ports = {
    ...kit.ports,
    documents,
    objects: { readObject: async () => unavailable("headers_timeout") },
  };
  const runs = new SyncRuns(ports, { pageSize: 10 });
  const pass = () => {
    kit.advance(300_000);
    return runs.run(sync.id);
  };
  for (let n = 0; n < 5; n++)
    expect(await pass()).toMatchObject({ kind: "postponed", code: "imanage_unavailable" });
  expect(await pass()).toMatchObject({ kind: "complete", changes: 2 });
  expect((await kit.all(sync.id)).slice(-2).map(({ kind, object }) => `${kind} ${object}`)).toEqual([
    "document.changed ACTIVE!1004.1",
    "group.changed TEAM",
  ]);
  expect((await kit.syncs.findSync(sync.id))!.counts).toMatchObject({ unreadable: 1, failures: 0 });
});
