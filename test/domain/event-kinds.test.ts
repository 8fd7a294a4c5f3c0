import { describe, expect, it } from "vitest";
import { EVENT_FIELDS, EVENT_KINDS, eventFieldTable, eventKindTable } from "../../src/domain/event-kinds.ts";
import { read } from "../architecture/source.ts";

describe("kinds of events", () => {
  it("stand in the README, word by word", () => {
    const readme = read("src/events/README.md");
    expect(readme).toContain(eventKindTable());
    expect(readme).toContain(eventFieldTable());
  });

  it("tell no field that is not described, and leave none undescribed", () => {
    const told = new Set<string>([
      "organisation",
      ...Object.values(EVENT_KINDS).flatMap(({ tells }) => tells),
    ]);
    expect([...told].sort()).toEqual(Object.keys(EVENT_FIELDS).sort());
  });
});
