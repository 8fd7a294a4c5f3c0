import { describe, expect, it } from "vitest";
import { days } from "../../src/domain/instant.ts";
import { organisationPrefix } from "../../src/store/keys.ts";
import { eventLogKit } from "./kit.ts";

describe("an organisation's log of events", () => {
  it("is numbered without a gap, read in order from any place, and each event is found by its id", async () => {
    const { emit, log, organisation, numbers } = await eventLogKit();
    expect(await log.newest(organisation)).toEqual({ number: 0, at: 0 });
    for (let i = 0; i < 5; i++) await emit("server.recovered");
    expect(await numbers()).toEqual([1, 2, 3, 4, 5]);
    const first = await log.read(organisation, undefined, 2);
    if (first.kind !== "read") throw new Error("expired");
    expect(await numbers(first.next)).toEqual([3, 4, 5]);
    expect(first.events.map(({ id }) => id)).toHaveLength(2);
    for (const event of first.events) expect(await log.find(event.id)).toEqual(event);
    expect((await log.newest(organisation)).number).toBe(5);
  });

  it("passes over what a later version has written, and goes on behind it", async () => {
    const { emit, log, organisation } = await eventLogKit();
    await emit("server.recovered");
    await emit("planet.moved");
    const answer = await log.read(organisation, undefined, 10);
    expect(answer).toMatchObject({ events: [{ kind: "server.recovered" }], next: { number: 2 } });
  });

  it("knows exactly what it no longer keeps: by age, by number, and when nothing is left", async () => {
    const { emit, log, organisation, numbers, offset } = await eventLogKit();
    for (let i = 0; i < 6; i++) {
      await emit("server.recovered");
      offset.ms += days(1);
    }
    const all = await log.read(organisation, undefined, 10);
    if (all.kind !== "read") throw new Error("expired");
    const positions = all.events.map(({ position }) => position);
    // Number 3 is three days and a bit old, number 4 is a bit younger than three days.
    expect(await log.trim(organisation, days(3.5), 100)).toBe(3);
    expect(await log.floor(organisation)).toBe(3);
    expect(await numbers(positions[1])).toBe("expired");
    expect(await numbers(positions[2])).toEqual([4, 5, 6]);
    expect(await log.find(all.events[2]!.id)).toBeUndefined();
    expect(await log.trim(organisation, days(100), 2)).toBe(1);
    expect(await numbers(positions[2])).toBe("expired");
    expect(await numbers(positions[3])).toEqual([5, 6]);
    offset.ms += days(100);
    expect(await log.trim(organisation, days(1), 100)).toBe(2);
    expect(await log.floor(organisation)).toBe(6);
    expect(await numbers(positions[4])).toBe("expired");
    expect(await numbers(positions[5])).toEqual([]);
    await emit("server.recovered");
    expect(await numbers(positions[5])).toEqual([7]);
  });

  it("loses nothing for who has read what Redis then lost: what took its numbers is told, under ids of its own", async () => {
    const { emit, log, organisation, store, key, offset } = await eventLogKit();
    for (let i = 0; i < 4; i++) await emit("server.recovered");
    const before = await log.read(organisation, undefined, 10);
    if (before.kind !== "read") throw new Error("expired");
    // As after a power failure: the last two are gone, and their numbers are given again.
    await store.call((redis) => redis.xdel(key, "3-0", "4-0"));
    await store.call((redis) => redis.xsetid(key, "2-0"));
    await store.call((redis) => redis.hset(`${organisationPrefix(organisation)}gate`, "events", 2));
    offset.ms += 1_000;
    const none = await log.read(organisation, before.next, 10);
    expect(none).toMatchObject({ kind: "read", events: [] });
    for (let i = 0; i < 3; i++) await emit("server.misconfigured");
    const after = await log.read(organisation, before.next, 10);
    expect(after).toMatchObject({ kind: "read", next: { number: 5 } });
    if (after.kind !== "read") throw new Error("expired");
    expect(after.events.map(({ position }) => position.number)).toEqual([3, 4, 5]);
    const ids = new Set([...before.events, ...after.events].map(({ id }) => id));
    expect(ids.size).toBe(7);
    expect(await log.find(before.events[3]!.id)).toBeUndefined();
  });

  it("is of an organisation that is there: of none, and of one that is shredded, nothing is written (T28)", async () => {
    const { emit, log, organisation, store, key } = await eventLogKit();
    await store.call((redis) => redis.set(`${organisationPrefix(organisation)}shredded`, "{}"));
    await emit("server.recovered");
    expect(await store.call((redis) => redis.exists(key))).toBe(0);
    expect(await log.newest(organisation)).toEqual({ number: 0, at: 0 });
  });
});
