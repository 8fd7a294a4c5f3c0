import { describe, expect, it } from "vitest";
import { minutes, seconds } from "../../src/domain/instant.ts";
import {
  type FailureVerdict,
  judgeRefreshFailure,
  type RefusalHistory,
  type TokenRefusal,
} from "../../src/domain/refresh-failure.ts";
import type { RotationProfile } from "../../src/domain/server.ts";

const NOW = Date.UTC(2026, 10, 22, 9);
const NONE: RefusalHistory = { count: 0, firstAt: undefined };

const judge = (
  outcome: Parameters<typeof judgeRefreshFailure>[0],
  history: RefusalHistory = NONE,
  rotation: RotationProfile = "unknown",
): FailureVerdict => judgeRefreshFailure(outcome, history, NOW, rotation, seconds(60));

const refused = (refusal: TokenRefusal, retryAfterMs?: number) =>
  ({ kind: "refused", refusal, status: 400, retryAfterMs }) as const;

describe("what a failed refresh does to its grant", () => {
  it("not sent: nothing is lost and it is tried again in a second", () => {
    expect(judge({ kind: "not_sent", reason: "ECONNREFUSED" })).toMatchObject({
      state: "unchanged",
      coolDownMs: 1_000,
      outcomeUnknown: false,
    });
  });

  it.each<[RotationProfile, number]>([
    ["static", 0],
    ["leeway", 0],
    ["rotating", 45_000],
    ["strict", 45_000],
    ["unknown", 45_000],
  ])(
    "outcome unknown after 15 s on a %s server: asked again after %i ms, and the intent stays",
    (rotation, coolDownMs) => {
      const verdict = judge({ kind: "unknown", reason: "reset", elapsedMs: seconds(15) }, NONE, rotation);
      expect(verdict).toMatchObject({ state: "unchanged", coolDownMs, outcomeUnknown: true });
    },
  );

  it.each<[string, RefusalHistory, FailureVerdict["state"]]>([
    ["the first", NONE, "suspect"],
    ["the second", { count: 1, firstAt: NOW - minutes(5) }, "suspect"],
    ["the third within two minutes of the first", { count: 2, firstAt: NOW - seconds(119) }, "suspect"],
    [
      "the third, two minutes after the first,",
      { count: 2, firstAt: NOW - minutes(2) },
      "reauthorization_required",
    ],
    [
      "the fourth at last far enough from the first",
      { count: 3, firstAt: NOW - minutes(3) },
      "reauthorization_required",
    ],
  ])("%s invalid_grant makes it %s (F04)", (_which, history, state) => {
    expect(judge(refused("invalid_grant"), history).state).toBe(state);
  });

  it("invalid_client is the registration's fault and marks no grant (F06)", () => {
    expect(judge(refused("invalid_client"), { count: 2, firstAt: NOW - minutes(9) })).toMatchObject({
      state: "unchanged",
      problem: "client_secret_refused",
    });
  });

  it.each<[TokenRefusal, number | undefined, number]>([
    ["throttled", seconds(30), seconds(30)],
    ["throttled", 0, seconds(1)],
    ["throttled", -5, seconds(1)],
    ["throttled", 1e12, minutes(60)],
    ["throttled", undefined, seconds(5)],
    ["upstream", undefined, seconds(2)],
    ["upstream", seconds(120), seconds(120)],
    ["forbidden", undefined, seconds(60)],
    ["configuration", undefined, seconds(60)],
  ])(
    "%s with Retry-After %s waits %i ms and changes no state (F03, F07)",
    (refusal, retryAfterMs, coolDownMs) => {
      expect(judge(refused(refusal, retryAfterMs))).toMatchObject({
        state: "unchanged",
        coolDownMs,
        outcomeUnknown: false,
      });
    },
  );

  it("no single answer of any kind ends a grant", () => {
    const refusals: TokenRefusal[] = [
      "invalid_grant",
      "invalid_client",
      "forbidden",
      "throttled",
      "upstream",
      "configuration",
    ];
    for (const refusal of refusals)
      expect(judge(refused(refusal)).state).not.toBe("reauthorization_required");
  });
});
