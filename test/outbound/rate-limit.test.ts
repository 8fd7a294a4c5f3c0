import { expect, test } from "vitest";
import { hours, seconds } from "../../src/domain/instant.ts";
import { readRateLimit } from "../../src/outbound/rate-limit.ts";

const NOW = Date.parse("2026-11-22T09:00:00Z");
const of = (remaining: string | undefined, reset: string | undefined) =>
  readRateLimit(
    {
      ...(remaining !== undefined && { "x-ratelimit-remaining": remaining }),
      ...(reset !== undefined && { "x-ratelimit-reset": reset }),
    },
    NOW,
  );

test.each([
  ["a count and seconds", "17", "40", { remaining: 17, resetMs: seconds(40) }],
  ["a moment since 1970", "17", String(NOW / 1_000 + 40), { remaining: 17, resetMs: seconds(40) }],
  ["a moment that has passed", "17", String(NOW / 1_000 - 40), { remaining: 17, resetMs: seconds(1) }],
  ["no time at all", "0", "0", { remaining: 0, resetMs: seconds(1) }],
  ["more than an hour", "3", "86400", { remaining: 3, resetMs: hours(1) }],
  ["fractions", "3.9", "2.5", { remaining: 3, resetMs: seconds(2.5) }],
  ["a negative count", "-1", "40", undefined],
  ["words", "many", "soon", undefined],
  ["a count alone", "17", undefined, undefined],
  ["a time alone", undefined, "40", undefined],
  ["what no counter holds", "1".repeat(30), "40", undefined],
])("F07 %s is read as it is meant, or not at all", (_what, remaining, reset, read) => {
  expect(of(remaining, reset)).toEqual(read);
});
