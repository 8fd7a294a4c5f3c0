import { describe, expect, test } from "vitest";
import { playEdits, readEdits } from "../../src/simulator/play-edits.ts";
import type { Simulator } from "../../src/simulator/start-simulator.ts";
import { api, CLIENT, LIBRARIES, NOON, simulator } from "./visitor.ts";

async function editing(documents = 400) {
  const sim = await simulator();
  sim.libraries.put({
    customer_id: 5948,
    id: "BIG",
    nrtadmin_role: ["amelia.hart"],
    generated: { documents, workspaces: 12 },
  });
  const { access_token } = sim.issueTokens({ client_id: CLIENT, user: "amelia.hart" });
  return { sim, get: (path: string) => api(sim, `${LIBRARIES}/BIG/${path}`, access_token) };
}

const post = async (sim: Simulator, path: string, body: unknown, method = "POST") => {
  const response = await fetch(sim.controlUrl + path, {
    method,
    headers: { "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: asserted on below
  return { status: response.status, body: (await response.json()) as any };
};

describe("an edit", () => {
  test("deletes a document, brings it back from the trash as it was, and purges it for good", async () => {
    const { sim, get } = await editing();
    const before = (await get("documents/BIG!1003.1")).body;
    sim.edit("BIG", { kind: "document", id: "BIG!1003.1", change: { deleted: true } });
    expect((await get("documents/BIG!1003.1")).status).toBe(404);
    sim.edit("BIG", { kind: "restore", id: "BIG!1003.1" });
    expect((await get("documents/BIG!1003.1")).body).toEqual(before);
    sim.edit(
      "BIG",
      { kind: "document", id: "BIG!1003.1", change: { deleted: true } },
      { kind: "purge", id: "BIG!1003.1" },
    );
    expect(() => sim.edit("BIG", { kind: "restore", id: "BIG!1003.1" })).toThrow("in the trash");
    expect(sim.documents("BIG").total).toBe(399);
    const { data } = (await get("change-events")).body;
    expect(data.map((event: { action_type: string }) => event.action_type)).toEqual([
      "delete",
      "restored_from_trash",
      "delete",
      "purged_from_trash",
    ]);
  });

  test("moves a document to another workspace with its client and matter, unlinks and links it, and keeps its date", async () => {
    const { sim, get } = await editing();
    const before = (await get("documents/BIG!1004.1")).body.data;
    const target = (await get("workspaces")).body.data.find(
      ({ id }: { id: string }) => id !== before.workspace_id,
    );
    sim.edit("BIG", { kind: "move", id: "BIG!1004.1", workspace_id: target.id });
    expect((await get("documents/BIG!1004.1")).body.data).toEqual({
      ...before,
      workspace_id: target.id,
      workspace_name: target.name,
      custom1: target.custom1,
      custom2: target.custom2,
    });
    expect((await get("change-events")).body.data).toMatchObject([
      { action_type: "document_unlink", object_id: "BIG!1004.1", root_id: before.workspace_id },
      { action_type: "document_link", object_id: "BIG!1004.1", root_id: target.id },
    ]);
    expect(() => sim.edit("BIG", { kind: "move", id: "BIG!1004.1", workspace_id: "BIG!77777" })).toThrow(
      "no workspace",
    );
  });

  test("adds a version under an id of its own; by switch the older one leaves the lists, and can still be read", async () => {
    const { sim, get } = await editing();
    sim.edit("BIG", { kind: "version", id: "BIG!1005.1", change: { name: "Second" } });
    const listed = async () =>
      sim
        .documents("BIG", { offset: 3, limit: 3 })
        .documents.map(({ id }) => id)
        .join(" ");
    expect(await listed()).toBe("BIG!1004.1 BIG!1005.2 BIG!1006.1");
    expect((await get("documents/BIG!1005.1")).body.data.version).toBe(1);
    expect((await get("documents/BIG!1005.2")).body.data).toMatchObject({ name: "Second", version: 2 });
    sim.setSwitches({ new_version: "adds" });
    sim.edit("BIG", { kind: "version", id: "BIG!1005.2" });
    expect(await listed()).toBe("BIG!1004.1 BIG!1005.2 BIG!1005.3");
    expect((await get("change-events")).body.data).toMatchObject([
      { action_type: "insert", object_id: "BIG!1005.2", related_object_id: "BIG!1005.1" },
      { action_type: "insert", object_id: "BIG!1005.3" },
    ]);
  });

  test("comes from another process, many at once, and one that cannot be read changes nothing", async () => {
    const { sim } = await editing();
    const edits = [
      { kind: "document", id: "BIG!1001.1", change: { name: "One" } },
      { kind: "security", id: "BIG!1002.1", visible_to: ["e.moreau"] },
    ];
    const refused = await post(sim, "edits", { library: "BIG", edits: [...edits, { kind: "explode" }] });
    expect(refused.status).toBe(400);
    expect(sim.edits()).toEqual([]);
    const { body } = await post(sim, "edits", { library: "BIG", edits });
    expect(body).toHaveLength(2);
    expect((await post(sim, "edits?after=1", undefined, "GET")).body).toMatchObject([
      { seq: 2, library: "5948/BIG", kind: "security", event: { object_id: "BIG!1002.1" } },
    ]);
    const page = await post(sim, "documents?library=BIG&limit=1", undefined, "GET");
    expect(page.body).toMatchObject({ total: 400, documents: [{ name: "One" }] });
  });

  test("lasts: a state file holds the recipe and what differs from it", async () => {
    const { sim } = await editing();
    sim.startActivity({ library: "BIG", count: 50, kinds: ["changed", "created", "deleted", "version"] });
    const kept = sim.libraries.find(5948, "BIG")!;
    const other = await simulator();
    other.libraries.put(structuredClone(kept));
    expect(other.documents("BIG")).toEqual(sim.documents("BIG"));
    expect(kept.documents.length).toBeLessThan(60);
  });
});

describe("an activity", () => {
  const EVERY_KIND = [
    ...["changed", "created", "deleted", "restored", "moved", "version", "security"],
    ...["container", "group", "user"],
  ];

  test("makes the same edits for the same seed, of every kind, and tells each of them once", async () => {
    const run = async (seed: number) => {
      const { sim, get } = await editing();
      const { made, running } = sim.startActivity({ library: "BIG", count: 300, kinds: EVERY_KIND, seed });
      expect([made, running]).toEqual([300, false]);
      const edits = sim.edits().filter(({ library }) => library === "5948/BIG");
      sim.setSwitches({ change_events_page: 10_000 });
      expect((await get("change-events")).body.data).toEqual(edits.map(({ event }) => event));
      return edits;
    };
    const edits = await run(7);
    expect(await run(7)).toEqual(edits);
    expect(await run(8)).not.toEqual(edits);
    const kinds = new Set(edits.map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(
      ["container", "document", "group", "move", "restore", "security", "user", "version"].sort(),
    );
  });

  test("goes on at its rate of real time until it has made its share or is stopped", async () => {
    const { sim } = await editing();
    const began = performance.now();
    const { body } = await post(sim, "activity", { library: "BIG", per_second: 200, count: 60 });
    await sim.waitFor((event) => event?.type === "activity_ended" && event.activity === body.id);
    // 60 at 200 a second take 300 ms, and never less.
    expect(performance.now() - began).toBeGreaterThan(290);
    expect(sim.edits().length).toBeGreaterThanOrEqual(60);
    expect(sim.activities()).toMatchObject([{ made: 60, running: false }]);

    const endless = sim.startActivity({ library: "BIG", per_second: 500, kinds: ["changed"] });
    await sim.waitFor(() => sim.activities()[1]!.made > 5);
    const stopped = (await post(sim, `activity/${endless.id}`, undefined, "DELETE")).body;
    expect(stopped).toMatchObject([{ id: endless.id, running: false }]);
    const made = sim.edits().length;
    expect(sim.edits().filter(({ event }) => event.action_type === "update").length).toBeGreaterThan(5);
    await sim.close();
    expect(sim.edits()).toHaveLength(made);
  });

  test("needs a rate or a count, and a library that is there", async () => {
    const { sim } = await editing();
    expect((await post(sim, "activity", { library: "BIG" })).status).toBe(400);
    expect((await post(sim, "activity", { library: "NONE", count: 1 })).status).toBe(400);
  });
});

describe("a script of edits", () => {
  test("is played in its order and at its times", async () => {
    const { sim } = await editing();
    const script = readEdits(
      [
        "# Somebody works.",
        '{"library":"BIG","kind":"document","id":"BIG!1001.1","change":{"name":"First"}}',
        '{"library":"BIG","at":0.05,"kind":"document","id":"BIG!1001.1","change":{"name":"Second"}}',
        "",
        '{"library":"ACTIVE","kind":"document","id":"ACTIVE!1001.1","change":{"deleted":true}}',
      ].join("\n"),
    );
    expect(script.map(({ at }) => at)).toEqual([0, 0.05, 0.05]);
    const began = performance.now();
    expect(await playEdits(script, (library, edits) => sim.edit(library, ...edits))).toBe(3);
    expect(performance.now() - began).toBeGreaterThan(45);
    expect(sim.documents("BIG", { limit: 1 }).documents[0]).toMatchObject({
      name: "Second",
      edit_date: new Date(NOON).toISOString(),
    });
    expect(sim.documents("ACTIVE").total).toBe(23);
  });

  test("names the line that it cannot read", () => {
    const line = '{"library":"BIG","kind":"restore","id":"x"}';
    expect(() => readEdits(`${line}\n{"library":"BIG","kind":"explode"}`)).toThrow("line 2");
  });
});

describe("calls", () => {
  test("are counted by what they ask for and by library", async () => {
    const { sim, get } = await editing();
    await get("documents?limit=1");
    await get("documents/BIG!1001.1");
    await get("documents/BIG!1002.1");
    await get("workspaces/BIG!1/children");
    expect(sim.counts()).toMatchObject({
      resources: {
        "GET documents": 1,
        "GET documents/:document": 2,
        "GET workspaces/:workspace/children": 1,
      },
      calls_by_library: { BIG: 4 },
      concurrent_calls_max: 1,
    });
  });

  test("too many at once are turned down by switch, and the others are served", async () => {
    const { sim, get } = await editing();
    sim.setSwitches({ concurrent_calls: { calls: 2, status: "503" } });
    sim.addFault({ id: "slow", on: { route: "api" }, times: 2, do: { hold_before: true } });
    const slow = [get("documents/BIG!1001.1"), get("documents/BIG!1002.1")];
    await sim.waitFor(() => sim.held().length === 2);
    expect((await get("documents/BIG!1003.1")).status).toBe(503);
    sim.release();
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await get("documents/BIG!1003.1")).status).toBe(200);
    expect(sim.counts().concurrent_calls_max).toBe(3);
  });
});
