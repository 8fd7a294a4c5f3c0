import { expect, test } from "vitest";
import type { EventKind } from "../../src/domain/event-kinds.ts";
import { makeId } from "../../src/domain/id.ts";
import { days } from "../../src/domain/instant.ts";
import type { EventPage } from "../../src/events/read-events.ts";
import { systemRandom } from "../../src/security/random.ts";
import { eventReaderKit } from "./kit.ts";

const types = ({ events }: EventPage) => events.map(({ type }) => type);

test("whoever goes on from each cursor is told every event once and in order", async () => {
  const { emit, read } = await eventReaderKit();
  for (let i = 0; i < 23; i++) await emit(i % 2 === 0 ? "server.misconfigured" : "server.recovered");
  const seen: string[] = [];
  let page = await read({ limit: 7 });
  for (; page.events.length > 0; page = await read({ limit: 7, cursor: page.cursor })) {
    expect(page.events.length).toBeLessThanOrEqual(7);
    seen.push(...page.events.map(({ id }) => id));
  }
  expect(new Set(seen).size).toBe(23);
  expect([...seen].sort()).toEqual(seen);
  expect(types(await read({ kinds: ["server.recovered"] as EventKind[] }))).toHaveLength(11);
});

test("one who waits is woken by the next event that is his, and one that is not moves his cursor on", async () => {
  const { emit, read, listener, waiting, ids } = await eventReaderKit({ libraries: ["ACTIVE"] });
  const { cursor } = await read();
  const answer = read({ cursor, waitMs: 30_000 });
  await waiting();
  await emit("library.parked", { library: "SECRET", fault: "role_lost" });
  await emit("library.parked", { library: "ACTIVE", fault: "role_lost", grant: "grt_1" });
  const page = await answer;
  expect(page.events).toMatchObject([
    {
      type: "library.parked",
      data: { server: ids.server, library: "ACTIVE", code: "library_role_lost", remedy: "resource-owner" },
    },
  ]);
  expect(listener.size).toBe(0);
  await emit("library.parked", { library: "SECRET", fault: "role_lost" });
  const after = await read({ cursor: page.cursor, waitMs: 20 });
  expect(after.events).toEqual([]);
  expect(after.cursor).not.toBe(page.cursor);
  expect(listener.size).toBe(0);
}, 10_000);

test("a caller who goes away waits no more", async () => {
  const { read, listener, waiting } = await eventReaderKit();
  const gone = new AbortController();
  const answer = read({ waitMs: 30_000, signal: gone.signal });
  await waiting();
  gone.abort();
  expect((await answer).events).toEqual([]);
  expect(listener.size).toBe(0);
}, 10_000);

test("whose policy is taken away, who is contained or stopped while he waits, is told nothing more", async () => {
  const { emit, read, refused, state, waiting, listener } = await eventReaderKit();
  const during = async (what: () => void) => {
    const answer = refused(read({ cursor: (await read()).cursor, waitMs: 30_000 }));
    await waiting();
    what();
    await emit("server.recovered");
    return answer;
  };
  const { policy } = state;
  expect(await during(() => (state.policy = undefined))).toBe("not_found");
  state.policy = policy;
  expect(await during(() => (state.policy = state.policyOf({ actions: ["token"] })))).toBe("not_allowed");
  state.policy = policy;
  expect(await during(() => (state.stop = "ctn_1"))).toBe("contained");
  expect(await refused(read())).toBe("contained");
  state.stop = undefined;
  expect(await during(() => (state.standing.state = "stopped"))).toBe("invalid_client");
  expect(listener.size).toBe(0);
}, 15_000);

test("a policy that is given while he waits counts from the event that wakes him on", async () => {
  const { emit, read, state, waiting } = await eventReaderKit({ libraries: [] });
  const answer = read({ waitMs: 30_000 });
  await waiting();
  await emit("library.lifted", { library: "ACTIVE" });
  state.policy = state.policyOf({ libraries: ["ACTIVE"] });
  await emit("library.lifted", { library: "ACTIVE" });
  expect(types(await answer)).toContain("library.lifted");
}, 10_000);

test("a cursor made up, altered, or of another client is refused; one that is too old is expired, and only that", async () => {
  const kit = await eventReaderKit();
  const { emit, read, refused, log, organisation, offset, caller } = kit;
  for (let i = 0; i < 4; i++) await emit("server.recovered");
  const { cursor } = await read({ limit: 1 });
  const { cursor: third } = await read({ limit: 3 });
  const altered = Buffer.from(Buffer.from(cursor, "base64url").toString().replace(/^\d+/, "3")).toString(
    "base64url",
  );
  for (const of of ["", "0-0", altered, "x".repeat(100_000)]) {
    expect(await refused(read({ cursor: of }))).toBe("invalid_request");
  }
  const other = await eventReaderKit();
  await other.emit("server.recovered");
  expect(await refused(other.read({ cursor }))).toBe("invalid_request");

  expect((await read()).truncated).toBe(false);
  await log.trim(organisation, days(14), 1);
  expect(await refused(read({ cursor }))).toBe("cursor_expired");
  expect((await read({ cursor: third })).events).toHaveLength(1);
  const whole = await read();
  expect([whole.truncated, whole.events.length]).toEqual([true, 1]);
  offset.ms += days(15);
  await log.trim(organisation, days(14), 100);
  expect(await refused(read({ cursor: third }))).toBe("cursor_expired");
  expect((await read({ cursor: whole.cursor })).events).toEqual([]);
  expect(caller.client).toBeDefined();
});

test("one of whom little is his among very many gets on, a bounded part at a time, and misses nothing", async () => {
  const { read, store, key, ids, organisation } = await eventReaderKit({ libraries: ["ACTIVE"] });
  const total = 6_000;
  await store.call(async (redis) => {
    const pipeline = redis.pipeline();
    for (let i = 1; i <= total; i++)
      pipeline.xadd(
        key,
        `${i}-0`,
        ...["at", String(i), "kind", "library.lifted", "server", ids.server],
        ...["library", i === total ? "ACTIVE" : "OTHER"],
      );
    pipeline.hset(key.replace(/events$/, "gate"), "events", total);
    await pipeline.exec();
  });
  const first = await read({ waitMs: 30_000 });
  expect(first.events).toEqual([]);
  const second = await read({ cursor: first.cursor });
  expect(second.events).toMatchObject([{ data: { library: "ACTIVE" } }]);
  expect(organisation).toBeDefined();
}, 10_000);

test("what happens outside a rule's hours is not lost: the hours say when to call; its networks and end hold for each event", async () => {
  const { emit, read, refused, state } = await eventReaderKit();
  const tomorrow = ((new Date().getUTCDay() + 2) % 7) + 1;
  const closed = { timeZone: "UTC", weekdays: [tomorrow], fromMinute: 0, toMinute: 60 };
  await emit("library.parked", { library: "ACTIVE", fault: "role_lost" });
  await emit("library.parked", { library: "TEMPLATES", fault: "role_lost" });
  const told = async () => (await read()).events.map(({ data }) => data.library);
  state.policy = state.policyOf({ hours: closed });
  expect(await refused(read())).toBe("not_allowed");
  state.policy = state.policyOf({ libraries: ["ACTIVE"], hours: closed }, { libraries: ["TEMPLATES"] });
  expect(await told()).toEqual(["ACTIVE", "TEMPLATES"]);
  state.policy = state.policyOf(
    { libraries: ["ACTIVE"], networks: ["198.51.100.0/24"] },
    { libraries: ["TEMPLATES"] },
  );
  expect(await told()).toEqual(["TEMPLATES"]);
  state.policy = state.policyOf({ libraries: ["ACTIVE"], validUntil: 1 }, { libraries: ["TEMPLATES"] });
  expect(await told()).toEqual(["TEMPLATES"]);
});

test("one event is found by its id by whom it is told, and is not there for others, nor what never was", async () => {
  const { emit, read, refused, reader, caller, state, ids } = await eventReaderKit();
  await emit("library.parked", { library: "ACTIVE", fault: "role_lost" });
  const [event] = (await read()).events;
  expect(await reader.find(caller, event!.id)).toEqual(event);
  state.policy = state.policyOf({ libraries: ["TEMPLATES"] });
  const never = makeId("evt", ids.route, Date.now(), systemRandom.bytes(16));
  for (const id of [event!.id, never]) expect(await refused(reader.find(caller, id))).toBe("not_found");
});

test("as many may wait as there are places for a client, each costing something at every event; who goes gives his back", async () => {
  const { emit, read, refused, listener } = await eventReaderKit();
  const none = { kinds: ["grant.expiring"] as EventKind[], waitMs: 30_000 };
  const gone = new AbortController();
  const waiting = Array.from({ length: 101 }, () => refused(read({ ...none, signal: gone.signal })));
  expect(await Promise.race(waiting)).toBe("too_much_at_once");
  await emit("server.recovered");
  // Who does not wait needs no place.
  expect(types(await read())).toEqual(["server.recovered"]);
  gone.abort();
  const answers = await Promise.all(waiting);
  expect(answers.filter((answer) => answer === "answered")).toHaveLength(100);
  expect(types(await read({ waitMs: 30_000 }))).toEqual(["server.recovered"]);
  expect(listener.size).toBe(0);
});
