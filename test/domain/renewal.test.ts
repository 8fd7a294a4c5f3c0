import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Grant } from "../../src/domain/grant.ts";
import type { GrantId } from "../../src/domain/id.ts";
import { days, hours } from "../../src/domain/instant.ts";
import { decideRenewals, lastWholeDay } from "../../src/domain/renewal.ts";

const NOW = Date.UTC(2026, 10, 22, 9);
const iso = (at: number | undefined) =>
  at === undefined ? undefined : new Date(at).toISOString().slice(0, 10);

const grant = (change: Partial<Grant> = {}): Grant =>
  ({
    id: "grt_a",
    state: "active",
    refreshable: true,
    consentedAt: NOW - days(40),
    refreshTokenExpiresAt: Date.UTC(2027, 2, 4, 14, 5),
    accessTokenExpiresAt: NOW + hours(1),
    lastProblem: undefined,
    ...change,
  }) as Grant;

const decide = (is: Grant | undefined, now = NOW) =>
  decideRenewals(
    ["B", "A"].map((library) => ({ library, grant: "grt_a" as GrantId, since: NOW - days(40) })),
    new Map(is === undefined ? [] : [[is.id, is]]),
    now,
  );

describe("the days of a renewal", () => {
  it("are a week before the last whole day, and that day", () => {
    expect(decide(grant())).toEqual([
      {
        kind: "due",
        grant: "grt_a",
        libraries: ["A", "B"],
        endsAt: Date.UTC(2027, 2, 4, 14, 5),
        renewOn: Date.UTC(2027, 1, 24),
        lastDay: Date.UTC(2027, 2, 3),
      },
    ]);
  });

  it("the last whole day is over before the end in every time zone, and is never more than two days early", () => {
    fc.assert(
      fc.property(fc.integer({ min: NOW, max: NOW + days(800) }), (endsAt) => {
        const day = lastWholeDay(endsAt);
        expect(day % days(1)).toBe(0);
        // Where clocks are furthest behind UTC the day ends twelve hours after it does in UTC.
        expect(day + days(1) + hours(12)).toBeLessThanOrEqual(endsAt);
        expect(endsAt - (day + days(1))).toBeLessThan(days(2));
      }),
    );
  });

  it.each([
    ["less than a week to go", { refreshTokenExpiresAt: NOW + days(6), consentedAt: NOW }],
    ["a week that began before the consent", { refreshTokenExpiresAt: NOW + days(8), consentedAt: NOW }],
  ])("with %s there is the last day alone", (_, change) => {
    expect(decide(grant(change))).toMatchObject([{ kind: "due", renewOn: undefined }]);
  });
});

describe("an authorization that has ended", () => {
  it.each<[string, Grant | undefined, string]>([
    [
      "iManage refused it",
      grant({ state: "reauthorization_required", lastProblem: { code: "x", at: NOW - days(3) } }),
      "2026-11-19",
    ],
    ["its time was over", grant({ refreshTokenExpiresAt: NOW - days(1) }), "2026-11-21"],
    [
      "it was for one sign-in only",
      grant({ refreshable: false, refreshTokenExpiresAt: undefined, accessTokenExpiresAt: NOW - 1 }),
      "2026-11-22",
    ],
    ["nothing is known of it", undefined, "2026-10-13"],
    [
      "the clock that noted it is ahead",
      grant({ state: "revoked", lastProblem: { code: "x", at: NOW + days(2) } }),
      "2026-11-22",
    ],
  ])("stands in the calendar from the day on which %s until tomorrow", (_, is, since) => {
    const [renewal, ...more] = decide(is);
    expect(more).toEqual([]);
    if (renewal?.kind !== "ended") throw new Error("not ended");
    expect([iso(renewal.since), iso(renewal.until)]).toEqual([since, "2026-11-23"]);
  });
});

it("a hold, a doubt or a sign-in that lasts for minutes is nothing for a calendar by itself", () => {
  expect(decide(grant({ state: "paused" }))).toMatchObject([{ kind: "due" }]);
  expect(decide(grant({ state: "suspect" }))).toMatchObject([{ kind: "due" }]);
  expect(decide(grant({ refreshable: false, refreshTokenExpiresAt: undefined }))).toEqual([]);
  expect(decideRenewals([], new Map(), NOW)).toEqual([]);
});
