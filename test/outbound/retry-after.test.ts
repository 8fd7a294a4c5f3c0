import { expect, test } from "vitest";
import { readRetryAfter } from "../../src/outbound/retry-after.ts";

const NOW = Date.parse("2026-11-20T09:00:00Z");
const HOUR = 3_600_000;

test.each([
  ["seconds", { "retry-after": "120" }, 120_000],
  ["a fraction", { "retry-after": "1.5" }, 1_500],
  ["zero", { "retry-after": "0" }, 1_000],
  ["negative", { "retry-after": "-5" }, 1_000],
  ["10^9", { "retry-after": "1000000000" }, HOUR],
  ["spaces around", { "retry-after": " 30 " }, 30_000],
  ["a date", { "retry-after": "Fri, 20 Nov 2026 09:00:40 GMT" }, 40_000],
  ["a date in the past", { "retry-after": "Fri, 20 Nov 2026 08:00:00 GMT" }, 1_000],
  ["a date years ahead", { "retry-after": "Wed, 20 Nov 2030 08:00:00 GMT" }, HOUR],
  ["an RFC 850 date", { "retry-after": "Friday, 20-Nov-26 09:00:40 GMT" }, 40_000],
  ["an asctime date", { "retry-after": "Fri Nov 20 09:00:40 2026" }, 40_000],
  ["iManage's own", { "x-ratelimit-retryafter": "9" }, 9_000],
  ["both: the longer one", { "retry-after": "3", "x-ratelimit-retryafter": "9" }, 9_000],
  ["garbage beside a number", { "retry-after": "soon", "x-ratelimit-retryafter": "9" }, 9_000],
  ["garbage", { "retry-after": "soon" }, undefined],
  ["empty", { "retry-after": "" }, undefined],
  ["a number with a unit", { "retry-after": "30s" }, undefined],
  ["none", {}, undefined],
])("F07 %s", (_title, headers, waitMs) => {
  expect(readRetryAfter(headers, NOW)).toBe(waitMs);
});

test.each([-1, 1])("F14 a server whose clock is %i day off is not asked too early or late", (days) => {
  const clock = NOW + days * 86_400_000;
  const headers = {
    date: new Date(clock).toUTCString(),
    "retry-after": new Date(clock + 40_000).toUTCString(),
  };
  expect(readRetryAfter(headers, NOW)).toBe(40_000);
});
