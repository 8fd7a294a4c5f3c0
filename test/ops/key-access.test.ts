import { expect, it } from "vitest";
import { refuses } from "../../src/ops/finding.ts";
import { judgeKeyAccess, judgeRootKeyset } from "../../src/ops/key-access.ts";

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

it.each<[Parameters<typeof judgeRootKeyset>[0], boolean, string]>([
  [{ opened: true, sameKeys: true }, true, "can be read and opened"],
  [{ opened: true, sameKeys: false }, false, "other keys than this process"],
  [{ opened: false, why: "Vault is sealed." }, false, "would not get them. Vault is sealed."],
])("a keyset that is read once more: %j", (seen, ok, words) => {
  const finding = judgeRootKeyset(seen);
  expect(finding).toMatchObject({ check: "root-keyset", ok, severity: "warn" });
  expect(finding.sentence).toContain(words);
  expect(finding.remedy === undefined).toBe(ok);
});
