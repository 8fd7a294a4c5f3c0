import { describe, expect, it } from "vitest";
import { readDocument } from "../../src/imanage/read-document.ts";

const ROW = {
  id: "ACTIVE!1001.1",
  document_number: 1001,
  version: 1,
  name: "Share purchase agreement",
  size: 14_336,
  last_user: "AMELIA.HART",
  edit_date: "2026-09-01T08:00:00.000Z",
  is_checked_out: false,
};

describe("a row of iManage's documents", () => {
  it("is read field by field; what it does not say is undefined", () => {
    const document = readDocument(ROW);
    expect(document).toMatchObject({ id: "ACTIVE!1001.1", number: 1001, version: 1, size: 14_336 });
    expect(document).toMatchObject({ lastUser: "AMELIA.HART", checkedOut: false });
    expect(document?.editedAt).toBe(Date.UTC(2026, 8, 1, 8));
    expect(document?.custom1).toBeUndefined();
  });

  it.each([
    ["no id", { id: undefined }],
    ["an empty id", { id: "" }],
    ["an id that is a number", { id: 7 }],
    ["an id that is too long", { id: "x".repeat(257) }],
    ["an id with half a character", { id: "ACTIVE!\ud800.1" }],
    ["no number", { document_number: null }],
    ["a number in a text", { document_number: "1001" }],
    ["a number with a fraction", { version: 1.5 }],
  ])("with %s can tell nothing", (_, fields) => {
    expect(readDocument({ ...ROW, ...fields })).toBeUndefined();
  });

  it.each([null, 7, "row", undefined, true, []])("that is %j can tell nothing", (row) => {
    expect(readDocument(row)).toBeUndefined();
  });

  it("leaves out a field of another shape, and keeps the others", () => {
    const odd = { name: 7, extension: null, size: "1", last_user: "x".repeat(1025), is_checked_out: 1 };
    const document = readDocument({ ...ROW, ...odd, custom1: "half \ud800" });
    expect(document).toMatchObject({ id: ROW.id, custom1: "half \ufffd" });
    for (const field of ["name", "extension", "size", "lastUser", "checkedOut"] as const) {
      expect(document?.[field]).toBeUndefined();
    }
  });

  it.each([
    ["2026-09-01T08:00:00.000", Date.UTC(2026, 8, 1, 8)],
    ["2026-09-01T10:00:00+02:00", Date.UTC(2026, 8, 1, 8)],
    ["yesterday", undefined],
  ])("of %s was edited at %s: UTC where it names no zone", (edit_date, at) => {
    expect(readDocument({ ...ROW, edit_date })?.editedAt).toBe(at);
  });
});
