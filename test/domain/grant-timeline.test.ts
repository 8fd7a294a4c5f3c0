import { describe, expect, it } from "vitest";
import type { Grant } from "../../src/domain/grant.ts";
import { type TimelineEntry, tellGrantStory } from "../../src/domain/grant-timeline.ts";
import {
  BREAK_CAUSES,
  breakText,
  entryText,
  TIMELINE_KINDS,
} from "../../src/domain/grant-timeline-texts.en.ts";
import { days, minutes } from "../../src/domain/instant.ts";

const entry = (at: number, kind: string, more: Record<string, string> = {}, detail = ""): TimelineEntry => ({
  at,
  kind,
  detail,
  more,
});
const authorized = (at: number, generation = "1") =>
  entry(at, "grant.authorized", { actor: "client:cli_1", request: "req_1", generation });
const broken = (at: number, more: Record<string, string> = {}) =>
  entry(
    at,
    "grant.reauthorization_required",
    { problem: "reauthorization_required", refreshes: "3", ...more },
    "invalid_grant",
  );
const grant = (of: Partial<Grant>): Grant =>
  ({ state: "active", lastProblem: undefined, lastRefreshedAt: undefined, ...of }) as Grant;
const lines = (entries: readonly TimelineEntry[]) => tellGrantStory(entries, undefined).lines;

describe("why a grant broke is told from what is kept of it", () => {
  it.each([
    [
      "iManage refused it",
      [authorized(0), broken(9, { refreshed_at: "5", ends_at: String(days(1)) })],
      "refused_by_imanage",
      "resource-owner",
    ],
    [
      "its refresh token had reached its end",
      [authorized(0), broken(days(2), { ends_at: String(days(1)) })],
      "refresh_token_ended",
      "resource-owner",
    ],
    [
      "the answer of a refresh was lost",
      [authorized(0), entry(7, "refresh.answer_lost"), broken(9, { refreshed_at: "5" })],
      "answer_lost",
      "resource-owner",
    ],
    [
      "an answer was lost, and another refresh went well since",
      [authorized(0), entry(3, "refresh.answer_lost"), broken(9, { refreshed_at: "5" })],
      "refused_by_imanage",
      "resource-owner",
    ],
    [
      "an answer was lost before it was authorized again",
      [authorized(0), entry(3, "refresh.answer_lost"), authorized(4, "2"), broken(9)],
      "refused_by_imanage",
      "resource-owner",
    ],
    ["one refusal", [authorized(0), entry(2, "grant.suspect", {}, "invalid_grant")], "suspected", "time"],
    [
      "a containment",
      [authorized(0), entry(2, "grant.revoked", { containment: "ctn_1" })],
      "contained",
      "resource-owner",
    ],
    [
      "nobody used it",
      [authorized(0), entry(2, "grant.gone", { server: "srv_1" }, "unused")],
      "unused",
      "resource-owner",
    ],
    [
      "another took its place",
      [authorized(0), entry(2, "grant.gone", { server: "srv_1" }, "replaced")],
      "replaced",
      "time",
    ],
    [
      "there was no refresh token",
      [authorized(0), entry(2, "grant.ended")],
      "no_refresh_token",
      "resource-owner",
    ],
    ["workers died of it", [authorized(0), entry(2, "refresh.put_aside")], "worker_crashed", "operator"],
  ])("%s", (_, entries, cause, remedy) => {
    const { lines, standing } = tellGrantStory(entries, undefined);
    expect(lines.at(-1)!.broke).toMatchObject({ cause, remedy });
    expect(standing).toMatchObject({ state: "gone", broke: { cause } });
  });

  it.each([
    ["the person who authorized again", authorized(20, "2")],
    ["late good news", entry(20, "grant.recovered", {}, "it was reauthorization_required")],
  ])("nothing is to be done any more after %s", (_, mend) => {
    const { standing } = tellGrantStory(
      [authorized(0), broken(9), mend],
      grant({ refreshes: 1, lastRefreshedAt: 21 }),
    );
    expect(standing).toEqual({
      state: "active",
      sentence: "It works: refreshed once since it was authorized, last on 1 January 1970 00:00 UTC.",
      broke: undefined,
    });
  });

  it.each([
    ["client_secret_refused", "client_secret_refused", "operator"],
    ["imanage_unavailable", "imanage_unavailable", "time"],
    ["refresh_pending", "imanage_unavailable", "time"],
  ])("while refreshing fails with %s it says since when, and who acts", (code, cause, remedy) => {
    const { standing } = tellGrantStory(
      [authorized(0)],
      grant({ lastProblem: { code, at: 5 }, failingSince: minutes(90) }),
    );
    expect(standing).toMatchObject({ state: "active", broke: { cause, remedy } });
    expect(standing.sentence).toContain("since 1 January 1970 01:30 UTC");
  });
});

it("one without a refresh token that has ended does not work, although nothing refused it", () => {
  const { standing } = tellGrantStory([authorized(0), entry(2, "grant.ended")], grant({}));
  expect(standing).toMatchObject({
    state: "active",
    sentence: expect.stringMatching(/^It does not work/),
    broke: { cause: "no_refresh_token" },
  });
});

it("whoever ended a grant stands in the line of its end", () => {
  const end = entry(5, "grant.gone", { server: "srv_1" }, "withdrawn");
  const by = entry(5, "grant.revoked", { actor: "cli:root", request: "req_9", server: "srv_1" });
  expect(lines([authorized(0), end, by]).map(({ kind, actor, request }) => [kind, actor, request])).toEqual([
    ["grant.authorized", "client:cli_1", "req_1"],
    ["grant.gone", "cli:root", "req_9"],
  ]);
  // What happened at another moment is another line.
  expect(lines([authorized(0), end, { ...by, at: 6 }])).toHaveLength(3);
});

it("says where the record begins, and whether something is missing before", () => {
  const begins = (...entries: TimelineEntry[]) => tellGrantStory(entries, undefined).begins;
  expect(begins()).toBeUndefined();
  expect(begins(authorized(3))).toMatchObject({ at: 3, complete: true });
  expect(begins(authorized(3, "2"))).toMatchObject({ at: 3, complete: false });
  expect(begins(entry(4, "grant.suspect"), authorized(5))).toMatchObject({ at: 4, complete: false });
});

it("every kind has words of its own, and every cause says who acts and what he does", () => {
  const told = TIMELINE_KINDS.map((kind) => entryText({ ...entry(1, kind), more: { since: "1" } }));
  for (const text of told) expect(text).toMatch(/^(iManage|[A-Z]).{10,}\.$/);
  for (const cause of BREAK_CAUSES)
    for (const text of [breakText(cause).sentence, breakText(cause).action]) expect(text).toMatch(/\.$/);
  // Of a kind that this version does not know its detail is told.
  expect(entryText(entry(1, "grant.unheard_of", {}, "as it came"))).toBe("as it came");
});
