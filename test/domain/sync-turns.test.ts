import { describe, expect, test } from "vitest";
import type { SyncId } from "../../src/domain/id.ts";
import { minutes, seconds } from "../../src/domain/instant.ts";
import { type DueSync, inTurns, type RunningSync, whoGivesWay } from "../../src/domain/sync-turns.ts";

const NOW = minutes(100);
/** `a3`: the third of organisation a. */
const id = (name: string) => `syn_${name[0]!.repeat(10)}${name.slice(1).padStart(28, "0")}` as SyncId;
const nameOf = (sync: SyncId) => `${sync[4]}${Number(sync.slice(14))}`;
const due = (name: string, change: Partial<DueSync> = {}): DueSync => ({
  id: id(name),
  dueAt: NOW - seconds(1),
  underWay: false,
  objects: 5,
  ...change,
});
const order = (organisations: readonly (readonly DueSync[])[]) =>
  inTurns(organisations, NOW).map((turn) => nameOf(turn.id));

describe("in which order syncs have their turns", () => {
  test("the only sync of one organisation stands behind the first of twenty of another, and not behind the last", () => {
    const many = Array.from({ length: 20 }, (_, i) => due(`a${i + 1}`));
    expect(order([many, [due("b1")]]).indexOf("b1")).toBe(1);
  });

  test("passes that begin go before those under way, of all organisations", () => {
    const long = { underWay: true };
    expect(order([[due("a1", long), due("a2")], [due("b1", long)]])).toEqual(["a2", "a1", "b1"]);
  });

  test("a long pass does not stand behind the many that begin in another organisation", () => {
    const many = Array.from({ length: 20 }, (_, i) => due(`a${i + 1}`));
    const long = { underWay: true };
    const all = order([[...many, due("a21", long)], [due("b1", long)]]);
    expect(all.indexOf("b1")).toBeLessThanOrEqual(5);
    expect(all.at(-1)).toBe("a21");
  });

  test("ten documents go before a million, and of two alike the one that waits longer", () => {
    const sizes = [
      due("a1", { objects: 1_000_000 }),
      due("a2", { objects: 12 }),
      due("a3", { objects: 14, dueAt: NOW - seconds(2) }),
      due("a4", { objects: undefined, dueAt: NOW - seconds(3) }),
    ];
    expect(order([sizes])).toEqual(["a3", "a2", "a4", "a1"]);
  });

  test("who has waited a minute is neither long nor big any more", () => {
    const late = due("a1", { underWay: true, objects: 1_000_000, dueAt: NOW - seconds(61) });
    expect(order([[due("a2"), due("a3"), late]])).toEqual(["a1", "a2", "a3"]);
  });
});

/** As `inTurns` gives them. */
const [QUICK, LONG] = [2, 11];

describe("who gives way where every place is taken", () => {
  const run = (name: string, forMs = seconds(8)): RunningSync => ({ id: id(name), forMs, leaving: false });
  const gives = (running: readonly RunningSync[], ...waiting: readonly [string, number][]) =>
    whoGivesWay(
      running,
      waiting.map(([name, turn]) => ({ id: id(name), turn })),
    ).map(nameOf);

  test("a pass that begins takes the place of the longest run of the organisation with most places", () => {
    expect(gives([run("b1", 20_000), run("a1"), run("a2", 9_000)], ["c1", QUICK])).toEqual(["a2"]);
  });

  test("nobody gives way in his first half second, nor twice for the same one that waits", () => {
    expect(gives([run("a1", 400)], ["b1", QUICK])).toEqual([]);
    expect(gives([{ ...run("a1"), leaving: true }, run("a2")], ["b1", QUICK])).toEqual([]);
  });

  test("nobody takes a place from another organisation that has no more than his own", () => {
    const [a, b] = [run("a1"), run("b1", 20_000)];
    expect(gives([a, run("a2"), b], ["a3", LONG])).not.toContain("b1");
    expect(gives([run("a1", 400), run("a2", 400), b], ["a3", QUICK])).toEqual([]);
    expect(gives([a, b], ["c1", LONG])).toHaveLength(1);
    expect(gives([a, b], ["c1", LONG], ["c2", LONG])).toHaveLength(1);
  });

  test("places that are being left count as those of who takes them", () => {
    const leaving = (name: string) => ({ ...run(name), leaving: true });
    const all = [leaving("a1"), leaving("a2"), leaving("a3"), run("b1")];
    expect(gives(all, ["a4", QUICK], ["a5", QUICK], ["a6", QUICK], ["a7", QUICK])).toEqual([]);
  });

  test("an organisation that has no place at all does not wait for a whole turn of one that has several", () => {
    expect(gives([run("a1", 600), run("a2", 700)], ["b1", LONG])).toEqual(["a2"]);
    expect(gives([run("a1", 600), run("c1", 700)], ["b1", LONG])).toEqual([]);
  });

  test("of twenty long ones of one organisation, those that wait have their turns too", () => {
    expect(gives([run("a1"), run("a2", 4_000)], ["a3", LONG], ["a4", LONG])).toEqual(["a1"]);
  });
});
