import { describe, expect, it } from "vitest";
import {
  completionWindowMs,
  decideKeepAlive,
  keepAliveMs,
  softMarginMs,
  timing,
} from "../../src/domain/access-policy.ts";
import { sameUpstreamUser } from "../../src/domain/grant.ts";
import { days, minutes, seconds } from "../../src/domain/instant.ts";
import { PROBLEMS } from "../../src/domain/problem-catalogue.ts";

describe("lengths of time and what they promise each other", () => {
  it("a lease survives two missed renewals", () => {
    expect(timing.leaseMs).toBeGreaterThanOrEqual(3 * timing.leaseRenewalMs);
  });

  it("callers are answered before the provider's deadline, and wait longer than an ordinary answer takes", () => {
    expect(timing.callerDeadlineMs).toBeLessThan(timing.providerDeadlineMs);
  });

  it.each([
    [seconds(30), seconds(25)],
    [seconds(10), seconds(5)],
    [seconds(5), seconds(1)],
    [minutes(10), seconds(60)],
  ])("a code that lives %i ms waits %i ms for its completion", (codeLife, window) => {
    expect(completionWindowMs(codeLife)).toBe(window);
  });

  it("a token is refreshed ahead in the last fifth of its life, at most five minutes ahead", () => {
    expect(softMarginMs(minutes(30))).toBe(minutes(5));
    expect(softMarginMs(seconds(100))).toBe(seconds(20));
  });

  it("an idle grant is kept alive weekly, never later than a quarter of its refresh token's life, earlier by up to a tenth", () => {
    expect(keepAliveMs(days(365))).toBe(days(7));
    expect(keepAliveMs(days(8))).toBe(days(2));
    expect(decideKeepAlive(days(365), Uint8Array.of(0, 0)).jitter).toBe(0);
    expect(decideKeepAlive(days(365), Uint8Array.of(255, 255)).jitter).toBeLessThan(1);
  });
});

describe("who someone is at iManage", () => {
  const amelia = { customerId: "1", userId: "Amelia.Hart", name: undefined, email: undefined };
  it("is customer and user together, in whatever case the user id comes", () => {
    expect(sameUpstreamUser(amelia, { ...amelia, userId: "amelia.hart" })).toBe(true);
    expect(sameUpstreamUser(amelia, { ...amelia, customerId: "2" })).toBe(false);
  });
});

describe("the catalogue of problems", () => {
  it.each(Object.entries(PROBLEMS))("%s says who acts and how, in sentences", (code, kind) => {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(kind.title).toMatch(/^(iManage|[A-Z]).*\.$/);
    expect(kind.action).toMatch(/^(iManage|[A-Z]).*\.$/);
    expect(kind.status).toBeGreaterThanOrEqual(400);
    if (kind.remedy === "time") expect([409, 429, 503]).toContain(kind.status); // 409: that one thing, not the whole service
  });
});
