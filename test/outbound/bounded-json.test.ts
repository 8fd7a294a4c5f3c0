import { expect, test } from "vitest";
import { boundedJson } from "../../src/outbound/bounded-json.ts";

const BOUNDS = { depth: 8, members: 64 };
const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
const wide = (members: number) =>
  JSON.stringify(Object.fromEntries(Array.from({ length: members }, (_, n) => [`m${n}`, n])));

test("T16 what is deeper or wider than its bounds is not parsed, and up to them it is", () => {
  expect(boundedJson(deep(8), BOUNDS)?.value).toBeDefined();
  expect(boundedJson(deep(9), BOUNDS)).toBeUndefined();
  expect(boundedJson(`[${"[".repeat(8)}${"]".repeat(8)}]`, BOUNDS)).toBeUndefined();
  expect(boundedJson(wide(64), BOUNDS)?.value).toBeDefined();
  expect(boundedJson(wide(65), BOUNDS)).toBeUndefined();
  // Brackets and colons inside of strings are letters.
  expect(boundedJson(JSON.stringify({ a: `${"[{:".repeat(100)}\\"` }), BOUNDS)?.value).toBeDefined();
});
