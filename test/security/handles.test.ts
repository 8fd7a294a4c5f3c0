import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Route } from "../../src/domain/id.ts";
import { Secret } from "../../src/domain/secret.ts";
import { makeHandles } from "../../src/security/handles.ts";
import { systemRandom } from "../../src/security/random.ts";

const ROUTE = "abcdefghjk" as Route;
const handles = makeHandles(systemRandom);

describe("handles", () => {
  it("T05: of 100,000 no two are alike, and all carry 256 random bits behind their route", () => {
    const seen = new Set<string>();
    for (let i = 0; i < 100_000; i++) seen.add(handles.make(ROUTE).reveal());
    expect(seen.size).toBe(100_000);
    for (const text of seen) {
      if (!/^abcdefghjk[A-Za-z0-9_-]{43}$/.test(text)) throw new Error("a handle of another shape");
    }
  });

  it("T05: ask the source for 32 bytes each time", () => {
    const asked: number[] = [];
    const counting = makeHandles({
      bytes(count) {
        asked.push(count);
        return systemRandom.bytes(count);
      },
    });
    counting.make(ROUTE);
    counting.make(ROUTE);
    expect(asked).toEqual([32, 32]);
  });

  it("say their route, which names the shard", () => {
    expect(handles.findRoute(handles.make(ROUTE))).toBe(ROUTE);
  });

  it.each([
    "",
    "abcdefghjk",
    `abcdefghjk${"A".repeat(42)}`,
    `abcdefghjk${"A".repeat(44)}`,
    `abcdefghjk${"A".repeat(42)}B`,
    `abcdefghj!${"A".repeat(43)}`,
    `ABCDEFGHJK${"A".repeat(43)}`,
    `abcdefghji${"A".repeat(43)}`,
    `abcdefghjk${"A".repeat(42)}=`,
    `abcdefghjk${"A".repeat(43)}\n`,
    ` abcdefghjk${"A".repeat(43)}`,
  ])("of another shape have no route: %j", (text) => {
    expect(handles.findRoute(new Secret(text))).toBeUndefined();
  });

  it("are stored as SHA-256 in base64url", () => {
    const handle = handles.make(ROUTE);
    expect(handles.digest(handle)).toBe(createHash("sha256").update(handle.reveal()).digest("base64url"));
    expect(handles.digest(handle)).toHaveLength(43);
  });

  it("give another value for each purpose, the same each time, and another than the stored digest", () => {
    const handle = handles.make(ROUTE);
    const form = handles.derive(handle, "form");
    expect(form).toMatch(/^[\w-]{43}$/);
    expect(handles.derive(handle, "form")).toBe(form);
    expect(
      new Set([
        form,
        handles.derive(handle, "x"),
        handles.digest(handle),
        handles.derive(handles.make(ROUTE), "form"),
      ]).size,
    ).toBe(4);
  });
});
