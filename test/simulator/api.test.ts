import { describe, expect, test } from "vitest";
import { defaultWorld } from "../../src/simulator/start-simulator.ts";
import { api, CLIENT, LIBRARIES, simulator } from "./visitor.ts";

async function signedIn(user = "amelia.hart") {
  const sim = await simulator();
  const { access_token } = sim.issueTokens({ client_id: CLIENT, user });
  return { sim, access_token, get: (path: string) => api(sim, path, access_token) };
}

describe("discovery", () => {
  test("reads like the captured answer", async () => {
    const { sim, get } = await signedIn();
    const { status, body } = await get("/api");
    expect(status).toBe(200);
    expect(body).toEqual({
      data: {
        app: { id: CLIENT },
        auth_status: "authenticated",
        capabilities: ["app_store", "global_users", "oauth"],
        dms_version: "10.2.3812",
        user: {
          id: "amelia.hart",
          name: "Amelia Hart",
          email: "amelia.hart@hartlowell.example",
          customer_id: 5948,
          ssid: expect.any(String),
          user_type: "enterprise",
        },
        versions: [{ name: "v2", url: `${sim.origin}/work/api/v2`, version: "2.1.1094" }],
        work: {
          libraries: [
            { alias: "ACTIVE", type: "worksite", status: "ready" },
            { alias: "LITIGATION", type: "worksite", status: "ready" },
          ],
          preferred_library: "ACTIVE",
        },
      },
    });
  });

  test("says 200 and unauthenticated to a dead token, or 401 by switch", async () => {
    const sim = await simulator();
    const answer = await api(sim, "/api", "sim_at_none");
    expect(answer.status).toBe(200);
    expect(answer.body.data.auth_status).toBe("unauthenticated");
    expect(answer.body.data).not.toHaveProperty("user");
    sim.setSwitches({ unauthenticated_discovery: "401" });
    expect((await api(sim, "/api", "sim_at_none")).status).toBe(401);
  });

  test("links to the public origin where there is one", async () => {
    const sim = await simulator({ publicOrigin: "https://firm.example" });
    const { access_token } = sim.issueTokens({ client_id: CLIENT, user: "amelia.hart" });
    const response = await fetch(`${sim.localOrigin}/api`, { headers: { "x-auth-token": access_token } });
    expect(await response.json()).toMatchObject({
      data: { versions: [{ url: "https://firm.example/work/api/v2" }] },
    });
  });
});

describe("libraries", () => {
  test("are those the user may enter, hidden ones marked", async () => {
    const { get } = await signedIn();
    expect((await get(LIBRARIES)).body).toEqual({
      data: [
        { id: "ACTIVE", type: "worksite", is_hidden: false, display_name: "Active matters" },
        { id: "LITIGATION", type: "worksite", is_hidden: false, display_name: "Litigation" },
        { id: "TEMPLATES", type: "worksite", is_hidden: true, display_name: "Templates" },
      ],
      total_count: 3,
    });
  });

  test("of another customer are forbidden, and so is one the user is no member of", async () => {
    const { get } = await signedIn("d.lindqvist");
    const stranger = await get("/work/api/v2/customers/6021/libraries");
    expect(stranger.status).toBe(403);
    expect(stranger.body.error.code).toEqual(expect.any(String));
    expect((await get(`${LIBRARIES}/LITIGATION/documents`)).status).toBe(403);
    expect((await get(`${LIBRARIES}/NOWHERE/documents`)).status).toBe(404);
    expect((await get(`${LIBRARIES}/BW_ACTIVE/documents`)).status).toBe(404);
  });

  test("tell the NRTADMIN role by operations and the group by groups, each by itself", async () => {
    const { sim, get } = await signedIn("b.okafor");
    const operations = await get(`${LIBRARIES}/LITIGATION/operations`);
    expect(operations.body.data.m2_bits.use_admin_tool).toBe(false);
    const groups = await get(`${LIBRARIES}/LITIGATION/users/b.okafor/groups?alias=NRTADMIN`);
    expect(groups.body).toMatchObject({ data: [{ id: "NRTADMIN" }], total_count: 1 });

    sim.libraries.patch(5948, "LITIGATION", { nrtadmin_group: [], nrtadmin_role: ["b.okafor"] });
    expect((await get(`${LIBRARIES}/LITIGATION/operations`)).body.data).toEqual({
      m2_bits: { use_admin_tool: true },
      m4_bits: { tier: 1, admin_tier_1: true, admin_tier_2: false, admin_tier_3: false },
    });
    const none = await get(`${LIBRARIES}/LITIGATION/users/b.okafor/groups?alias=NRTADMIN`);
    expect(none.body).toEqual({ data: [], total_count: 0 });
  });

  test("show another user's groups only to an administrator", async () => {
    const { get } = await signedIn("e.moreau");
    expect((await get(`${LIBRARIES}/ACTIVE/users/amelia.hart/groups`)).status).toBe(403);
  });

  test("do not know a user who was deleted, and do not tell one who is locked from others", async () => {
    const { sim, get } = await signedIn("b.okafor");
    const groups = () => get(`${LIBRARIES}/ACTIVE/users/amelia.hart/groups?alias=NRTADMIN`);
    sim.users.patch(5948, "amelia.hart", { locked: true });
    expect(await groups()).toMatchObject({ status: 200, body: { data: [{ id: "NRTADMIN" }] } });
    sim.users.remove(5948, "amelia.hart");
    expect((await groups()).status).toBe(404);
  });
});

describe("documents", () => {
  const list = `${LIBRARIES}/ACTIVE/documents`;

  test("come by offset, with a total only when asked", async () => {
    const { get } = await signedIn();
    const first = await get(`${list}?limit=10&offset=0&total=true`);
    expect(first.body.data.results).toHaveLength(10);
    expect(first.body.total_count).toBe(24);
    const last = await get(`${list}?limit=10&offset=20`);
    expect(last.body.data.results).toHaveLength(4);
    expect(last.body).not.toHaveProperty("total_count");
    expect((await get(list)).body.data.results).toHaveLength(24);
  });

  test("come by cursor, each once, and the last page has none", async () => {
    const { get } = await signedIn();
    const seen: string[] = [];
    let cursor: string | undefined = "";
    let pages = 0;
    while (cursor !== undefined) {
      const { body } = await get(`${list}?limit=10&paging_mode=standard_cursor&cursor=${cursor}`);
      seen.push(...body.data.results.map(({ id }: { id: string }) => id));
      cursor = body.cursor;
      pages += 1;
    }
    expect(pages).toBe(3);
    expect(new Set(seen).size).toBe(24);
    expect(seen).toHaveLength(24);
  });

  test("do not slip past a cursor when one before it is deleted, as they do past an offset", async () => {
    const { sim, get } = await signedIn();
    const [byCursor, byOffset] = [
      await get(`${list}?limit=10&paging_mode=standard_cursor`),
      await get(`${list}?limit=10`),
    ];
    sim.editDocument("ACTIVE", byOffset.body.data.results[0].id, { deleted: true });
    const next = await get(`${list}?limit=10&paging_mode=standard_cursor&cursor=${byCursor.body.cursor}`);
    expect(next.body.data.results[0].id).toBe("ACTIVE!1011.1");
    expect((await get(`${list}?limit=10&offset=10`)).body.data.results[0].id).toBe("ACTIVE!1012.1");
  });

  test("refuse a cursor of another question and one that is made up", async () => {
    const { get } = await signedIn();
    const { body } = await get(`${list}?limit=5&paging_mode=standard_cursor`);
    const elsewhere = `${LIBRARIES}/LITIGATION/documents?paging_mode=standard_cursor&cursor=${body.cursor}`;
    expect((await get(elsewhere)).status).toBe(400);
    const madeUp = await get(`${list}?paging_mode=standard_cursor&cursor=abc`);
    expect(madeUp.status).toBe(400);
    expect(madeUp.body.error.messages[0].field).toBe("cursor");
  });

  test.each(["limit=0", "limit=10000", "limit=ten", "offset=-1", "edit_date_from=yesterday"])(
    "refuse %s and name the field",
    async (query) => {
      const { get } = await signedIn();
      const { status, body } = await get(`${list}?${query}`);
      expect(status).toBe(400);
      expect(body.error.messages[0].field).toBe(query.split("=")[0]);
    },
  );

  test("are found by when they were edited, in UTC with milliseconds", async () => {
    const { sim, get } = await signedIn();
    const from = new Date(sim.now()).toISOString();
    expect((await get(`${list}?edit_date_from=${from}`)).body.data.results).toEqual([]);
    sim.advance(1000);
    sim.editDocument("ACTIVE", "ACTIVE!1003.1", { name: "Renamed" });
    const { body } = await get(`${list}?edit_date_from=${from}`);
    expect(body.data.results).toMatchObject([
      { id: "ACTIVE!1003.1", name: "Renamed", edit_date: "2026-11-20T12:00:01.000Z", custom1: "10042" },
    ]);
    expect((await get(`${list}?edit_date_to=2026-09-01T08:00:00.000Z`)).body.data.results).toHaveLength(1);
  });

  test("come in the order of their numbers, or of their edits by switch", async () => {
    const { sim, get } = await signedIn();
    sim.editDocument("ACTIVE", "ACTIVE!1001.1", { name: "Latest" });
    const lastId = async () => (await get(list)).body.data.results.at(-1).id;
    expect(await lastId()).toBe("ACTIVE!1024.1");
    sim.setSwitches({ document_order: "by_edit_date" });
    expect(await lastId()).toBe("ACTIVE!1001.1");
  });

  test("that are private are seen by their author and by an NRTADMIN, and never say so", async () => {
    const { sim, get } = await signedIn("d.lindqvist");
    expect((await get(`${list}?total=true`)).body.total_count).toBeLessThan(24);
    expect((await get(`${list}/ACTIVE!1005.1`)).status).toBe(404);
    const admin = sim.issueTokens({ client_id: CLIENT, user: "amelia.hart" });
    const { body } = await api(sim, `${list}/ACTIVE!1005.1`, admin.access_token);
    expect(body.data).toMatchObject({ id: "ACTIVE!1005.1", wstype: "document", database: "ACTIVE" });
    expect(body.data).not.toHaveProperty("visible_to");
  });

  test("can be read one by one, with their history, and added", async () => {
    const { sim, get } = await signedIn();
    sim.editDocument("ACTIVE", "ACTIVE!9000.2", { name: "New one", workspace_id: "ACTIVE!11" });
    expect((await get(`${list}/ACTIVE!9000.2`)).body.data).toMatchObject({
      document_number: 9000,
      version: 2,
    });
    expect((await get(`${list}/ACTIVE!9000.2/history`)).body).toMatchObject({
      data: [{ activity: "insert" }],
      total_count: 1,
    });
    expect((await get(`${list}/ACTIVE!1.1`)).status).toBe(404);
    expect((await get(`${list}/ACTIVE!1.1/history`)).status).toBe(404);
  });
});

describe("change events", () => {
  const feed = `${LIBRARIES}/ACTIVE/change-events`;

  test("go on from a cursor and say overflow while there is more", async () => {
    const { sim, get } = await signedIn();
    sim.setSwitches({ change_events_page: 20 });
    const first = await get(feed);
    expect([first.body.data.length, first.body.overflow]).toEqual([20, true]);
    const second = await get(`${feed}?cursor=${first.body.cursor}`);
    expect([second.body.data.length, second.body.overflow]).toEqual([4, false]);

    sim.editDocument("ACTIVE", "ACTIVE!1002.1", { name: "Changed" });
    sim.editDocument("ACTIVE", "ACTIVE!1003.1", { deleted: true });
    const third = await get(`${feed}?cursor=${second.body.cursor}`);
    expect(third.body.data).toMatchObject([
      { action_type: "update", item_type: "document", object_id: "ACTIVE!1002.1", root_id: "ACTIVE!12" },
      { action_type: "delete", item_type: "document", object_id: "ACTIVE!1003.1" },
    ]);
    expect((await get(`${feed}?cursor=${third.body.cursor}`)).body.data).toEqual([]);
  });

  test("are filtered by item type and action", async () => {
    const { sim, get } = await signedIn();
    sim.editDocument("ACTIVE", "ACTIVE!1002.1", { action_type: "profile_update" });
    expect((await get(`${feed}?actions=profile_update,delete&item_types=document`)).body.data).toHaveLength(
      1,
    );
    expect((await get(`${feed}?item_types=user`)).body.data).toEqual([]);
  });

  test("refuse a cursor of another library", async () => {
    const { get } = await signedIn();
    const { body } = await get(`${LIBRARIES}/LITIGATION/change-events`);
    expect((await get(`${feed}?cursor=${body.cursor}`)).status).toBe(400);
  });
});

describe("rate limits", () => {
  test.each([
    ["x-ratelimit-retryafter", "x-ratelimit-retryafter", "60"],
    ["retry-after", "retry-after", "60"],
    ["retry-after-date", "retry-after", "Fri, 20 Nov 2026 12:01:00 GMT"],
  ] as const)("answer 429 with %s when the window is used up", async (header, name, value) => {
    const { sim, get } = await signedIn();
    sim.setSwitches({ rate_limit: { requests: 2, window_seconds: 60, header } });
    expect((await get(LIBRARIES)).headers.get("x-ratelimit-remaining")).toBe("1");
    await get(LIBRARIES);
    const refused = await get(LIBRARIES);
    expect(refused.status).toBe(429);
    expect(refused.headers.get(name)).toBe(value);
    expect(refused.headers.get("x-ratelimit-reset")).toBe("60");
    sim.advance(60_000);
    expect((await get(LIBRARIES)).status).toBe(200);
  });

  test("may come without any word on when to return", async () => {
    const { sim, get } = await signedIn();
    sim.setSwitches({ rate_limit: { requests: 1, window_seconds: 60, header: "none" } });
    await get(LIBRARIES);
    const { status, headers } = await get(LIBRARIES);
    expect(status).toBe(429);
    expect([headers.get("retry-after"), headers.get("x-ratelimit-retryafter")]).toEqual([null, null]);
  });

  test("are per application and customer", async () => {
    const { sim, get } = await signedIn();
    sim.setSwitches({ rate_limit: { requests: 1, window_seconds: 60, header: "none" } });
    await get(LIBRARIES);
    const other = sim.issueTokens({ client_id: CLIENT, user: "s.castellan" });
    expect((await api(sim, "/work/api/v2/customers/6021/libraries", other.access_token)).status).toBe(200);
  });
});

test("an address that does not exist answers 404 in iManage's envelope", async () => {
  const { get } = await signedIn();
  const { status, body } = await get("/work/api/v2/nothing");
  expect(status).toBe(404);
  expect(body.error).toHaveProperty("code_message");
});

test("the default world is the same every time and belongs to one simulator only", async () => {
  const [one, other] = [await simulator(), await simulator()];
  expect(one.world).toEqual(other.world);
  one.editDocument("ACTIVE", "ACTIVE!1001.1", { name: "Only here" });
  expect(other.libraries.find(5948, "ACTIVE")?.documents[0]?.name).not.toBe("Only here");
  expect(defaultWorld().libraries.flatMap(({ documents }) => documents)).toHaveLength(47);
});
