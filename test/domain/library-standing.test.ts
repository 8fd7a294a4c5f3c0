import { describe, expect, it } from "vitest";
import { hours, minutes } from "../../src/domain/instant.ts";
import {
  isStandingDue,
  type LibraryLook,
  type LibraryStanding,
  nextStanding,
  parkedBy,
  spreadOf,
} from "../../src/domain/library-standing.ts";

const lost: LibraryLook = { kind: "bad", fault: "role_lost" };
const gone: LibraryLook = { kind: "bad", fault: "library_gone" };
const good: LibraryLook = { kind: "administers" };
const nothing: LibraryLook = { kind: "nothing" };

/** Looks at these minutes. */
const looked = (...looks: readonly [number, LibraryLook][]): LibraryStanding =>
  looks.reduce<LibraryStanding | undefined>(
    (before, [at, look]) => nextStanding(before, look, minutes(at), 0),
    undefined,
  )!;

describe("a library is parked", () => {
  it.each<[string, LibraryStanding, string | undefined]>([
    ["not by one look", looked([0, lost]), undefined],
    ["not by two looks at once", looked([0, lost], [4, lost]), undefined],
    ["by two looks five minutes apart", looked([0, lost], [5, lost]), "role_lost"],
    ["not where another fault is seen the second time", looked([0, lost], [5, gone]), undefined],
    ["not where he administered it in between", looked([0, lost], [3, good], [6, lost]), undefined],
    ["also where iManage did not answer in between", looked([0, lost], [3, nothing], [6, lost]), "role_lost"],
    ["not by answers that did not come", looked([0, nothing], [10, nothing]), undefined],
    ["until one look says that he administers it", looked([0, lost], [5, lost], [9, good]), undefined],
    ["through an outage", looked([0, lost], [5, lost], [9, nothing]), "role_lost"],
    ["for the new fault, once it was parked", looked([0, lost], [5, lost], [9, gone]), "library_gone"],
  ])("%s", (_, standing, fault) => {
    expect(parkedBy(standing)).toBe(fault);
  });

  it("is told since when: from the first look that saw it", () => {
    expect(looked([0, good], [20, lost], [26, lost])).toMatchObject({
      since: minutes(20),
      believedAt: minutes(26),
      checkedAt: minutes(26),
    });
  });
});

describe("the next look", () => {
  it.each<[string, LibraryStanding, number]>([
    ["comes after two hours where all is well", looked([0, good]), 120],
    ["comes soon after bad news, to believe it or not", looked([0, lost]), 5],
    ["comes soon once it is parked, to lift it", looked([0, lost], [5, lost]), 15],
    ["comes soon where iManage did not answer", looked([0, good], [60, nothing]), 70],
    [
      "comes when iManage asked for it",
      nextStanding(undefined, { kind: "nothing", retryAfterMs: minutes(30) }, 0, 0),
      30,
    ],
  ])("%s", (_, standing, at) => {
    expect(standing.dueAt).toBe(minutes(at));
  });

  it("is spread: two hundred libraries lent at once are due evenly over two hours", () => {
    const lent = { since: 0, failedAt: undefined };
    const due = (at: number) =>
      Array.from({ length: 200 }, (_, i) =>
        isStandingDue(undefined, lent, at, spreadOf(`srv LIB${i}`)),
      ).filter(Boolean).length;
    expect(due(0)).toBeLessThan(5);
    for (const quarter of [0.25, 0.5, 0.75]) {
      expect(due(hours(2) * quarter) / 200).toBeGreaterThan(quarter - 0.1);
      expect(due(hours(2) * quarter) / 200).toBeLessThan(quarter + 0.1);
    }
    expect(due(hours(2))).toBe(200);
  });

  it("does not wait for the schedule once a refresh has failed, and not twice a minute for it", () => {
    const standing = looked([0, good]);
    const lent = (failedAt: number | undefined) => ({ since: 0, failedAt });
    const at = minutes(30);
    expect(isStandingDue(standing, lent(undefined), at, 0)).toBe(false);
    expect(isStandingDue(standing, lent(minutes(29)), at, 0)).toBe(true);
    expect(isStandingDue({ ...standing, triedAt: minutes(29.5) }, lent(minutes(29)), at, 0)).toBe(false);
    expect(isStandingDue({ ...standing, triedAt: minutes(29.5) }, lent(minutes(29.7)), at, 0)).toBe(false);
  });
});
