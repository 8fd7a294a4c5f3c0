import { expect, it } from "vitest";
import { refuses } from "../../src/ops/finding.ts";
import { judgeKeyAccess } from "../../src/ops/key-access.ts";

it.each([
  ["nothing is stored", { opened: 0, closed: [] }, true, false],
  ["all open", { opened: 3, closed: [] }, true, false],
  ["one of many does not", { opened: 3, closed: ["meridian"] }, false, false],
  ["none opens", { opened: 0, closed: ["meridian", "hartwell"] }, false, true],
] as const)("%s", (_case, facts, ok, refused) => {
  const finding = judgeKeyAccess(facts);
  expect([finding.ok, refuses(finding)]).toEqual([ok, refused]);
  for (const name of facts.closed) expect(finding.sentence).toContain(name);
});

it("names a few, and counts the rest", () => {
  const closed = Array.from({ length: 40 }, (_, i) => `firm-${i}`);
  expect(judgeKeyAccess({ opened: 1, closed }).sentence).toMatch(/firm-4 and 35 more/);
});
