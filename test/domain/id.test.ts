import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  eventId,
  eventPosition,
  findRoute,
  makeId,
  makeRoute,
  organisationId,
  organisationOf,
  parseId,
  routeOf,
} from "../../src/domain/id.ts";

const NOW = Date.UTC(2026, 10, 22);
const route = makeRoute(randomBytes(8));

describe("ids", () => {
  it("an id names its organisation, so no look-up is needed to find its shard", () => {
    const grant = makeId("grt", route, NOW, randomBytes(16));
    expect(grant).toMatch(/^grt_[0-9a-hjkmnp-tv-z]{36}$/);
    expect(routeOf(grant)).toBe(route);
    expect(organisationOf(grant)).toBe(organisationId(route));
    expect(parseId("grt", grant)).toBe(grant);
  });

  it("what belongs to no organisation has no route", () => {
    const client = makeId("cli", undefined, NOW, randomBytes(16));
    expect(findRoute(client)).toBeUndefined();
    expect(parseId("cli", client)).toBe(client);
    expect(parseId("reg", makeId("reg", undefined, NOW, randomBytes(16)))).toBeDefined();
  });

  it("an event's id is its place in its organisation's log, and nothing else is one", () => {
    const organisation = organisationId(route);
    const whole = { min: 1, max: Number.MAX_SAFE_INTEGER };
    fc.assert(
      fc.property(fc.integer(whole), fc.integer({ min: 0, max: 2 ** 47 }), (number, at) => {
        const id = eventId(organisation, { number, at });
        expect(parseId("evt", id)).toBe(id);
        expect(organisationId(routeOf(id))).toBe(organisation);
        expect(eventPosition(id)).toEqual({ number, at });
      }),
    );
    for (const letter of ["0", "z"]) {
      const id = `evt_${route}${letter.repeat(26)}` as const;
      expect(eventPosition(id), id).toBeUndefined();
    }
  });

  it("ids made later sort later (RFC 9562 §5.7)", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 47 }), fc.integer({ min: 1, max: 2 ** 40 }), (at, later) => {
        const [a, b] = [at, at + later].map((now) => makeId("grt", route, now, randomBytes(16)));
        expect(a! < b!).toBe(true);
      }),
    );
  });

  it.each([
    "",
    "grt_",
    "grt_short",
    `srv_${"0".repeat(36)}`,
    `grt_${"0".repeat(35)}`,
    `grt_${"I".repeat(36)}`,
    `grt_${"0".repeat(36)}:x`,
    `grt_${"0".repeat(36)}\n`,
  ])("%j is the id of no grant", (text) => expect(parseId("grt", text)).toBeUndefined());

  it("nothing that somebody types becomes an id with a character that a key could be broken with", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const type of ["org", "srv", "reg", "grt", "cli", "cns", "syn"] as const) {
          const id = parseId(type, text);
          if (id !== undefined) expect(id).toMatch(/^[a-z]{3}_[0-9a-z]+$/);
        }
      }),
    );
  });
});
