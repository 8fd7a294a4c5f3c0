import { describe, expect, test } from "vitest";
import { api, CLIENT, LIBRARIES, simulator } from "./visitor.ts";

const BIG = {
  customer_id: 5948,
  id: "BIG",
  nrtadmin_group: ["amelia.hart"],
  nrtadmin_role: ["amelia.hart"],
  generated: { documents: 3_000, workspaces: 40, private_share: 0.2 },
};

async function signedIn(user = "amelia.hart") {
  const sim = await simulator();
  sim.libraries.put(BIG);
  const { access_token } = sim.issueTokens({ client_id: CLIENT, user });
  return { sim, get: (path: string) => api(sim, `${LIBRARIES}/${path}`, access_token), access_token };
}

// biome-ignore lint/suspicious/noExplicitAny: what a server answers is anything
const ids = (of: any[]): string[] => of.map(({ id }) => id);

describe("workspaces", () => {
  test("come by offset and by cursor, each once, with client and matter, in either envelope", async () => {
    const { sim, get } = await signedIn();
    const all = (await get("BIG/workspaces")).body;
    expect(all).toMatchObject({ total_count: 40 });
    expect(all.data[0]).toEqual({
      id: "BIG!1",
      database: "BIG",
      name: expect.stringContaining("–"),
      description: "",
      owner: expect.any(String),
      create_date: expect.any(String),
      edit_date: expect.any(String),
      default_security: "public",
      custom1: expect.stringMatching(/^\d+$/),
      custom2: expect.stringMatching(/^\d{4}$/),
      wstype: "workspace",
    });
    const byOffset = (await get("BIG/workspaces?limit=7&offset=35")).body.data;
    expect(ids(byOffset)).toEqual(ids(all.data).slice(35));
    const byCursor: string[] = [];
    let cursor: string | undefined = "";
    while (cursor !== undefined) {
      const { body } = await get(`BIG/workspaces?limit=13&paging_mode=standard_cursor&cursor=${cursor}`);
      byCursor.push(...ids(body.data));
      cursor = body.cursor;
    }
    expect(byCursor).toEqual(ids(all.data));
    sim.setSwitches({ container_lists: "results" });
    expect((await get("BIG/workspaces?limit=2&total=true")).body).toEqual({
      data: { results: all.data.slice(0, 2) },
      total_count: 40,
    });
  });

  test("hold folders, folders hold folders and documents, and every document is found in one place", async () => {
    const { sim, get } = await signedIn();
    const seen = new Set<string>();
    for (const workspace of ids((await get("BIG/workspaces")).body.data).slice(0, 6)) {
      const inside = ids((await get(`BIG/workspaces/${workspace}/documents?limit=9999`)).body.data.results);
      const found: string[] = [];
      const walk = async (path: string): Promise<void> => {
        for (const child of (await get(`BIG/${path}/children?limit=9999`)).body.data) {
          if (child.wstype === "document") found.push(child.id);
          else {
            expect((await get(`BIG/folders/${child.id}`)).body.data.workspace_id).toBe(workspace);
            await walk(`folders/${child.id}`);
          }
        }
      };
      await walk(`workspaces/${workspace}`);
      expect(found.sort()).toEqual(inside.sort());
      for (const id of inside) seen.add(id);
      expect(sim.documents("BIG", { container: workspace }).total).toBe(inside.length);
    }
    expect(seen.size).toBeGreaterThan(100);
  });

  test("show a reader only what he may see", async () => {
    const { sim, get } = await signedIn("d.lindqvist");
    const { body } = await get("BIG/documents?total=true&limit=1");
    expect(body.total_count).toBeLessThan(3_000);
    expect(body.total_count).toBe(sim.documents("BIG", { user: "d.lindqvist", limit: 1 }).total);
    sim.edit("BIG", { kind: "container", id: "BIG!1", change: { visible_to: ["amelia.hart"] } });
    expect((await get("BIG/workspaces/BIG!1")).status).toBe(404);
    expect((await get("BIG/workspaces")).body.total_count).toBe(39);
  });

  test("are added, renamed, moved into one another and deleted, and the feed tells each", async () => {
    const { sim, get } = await signedIn();
    sim.edit(
      "BIG",
      { kind: "container", id: "BIG!9001", change: { name: "New matter", custom1: "777" } },
      { kind: "container", id: "BIG!9002", change: { name: "Inside", parent_id: "BIG!9001" } },
      { kind: "container", id: "BIG!9", change: { name: "Renamed" } },
      { kind: "container", id: "BIG!9002", change: { parent_id: "BIG!9" } },
      { kind: "container", id: "BIG!17", change: { deleted: true } },
      { kind: "container", id: "BIG!9", change: { default_security: "private" } },
    );
    expect((await get("BIG/workspaces/BIG!9001")).body.data).toMatchObject({ custom1: "777" });
    expect((await get("BIG/workspaces/BIG!9001/children")).body.data).toEqual([]);
    expect(ids((await get("BIG/workspaces/BIG!9/children")).body.data)).toContain("BIG!9002");
    expect((await get("BIG/workspaces/BIG!17")).status).toBe(404);
    expect((await get("BIG/workspaces/BIG!9")).body.data.name).toBe("Renamed");
    expect((await get("BIG/workspaces")).body.total_count).toBe(40);
    const { body } = await get("BIG/change-events?item_types=container");
    expect(
      body.data.map((event: Record<string, string>) => [event.action_type, event.object_id, event.root_id]),
    ).toEqual([
      ["insert", "BIG!9001", "BIG!9001"],
      ["insert", "BIG!9002", "BIG!9001"],
      ["profile_update", "BIG!9", "BIG!9"],
      ["container_move", "BIG!9002", "BIG!9"],
      ["delete", "BIG!17", "BIG!17"],
      ["security_update", "BIG!9", "BIG!9"],
    ]);
  });

  test("of the default world are there too", async () => {
    const { get } = await signedIn();
    expect(ids((await get("ACTIVE/workspaces")).body.data)).toEqual(["ACTIVE!11", "ACTIVE!12"]);
    expect((await get("ACTIVE/workspaces/ACTIVE!11/children")).body.data).toMatchObject([
      { id: "ACTIVE!111", has_subfolders: false },
      { id: "ACTIVE!112" },
    ]);
    expect((await get("ACTIVE/workspaces/ACTIVE!11/documents?total=true")).body.total_count).toBe(12);
    expect((await get("ACTIVE/folders/ACTIVE!111/documents?total=true")).body.total_count).toBe(6);
    expect((await get("ACTIVE/workspaces/ACTIVE!999")).status).toBe(404);
    expect((await get("ACTIVE/folders/ACTIVE!11")).status).toBe(404);
  });
});

test("a list of documents heeds workspace_id by switch alone", async () => {
  const { sim, get } = await signedIn();
  const count = async () =>
    (await get("ACTIVE/documents?workspace_id=ACTIVE!11&total=true")).body.total_count;
  expect(await count()).toBe(24);
  sim.setSwitches({ workspace_filter: "works" });
  expect(await count()).toBe(12);
});

describe("users and groups", () => {
  test("of a library are those who may enter, and what groups they are in", async () => {
    const { sim, get } = await signedIn();
    expect(ids((await get("LITIGATION/users")).body.data)).toEqual([
      "amelia.hart",
      "b.okafor",
      "clara.voss",
      "e.moreau",
    ]);
    expect((await get("LITIGATION/users/d.lindqvist")).status).toBe(404);
    sim.edit(
      "LITIGATION",
      { kind: "group", id: "TAX", change: { full_name: "Tax team", members: ["e.moreau"] } },
      { kind: "user", id: "e.moreau", change: { name: "Élise Moreau-Petit" } },
    );
    expect((await get("LITIGATION/users/e.moreau")).body.data).toMatchObject({
      full_name: "Élise Moreau-Petit",
      allow_logon: true,
    });
    expect(ids((await get("LITIGATION/groups")).body.data)).toEqual(["NRTADMIN", "EVERYONE", "TAX"]);
    expect((await get("LITIGATION/groups/TAX")).body.data).toEqual({
      id: "TAX",
      full_name: "Tax team",
      database: "LITIGATION",
      enabled: true,
      is_external: false,
    });
    expect(ids((await get("LITIGATION/groups/TAX/members")).body.data)).toEqual(["e.moreau"]);
    expect(ids((await get("LITIGATION/groups/NRTADMIN/members")).body.data)).toEqual([
      "b.okafor",
      "clara.voss",
    ]);
    expect((await get("LITIGATION/groups/NONE")).status).toBe(404);

    const told = async (of: string, type: string) =>
      (await get(`${of}/change-events?item_types=${type}`)).body.data.map(
        (event: Record<string, string>) => `${event.action_type} ${event.object_id}`,
      );
    expect(await told("LITIGATION", "group")).toEqual(["insert TAX"]);
    expect(await told("LITIGATION", "user")).toEqual(["update e.moreau"]);
    // Whoever may enter several libraries is told of by each.
    expect(await told("ACTIVE", "user")).toEqual(["update e.moreau"]);
    expect(await told("ACTIVE", "group")).toEqual([]);
  });
});

describe("security", () => {
  test("of a document names users and groups, opens it to them, and its change is told by the feed alone", async () => {
    const { sim, get } = await signedIn("e.moreau");
    const path = "ACTIVE/documents/ACTIVE!1001.1";
    sim.edit(
      "ACTIVE",
      { kind: "group", id: "TAX", change: { members: ["e.moreau"] } },
      { kind: "security", id: "ACTIVE!1001.1", visible_to: ["d.lindqvist", "TAX"] },
    );
    const { body } = await get(`${path}/security`);
    expect(body).toMatchObject({
      data: [
        { id: "d.lindqvist", full_name: "Dag Lindqvist", type: "user" },
        { id: "TAX", type: "group" },
      ],
      total_count: 2,
    });
    expect((await get(`${path}/trustees`)).body).toEqual(body);
    sim.setSwitches({ security_shape: "object" });
    expect((await get(`${path}/security`)).body).toEqual({
      data: { default_security: "private", trustees: body.data },
    });
    expect((await get(path)).body.data.edit_date).toBe("2026-09-01T08:00:00.000Z");

    sim.edit("ACTIVE", { kind: "group", id: "TAX", change: { members: [] } });
    expect((await get(path)).status).toBe(404);
    expect((await get("ACTIVE/change-events?actions=security_update")).body.data).toMatchObject([
      { object_id: "ACTIVE!1001.1", item_type: "document", root_id: "ACTIVE!11" },
    ]);
    sim.setSwitches({ edit_date_of_moves_and_security: "set" });
    sim.edit("ACTIVE", { kind: "security", id: "ACTIVE!1001.1", visible_to: "everyone" });
    expect((await get(path)).body.data).toMatchObject({
      edit_date: "2026-11-20T12:00:00.000Z",
      default_security: "public",
    });
  });
});

describe("a search", () => {
  async function searching() {
    const { sim, access_token } = await signedIn("d.lindqvist");
    const search = async (body: object | string) => {
      const response = await fetch(`${sim.origin}${LIBRARIES}/ACTIVE/documents/search`, {
        method: "POST",
        headers: { "x-auth-token": access_token },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
      // biome-ignore lint/suspicious/noExplicitAny: what a server answers is anything
      return { status: response.status, body: (await response.json()) as any };
    };
    return { sim, search };
  }

  test("finds many documents by their ids or numbers, and is silent on those it does not show", async () => {
    const { search } = await searching();
    const byId = await search({ filters: { id: ["ACTIVE!1003.1", "ACTIVE!1005.1", "ACTIVE!7.1"] } });
    expect(byId.body).toMatchObject({ data: [{ id: "ACTIVE!1003.1" }], overflow: false });
    const byNumber = await search({ filters: { document_number: "1001,1002,1003" }, limit: 2 });
    expect(ids(byNumber.body.data)).toEqual(["ACTIVE!1001.1", "ACTIVE!1002.1"]);
    expect(byNumber.body.overflow).toBe(true);
    expect((await search("{")).status).toBe(400);
  });

  test("may know no ids, or not be there", async () => {
    const { sim, search } = await searching();
    sim.setSwitches({ documents_search: "ignores_ids" });
    const { body } = await search({ filters: { id: "ACTIVE!1003.1" }, limit: 3 });
    expect(body.overflow).toBe(true);
    expect(ids(body.data)).toEqual(["ACTIVE!1001.1", "ACTIVE!1002.1", "ACTIVE!1003.1"]);
    sim.setSwitches({ documents_search: "not_found" });
    expect((await search({})).status).toBe(404);
    sim.setSwitches({ documents_search: "by_filter", missing_resources: ["documents/search"] });
    expect((await search({})).status).toBe(404);
  });
});
