import fc from "fast-check";
import { expect, test } from "vitest";
import { Problem } from "../../src/domain/problem.ts";
import { decodeChange, encodeChange } from "../../src/sync/change.ts";
import { DOCUMENT_FIELDS, payloadOf } from "../../src/sync/document-fields.ts";
import { endAfter, nextEditedFrom } from "../../src/sync/plan.ts";
import type { LibraryDocument } from "../../src/sync/ports.ts";

const HOUR = 3_600_000;
const OVERLAP = 120_000;
const NOON = 12 * HOUR;

test.each([
  ["iManage's clock is behind: its latest edit counts", undefined, NOON - HOUR, NOON - HOUR - OVERLAP],
  ["a document is dated in the future: the start of the pass counts", undefined, NOON + HOUR, NOON - OVERLAP],
  ["no document was shown: it reads from where it read", 5 * HOUR, undefined, 5 * HOUR],
  ["an empty library is read whole again", undefined, undefined, undefined],
  ["the overlap never leads back", NOON - 30_000, NOON, NOON - 30_000],
])("the next pass: %s", (_title, editedFrom, latestEditAt, expected) => {
  expect(nextEditedFrom({ editedFrom }, NOON, latestEditAt, OVERLAP)).toBe(expected);
});

test("the window only ever moves on, and never past the latest edit that was shown", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 30 * HOUR }),
      fc.integer({ min: 0, max: 30 * HOUR }),
      fc.option(fc.integer({ min: 0, max: 30 * HOUR }), { nil: undefined }),
      (startedAt, shown, editedFrom) => {
        fc.pre(editedFrom === undefined || shown >= editedFrom);
        const next = nextEditedFrom({ editedFrom }, startedAt, shown, OVERLAP)!;
        expect(next).toBeGreaterThanOrEqual(editedFrom ?? Number.NEGATIVE_INFINITY);
        expect(next).toBeLessThanOrEqual(Math.max(shown, editedFrom ?? 0));
      },
    ),
  );
});

test.each([
  ["authorization_required", true],
  ["reauthorization_required", true],
  ["grant_paused", true],
  ["contained", true],
  ["organisation_disabled", true],
  ["not_allowed", true],
  ["audit_backlog", true],
  ["token_rejected_again", true],
  ["imanage_unavailable", false],
  ["refresh_pending", false],
  ["rate_limited", false],
  ["store_unavailable", false],
] as const)("%s parks the sync: %s", (code, park) => {
  expect(endAfter(new Problem(code), 0, 30_000)).toMatchObject({ code, park });
});

test("a wait that was asked for is kept, up to an hour", () => {
  const wait = (retryAfterMs: number) =>
    endAfter(new Problem("imanage_unavailable", { retryAfterMs }), 3, 30_000).retryAfterMs;
  expect([wait(1), wait(90_000), wait(9 * HOUR)]).toEqual([16_000, 90_000, HOUR]);
});

test("failures in a row wait longer, at most five minutes", () => {
  const waits = [0, 1, 5, 50, 5_000].map(
    (failures) => endAfter(new Problem("imanage_unavailable"), failures, 30_000).retryAfterMs,
  );
  expect(waits).toEqual([2_000, 4_000, 64_000, 300_000, 300_000]);
});

const document: LibraryDocument = {
  id: "ACTIVE!1.1",
  number: 1,
  version: 1,
  name: "Lease",
  extension: undefined,
  size: 0,
  class: "DOC",
  author: "a",
  lastUser: "b",
  createdAt: 1,
  editedAt: 2,
  profileEditedAt: 3,
  fileEditedAt: 4,
  workspaceId: "ACTIVE!11",
  workspaceName: "W",
  defaultSecurity: "public",
  checkedOut: false,
  custom1: "C",
  custom2: "M",
};

test("what a document shows is always told in the same order, so that only a change changes its version", () => {
  const shuffled = Object.fromEntries(Object.entries(document).reverse()) as unknown as LibraryDocument;
  expect(JSON.stringify(payloadOf(shuffled, undefined))).toBe(JSON.stringify(payloadOf(document, undefined)));
  expect(JSON.stringify(payloadOf(document, ["size", "name"]))).toBe(
    JSON.stringify(payloadOf(document, ["name", "size"])),
  );
  expect(Object.keys(payloadOf(document, undefined))).toEqual([
    "id",
    "number",
    "version",
    ...DOCUMENT_FIELDS.filter((field) => field !== "extension"),
  ]);
});

test("a change too long for a seal is told by id, number and version", () => {
  const whole = payloadOf({ ...document, name: "é".repeat(9_000) }, undefined);
  expect(decodeChange(encodeChange({ kind: "document.changed", object: whole.id, document: whole }))).toEqual(
    {
      kind: "document.changed",
      object: "ACTIVE!1.1",
      document: { id: "ACTIVE!1.1", number: 1, version: 1 },
      shortened: true,
    },
  );
  const short = payloadOf(document, undefined);
  expect(decodeChange(encodeChange({ kind: "document.changed", object: short.id, document: short }))).toEqual(
    {
      kind: "document.changed",
      object: "ACTIVE!1.1",
      document: short,
    },
  );
});
