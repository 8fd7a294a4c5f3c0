import { describe, expect, test } from "vitest";
import { api, CLIENT, LIBRARIES, simulator } from "./visitor.ts";

const FEED = `${LIBRARIES}/ACTIVE/change-events`;

async function reading(user = "amelia.hart") {
  const sim = await simulator();
  const { access_token } = sim.issueTokens({ client_id: CLIENT, user });
  const feed = (query = "") => api(sim, FEED + query, access_token);
  const edit = (n: number) => {
    for (let i = 0; i < n; i++) sim.editDocument("ACTIVE", "ACTIVE!1002.1", { name: `Edit ${i}` });
  };
  return { sim, feed, edit, get: (path: string) => api(sim, `${LIBRARIES}/${path}`, access_token) };
}

describe("a feed that forgets", () => {
  test("by number refuses a cursor older than what it keeps, and takes one that has missed nothing", async () => {
    const { sim, feed, edit } = await reading();
    const { cursor } = (await feed()).body;
    sim.setSwitches({ change_events_kept: 5 });
    edit(5);
    const whole = await feed(`?cursor=${cursor}`);
    expect(whole.body.data).toHaveLength(5);
    edit(1);
    const refused = await feed(`?cursor=${cursor}`);
    expect(refused.status).toBe(400);
    expect(refused.body.error.messages[0].field).toBe("cursor");
    expect((await feed(`?cursor=${whole.body.cursor}`)).body.data).toHaveLength(1);
    // Many more, so that the old ones are really dropped.
    edit(40);
    const fresh = (await feed()).body;
    expect(fresh.data).toHaveLength(5);
    expect(fresh.data.at(-1).id).toBe(24 + 46);
    expect((await feed(`?cursor=${fresh.cursor}`)).body.data).toEqual([]);
  });

  test("by age does the same", async () => {
    const { sim, feed, edit } = await reading();
    const { cursor } = (await feed()).body;
    sim.setSwitches({ change_events_kept_seconds: 600 });
    edit(2);
    sim.advance(599_000);
    expect((await feed(`?cursor=${cursor}`)).body.data).toHaveLength(2);
    sim.advance(2_000);
    expect((await feed(`?cursor=${cursor}`)).status).toBe(400);
    edit(1);
    expect((await feed()).body.data).toHaveLength(1);
  });

  test("entirely, and a cursor at its end goes on all the same", async () => {
    const { sim, feed, edit } = await reading();
    sim.setSwitches({ change_events_kept: 0 });
    const { cursor } = (await feed()).body;
    expect((await feed(`?cursor=${cursor}`)).status).toBe(200);
    edit(1);
    expect((await feed(`?cursor=${cursor}`)).status).toBe(400);
  });

  test.each([
    ["410", "imanage", 410, "cursor"],
    ["410", "html", 410, "<h1>"],
    ["400", "empty", 400, ""],
    ["silent", "imanage", 200, "overflow"],
  ] as const)("says so by %s with a body of %s", async (how, body, status, text) => {
    const { sim, edit } = await reading();
    const { access_token } = sim.issueTokens({ client_id: CLIENT, user: "amelia.hart" });
    const feed = (query: string) =>
      fetch(sim.origin + FEED + query, { headers: { "x-auth-token": access_token } });
    const { cursor } = (await (await feed("")).json()) as { cursor: string };
    edit(5);
    sim.setSwitches({
      change_events_kept: 2,
      change_events_expired: how,
      change_events_expired_body: body,
    });
    const answer = await feed(`?cursor=${cursor}`);
    expect(answer.status).toBe(status);
    const told = await answer.text();
    if (text === "") expect(told).toBe("");
    else expect(told).toContain(text);
    if (how === "silent") expect(JSON.parse(told).data).toHaveLength(2);
  });

  test("does not count a cursor as old for events that its filters left out", async () => {
    const { sim, feed, edit } = await reading();
    edit(3);
    const { cursor } = (await feed("?item_types=user")).body;
    sim.setSwitches({ change_events_kept: 1 });
    expect((await feed(`?item_types=user&cursor=${cursor}`)).status).toBe(200);
  });
});

test.each(["404", "405", "501"] as const)("a feed that is missing answers %s", async (status) => {
  const { sim, feed, get } = await reading();
  sim.setSwitches({ change_events: status });
  expect((await feed()).status).toBe(Number(status));
  expect((await get("ACTIVE/documents")).status).toBe(200);
});

test("the feed tells a reader of documents that he may not see, or by switch does not, deleted ones included", async () => {
  const { sim, feed, get } = await reading("d.lindqvist");
  const { cursor } = (await feed()).body;
  sim.editDocument("ACTIVE", "ACTIVE!1005.1", { name: "Private" });
  sim.editDocument("ACTIVE", "ACTIVE!1010.1", { deleted: true });
  sim.editDocument("ACTIVE", "ACTIVE!1001.1", { name: "Open" });
  const told = async () =>
    (await feed(`?cursor=${cursor}`)).body.data.map((event: { object_id: string }) => event.object_id);
  expect(await told()).toEqual(["ACTIVE!1005.1", "ACTIVE!1010.1", "ACTIVE!1001.1"]);
  expect((await get("ACTIVE/documents/ACTIVE!1005.1")).status).toBe(404);
  sim.setSwitches({ change_events_private: "hidden" });
  expect(await told()).toEqual(["ACTIVE!1001.1"]);
});

test("an event says in which workspace its object lies, or by switch does not", async () => {
  const { sim, feed } = await reading();
  const { cursor } = (await feed()).body;
  for (const id of ["ACTIVE!11", "ACTIVE!111"])
    sim.edit("ACTIVE", { kind: "container", id, change: { name: "Renamed" } });
  const roots = async () =>
    (await feed(`?cursor=${cursor}`)).body.data.map((event: { root_id: string | null }) => event.root_id);
  expect(await roots()).toEqual(["ACTIVE!11", "ACTIVE!11"]);
  sim.setSwitches({ change_events_root: "missing" });
  expect(await roots()).toEqual([null, null]);
});

test("overflow says that there is more to hear, not that there is more", async () => {
  const { sim, feed } = await reading();
  const { cursor } = (await feed()).body;
  sim.setSwitches({ change_events_page: 2 });
  for (const name of ["a", "b", "c"]) sim.editDocument("ACTIVE", "ACTIVE!1002.1", { name });
  sim.edit("ACTIVE", { kind: "user", id: "e.moreau", change: { locked: true } });
  const users = (await feed(`?item_types=user&cursor=${cursor}`)).body;
  expect([users.data.length, users.overflow]).toEqual([1, false]);
  const documents = (await feed(`?item_types=document&cursor=${cursor}`)).body;
  expect([documents.data.length, documents.overflow]).toEqual([2, true]);
});
