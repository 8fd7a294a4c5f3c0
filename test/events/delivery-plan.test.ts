import { describe, expect, it } from "vitest";
import { days, hours, minutes, seconds } from "../../src/domain/instant.ts";
import {
  afterAttempt,
  deadBefore,
  LIFE_MS,
  RETRY_WAITS_MS,
  type Receiver,
  type Sent,
  verdictOf,
  WELL,
  width,
} from "../../src/events/delivery-plan.ts";

const NOW = Date.UTC(2026, 10, 22);
const answer = (status: number, retryAfterMs?: number): Sent => ({ status, retryAfterMs });
const away: Sent = { status: undefined, reason: "connect_failed" };
const EVEN = 0.5;

/** A receiver that has failed so often in a row, one attempt at once after the other. */
const failed = (times: number): Receiver => {
  let receiver = WELL;
  for (let i = 0; i < times; i++) receiver = afterAttempt(receiver, 0, away, NOW, EVEN).receiver;
  return receiver;
};

describe("an answer", () => {
  it.each([
    [200, "taken"],
    [204, "taken"],
    [301, "failed"],
    [307, "failed"],
    [400, "refused"],
    [409, "refused"],
    [422, "refused"],
    [401, "failed"],
    [403, "failed"],
    [404, "failed"],
    [408, "failed"],
    [429, "failed"],
    [410, "gone"],
    [500, "failed"],
    [503, "failed"],
  ])("of %i is %s", (status, verdict) => expect(verdictOf({ status })).toBe(verdict));

  it("that did not come is a failure", () => expect(verdictOf(away)).toBe("failed"));
});

describe("an event that is refused", () => {
  it("is tried ten times over three days, then it is a dead letter, and the receiver is not down", () => {
    let [receiver, tries, now] = [WELL, 0, NOW];
    const waits: number[] = [];
    for (;;) {
      const after = afterAttempt(receiver, tries, answer(422), now, EVEN);
      ({ receiver, tries } = after);
      expect(width(receiver, now).lanes).toBe(4);
      if (after.event.kind !== "again") {
        expect(after.event.kind).toBe("dead");
        break;
      }
      waits.push(after.event.waitMs);
      now += after.event.waitMs;
    }
    expect(waits).toEqual(RETRY_WAITS_MS);
    expect(waits).toEqual([5_000, 300_000, 1_800_000, ...[2, 5, 10, 14, 20, 24].map(hours)]);
    expect(LIFE_MS).toBeGreaterThan(days(3));
  });

  it("waits a little less or more, so that those who failed together do not come together", () => {
    const waitOf = (chance: number) => afterAttempt(WELL, 1, answer(422), NOW, chance).event;
    expect([waitOf(0), waitOf(0.999)]).toEqual([
      { kind: "again", waitMs: 270_000 },
      { kind: "again", waitMs: 329_940 },
    ]);
  });
});

describe("a receiver that is down", () => {
  it("is probed after three failures in a row, by one lane, at longer and longer waits up to five minutes", () => {
    expect(width(failed(2), NOW).lanes).toBe(4);
    const waits: number[] = [];
    for (let failures = 3; failures < 12; failures++) {
      const { lanes, at } = width(failed(failures), NOW);
      expect(lanes).toBe(0);
      waits.push(at! - NOW);
      expect(width(failed(failures), at!)).toEqual({ lanes: 1 });
    }
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300].map(seconds));
  });

  it("uses up no event's schedule by its probes", () => {
    const after = afterAttempt(failed(3), 2, answer(500), NOW + seconds(5), EVEN);
    expect(after).toMatchObject({ tries: 2, event: { kind: "again" }, wake: false });
  });

  it("wakes every lane with the first event it takes, and is as one that never failed", () => {
    const after = afterAttempt(failed(9), 1, answer(200), NOW, EVEN);
    expect(after).toEqual({ receiver: WELL, event: { kind: "done" }, tries: 0, wake: true, disable: false });
    expect(afterAttempt(WELL, 0, answer(200), NOW, EVEN).wake).toBe(false);
  });

  it("makes dead letters of what was there for all three days and was not taken, of nothing younger", () => {
    const receiver = failed(5);
    expect(deadBefore(receiver, NOW + LIFE_MS - 1)).toBeUndefined();
    expect(deadBefore(receiver, NOW + LIFE_MS)).toBe(NOW);
    expect(deadBefore(receiver, NOW + LIFE_MS + hours(1))).toBe(NOW + hours(1));
    expect(deadBefore(WELL, NOW + LIFE_MS)).toBeUndefined();
  });
});

describe("a receiver that asks for time", () => {
  it("gets it, for a day at most, and no event's schedule is used up", () => {
    const after = afterAttempt(WELL, 3, answer(429, minutes(20)), NOW, EVEN);
    expect(after).toMatchObject({ tries: 3, event: { kind: "again", waitMs: minutes(20) } });
    expect(width(after.receiver, NOW)).toEqual({ lanes: 0, at: NOW + minutes(20) });
    expect(width(after.receiver, NOW + minutes(20)).lanes).toBe(4);
    expect(afterAttempt(WELL, 0, answer(503, days(30)), NOW, EVEN).event).toEqual({
      kind: "again",
      waitMs: days(1),
    });
  });

  it("and then takes an event is sent everything that waits", () => {
    const { receiver } = afterAttempt(WELL, 0, answer(503, minutes(1)), NOW, EVEN);
    expect(afterAttempt(receiver, 0, answer(200), NOW + minutes(1), EVEN).wake).toBe(true);
  });
});

it("410 Gone disables the subscription and loses no event", () => {
  const after = afterAttempt(WELL, 0, answer(410), NOW, EVEN);
  expect(after).toMatchObject({ disable: true, event: { kind: "again" }, tries: 0 });
});
