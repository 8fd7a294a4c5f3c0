import { describe, expect, it } from "vitest";
import { hours as hoursLong, minutes, rfc3339, seconds } from "../../src/domain/instant.ts";
import {
  CLIENT_ACTIONS,
  DENIALS,
  evaluatePolicy,
  type Policy,
  type PolicyRequest,
  type PolicyRule,
} from "../../src/domain/policy.ts";
import { type Hours, isOpen, isTimeZone, nextClosing, nextOpening } from "../../src/domain/policy-hours.ts";
import { isInside, parseNetwork } from "../../src/domain/policy-network.ts";
import { Seeded } from "../kit/seeded.ts";
import { referenceVerdict } from "./policy-reference.ts";

const rule: PolicyRule = { servers: undefined, users: "all", libraries: "all", actions: ["token"] };
const policyOf = (...rules: PolicyRule[]): Policy => ({
  v: 1,
  client: "cli_a",
  organisation: "org_a",
  rules,
  tokensPerMinute: 60,
});
const token: PolicyRequest = {
  action: "token",
  server: "srv_a",
  subject: { type: "user", issuer: "client", id: "u-amelia" },
  address: "192.0.2.7",
};
const at = (text: string): number => Date.parse(text);
const NOW = at("2026-11-20T12:00:00Z");

describe("policies: default deny", () => {
  it.each([
    [undefined, token, "no_policy"],
    [policyOf(), token, "no_policy"],
    [policyOf({ ...rule, servers: ["srv_b"] }), token, "server"],
    [policyOf({ ...rule, servers: [] }), token, "server"],
    [policyOf({ ...rule, actions: [] }), token, "action"],
    [policyOf({ ...rule, users: [] }), token, "user"],
    [policyOf({ ...rule, users: [{ issuer: "another", id: "u-amelia" }] }), token, "user"],
    [policyOf({ ...rule, libraries: ["B"] }), { ...token, subject: { type: "library", id: "A" } }, "library"],
    [policyOf({ ...rule, validUntil: NOW }), token, "expired"],
    [policyOf({ ...rule, networks: ["10.0.0.0/8"] }), token, "network"],
    [policyOf({ ...rule, networks: ["10.0.0.0/8"] }), { ...token, address: "" }, "network"],
    [policyOf({ ...rule, purposes: ["filing"] }), token, "purpose"],
    [policyOf({ ...rule, minTtlMaxMs: seconds(60) }), { ...token, minTtlMs: seconds(61) }, "min_ttl"],
  ] as const)("%# is denied, and says why", (policy, asked, because) => {
    expect(evaluatePolicy(policy as Policy, asked as PolicyRequest, NOW)).toMatchObject({
      allowed: false,
      because,
    });
  });

  it.each([
    [policyOf(rule), token],
    [policyOf({ ...rule, servers: ["srv_a"] }), token],
    [policyOf({ ...rule, servers: ["srv_b"] }), { ...token, server: undefined }],
    [policyOf({ ...rule, users: [] }), { ...token, subject: undefined }],
    [policyOf({ ...rule, users: [{ issuer: "client", id: "u-amelia" }] }), token],
    [policyOf({ ...rule, validUntil: NOW + 1 }), token],
    [policyOf({ ...rule, networks: ["192.0.2.0/24"] }), token],
    [policyOf({ ...rule, networks: ["192.0.2.0/24"] }), { ...token, address: "::ffff:192.0.2.7" }],
    [policyOf({ ...rule, networks: ["10.0.0.0/8"] }), { ...token, address: undefined }],
    [policyOf({ ...rule, purposes: ["filing"] }), { ...token, purpose: "filing" }],
    [policyOf({ ...rule, minTtlMaxMs: seconds(60) }), { ...token, minTtlMs: seconds(60) }],
    [policyOf({ ...rule, actions: ["sync"], purposes: ["filing"] }), { ...token, action: "sync" }],
  ] as const)("%# is allowed", (policy, asked) => {
    expect(evaluatePolicy(policy as Policy, asked as PolicyRequest, NOW)).toMatchObject({
      allowed: true,
      rule: 0,
    });
  });
});

describe("several rules", () => {
  const night: Hours = {
    timeZone: "Europe/London",
    weekdays: [1, 2, 3, 4, 5],
    fromMinute: 22 * 60,
    toMinute: 6 * 60,
  };
  const vendor = policyOf(
    { ...rule, users: [], libraries: ["ACTIVE", "ARCHIVE"], actions: ["sync"], hours: night },
    { ...rule, libraries: [], minTtlMaxMs: seconds(30) },
  );
  const sync = { ...token, action: "sync", subject: { type: "library", id: "ACTIVE" } } as const;

  it("libraries at night, users at any time: each by its own rule and limits", () => {
    expect(evaluatePolicy(vendor, token, NOW)).toEqual({
      allowed: true,
      rule: 1,
      limits: { minTtlMaxMs: seconds(30) },
    });
    expect(evaluatePolicy(vendor, sync, at("2026-11-20T23:00:00Z"))).toEqual({
      allowed: true,
      rule: 0,
      limits: { toldUntil: at("2026-11-21T06:00:00Z") },
    });
  });

  it("a denial is told of the rule that comes nearest, with when it ends; and all reasons with their rules", () => {
    const verdict = evaluatePolicy(vendor, sync, NOW);
    expect(verdict).toEqual({
      allowed: false,
      because: "hours",
      rule: 0,
      retryAt: at("2026-11-20T22:00:00Z"),
      reasons: [
        { because: "hours", rule: 0, until: at("2026-11-20T22:00:00Z") },
        { because: "action", rule: 1 },
        { because: "library", rule: 1 },
      ],
    });
  });

  it("a server that only another rule names is as unknown as any other to this action's", () => {
    const two = policyOf(
      { ...rule, servers: ["srv_a"] },
      { ...rule, servers: ["srv_b"], actions: ["status"] },
    );
    expect(evaluatePolicy(two, { ...token, server: "srv_c" }, NOW)).toMatchObject({ because: "server" });
    expect(evaluatePolicy(two, { ...token, server: "srv_b" }, NOW)).toMatchObject({ because: "action" });
  });

  it("of two rules that only wait, the one that opens first says when; one that is void by then never does", () => {
    const later = { ...rule, hours: { ...night, fromMinute: 23 * 60 } };
    const sooner = { ...rule, hours: night };
    expect(evaluatePolicy(policyOf(later, sooner), token, NOW)).toMatchObject({
      rule: 1,
      retryAt: at("2026-11-20T22:00:00Z"),
    });
    const ended = { ...sooner, validUntil: at("2026-11-20T21:00:00Z") };
    expect(evaluatePolicy(policyOf(ended), token, NOW)).toMatchObject({
      because: "hours",
      retryAt: undefined,
    });
  });

  it("a token is told to live no longer than its rule: by its length, its end, or the end of its hours", () => {
    const until = (more: Partial<PolicyRule>) => evaluatePolicy(policyOf({ ...rule, ...more }), token, NOW);
    expect(until({ toldLifeMaxMs: minutes(5) })).toMatchObject({ limits: { toldUntil: NOW + minutes(5) } });
    expect(until({ toldLifeMaxMs: minutes(5), validUntil: NOW + seconds(9) })).toMatchObject({
      limits: { toldUntil: NOW + seconds(9) },
    });
    const day = { timeZone: "Europe/London", weekdays: [5], fromMinute: 8 * 60, toMinute: 18 * 60 };
    expect(until({ hours: day })).toMatchObject({ limits: { toldUntil: at("2026-11-20T18:00:00Z") } });
  });
});

describe("networks", () => {
  it.each([
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["10.0.0.0/8", "::ffff:10.1.2.3", true],
    ["10.0.0.0/8", "::ffff:0a01:0203", true],
    ["::ffff:10.0.0.0/104", "10.1.2.3", true],
    ["10.0.0.0/8", "::10.1.2.3", false],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.8", false],
    ["0.0.0.0/0", "203.0.113.1", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "203.0.113.1", false],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["fe80::/10", "fe80::1%eth0", true],
    ["::1", "::1", true],
    ["10.0.0.0/8", "010.0.0.1", false],
    ["10.0.0.0/8", "10.1", false],
    ["10.0.0.0/8", "", false],
    ["0.0.0.0/0", "1:2", false],
    ["::/0", "1:2:3:4:5:6:7:8:9", false],
    ["::/0", "1::2::3", false],
  ])("%s and %s: %s", (network, address, inside) => {
    expect(isInside([network], address)).toBe(inside);
  });

  it.each([
    "10.0.0.1/8",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "10.0.0",
    "2001:db8::1/32",
    "2001:db8::/129",
    "::g/32",
    "",
    "localhost",
    "10.0.0.0/08",
  ])("%j is no range", (text) => {
    expect(() => parseNetwork(text)).toThrow(RangeError);
    expect(isInside([text], "10.0.0.1")).toBe(false);
  });
});

describe("hours", () => {
  const office: Hours = {
    timeZone: "Europe/London",
    weekdays: [1, 2, 3, 4, 5],
    fromMinute: 480,
    toMinute: 1_080,
  };
  const sundayNight: Hours = { timeZone: "Europe/London", weekdays: [7], fromMinute: 90, toMinute: 150 };

  it.each([
    // Summer time ends on 25 October 2026: eight o'clock is an hour later by UTC from then on.
    [office, "2026-10-23T06:59:59Z", false],
    [office, "2026-10-23T07:00:00Z", true],
    [office, "2026-10-26T07:00:00Z", false],
    [office, "2026-10-26T08:00:00Z", true],
    [office, "2026-10-26T17:59:59.999Z", true],
    [office, "2026-10-26T18:00:00Z", false],
    [office, "2026-10-24T12:00:00Z", false],
    // 01:30–02:30 on the night in which 01:00–02:00 comes twice: open in both.
    [sundayNight, "2026-10-25T00:45:00Z", true],
    [sundayNight, "2026-10-25T01:15:00Z", false],
    [sundayNight, "2026-10-25T01:45:00Z", true],
    // And on the night in which 01:00–02:00 is left out: it begins at two.
    [sundayNight, "2026-03-29T00:59:59Z", false],
    [sundayNight, "2026-03-29T01:00:00Z", true],
    [sundayNight, "2026-03-29T01:30:00Z", false],
  ] as const)("%o at %s: %s", (hours, when, open) => {
    expect(isOpen(hours, at(when))).toBe(open);
  });

  it("open and close by the clock on the wall, through every change of it", () => {
    expect(nextOpening(office, at("2026-10-23T18:00:00Z"))).toBe(at("2026-10-26T08:00:00Z"));
    expect(nextOpening(sundayNight, at("2026-03-28T12:00:00Z"))).toBe(at("2026-03-29T01:00:00Z"));
    expect(
      nextClosing({ ...office, weekdays: [1, 2, 3, 4, 5, 6, 7], fromMinute: 0, toMinute: 1_440 }, NOW),
    ).toBe(undefined);
  });

  it("in a place that is not known are never", () => {
    const nowhere = { ...office, timeZone: "Europe/Nowhere" };
    expect([isTimeZone("Europe/Nowhere"), isOpen(nowhere, NOW), nextOpening(nowhere, NOW)]).toEqual([
      false,
      false,
      undefined,
    ]);
  });

  it("tell when they change next as minute by minute one would find it", () => {
    const seeded = new Seeded();
    for (let i = 0; i < 60; i++) {
      const hours = someHours(seeded);
      const now =
        at("2026-03-22T00:00:00Z") + seeded.below(400) * hoursLong(21) + seeded.below(60) * minutes(1);
      const open = isOpen(hours, now);
      const told = open ? nextClosing(hours, now) : nextOpening(hours, now);
      let found: number | undefined;
      for (let later = now; later < now + hoursLong(24 * 16) && found === undefined; later += minutes(5)) {
        if (isOpen(hours, later) !== open) found = later;
      }
      // All bounds lie on multiples of five minutes, and so does `now`, or it is less than that before one.
      const within =
        told === undefined
          ? undefined
          : found !== undefined && found - told >= 0 && found - told < minutes(5);
      expect(within ?? found, `seed ${seeded.seed}: ${JSON.stringify(hours)} at ${rfc3339(now)}`).toBe(
        told === undefined ? undefined : true,
      );
    }
  });
});

const ZONES = [
  "Europe/London",
  "America/New_York",
  "Asia/Kolkata",
  "Australia/Lord_Howe",
  "Pacific/Apia",
  "UTC",
];
const USERS = ["u-1", "u-2", "u-3"];
const LIBRARIES = ["ACTIVE", "ARCHIVE", "HR"];
const NETWORKS = [
  "10.0.0.0/8",
  "10.1.0.0/16",
  "192.0.2.7",
  "2001:db8::/32",
  "2001:db8:1::/48",
  "0.0.0.0/0",
  "::/0",
];
const ADDRESSES = [
  "10.1.2.3",
  "10.2.0.1",
  "::ffff:10.1.2.3",
  "192.0.2.7",
  "192.0.2.8",
  "2001:db8::5",
  "2001:db8:1::5",
];
const PURPOSES = ["filing", "billing"];

function some<T>(seeded: Seeded, from: readonly T[]): T[] {
  return from.filter(() => seeded.below(2) === 0);
}

function someHours(seeded: Seeded): Hours {
  const fromMinute = 5 * seeded.below(288);
  const weekdays = some(seeded, [1, 2, 3, 4, 5, 6, 7]);
  return {
    timeZone: seeded.pick(ZONES),
    weekdays: weekdays.length === 0 ? [3] : weekdays,
    fromMinute,
    toMinute: (fromMinute + 5 + 5 * seeded.below(280)) % 1_440 || 1_440,
  };
}

function someRule(seeded: Seeded): PolicyRule {
  const sometimes = <T>(make: () => T): T | undefined => (seeded.below(4) === 0 ? make() : undefined);
  const given = <K extends keyof PolicyRule>(key: K, value: PolicyRule[K] | undefined) =>
    value === undefined ? {} : { [key]: value };
  return {
    servers: seeded.below(2) === 0 ? undefined : some(seeded, ["srv_a", "srv_b"] as const),
    users:
      seeded.below(2) === 0
        ? "all"
        : some(seeded, USERS).map((id) => ({ id, issuer: seeded.pick(["client", "idp"]) })),
    libraries: seeded.below(2) === 0 ? "all" : some(seeded, LIBRARIES),
    actions: some(seeded, CLIENT_ACTIONS),
    ...given(
      "minTtlMaxMs",
      sometimes(() => seconds(30 * seeded.below(5))),
    ),
    ...given(
      "networks",
      sometimes(() => some(seeded, NETWORKS)),
    ),
    ...given(
      "hours",
      sometimes(() => someHours(seeded)),
    ),
    ...given(
      "purposes",
      sometimes(() => some(seeded, PURPOSES)),
    ),
    ...given(
      "validUntil",
      sometimes(() => NOW + hoursLong(seeded.below(2_000))),
    ),
  };
}

function someRequest(seeded: Seeded): PolicyRequest {
  return {
    action: seeded.pick(CLIENT_ACTIONS),
    server: seeded.pick(["srv_a", "srv_b", undefined] as const),
    subject: seeded.pick([
      undefined,
      { type: "user", issuer: "client", id: seeded.pick(USERS) },
      { type: "user", issuer: "idp", id: seeded.pick(USERS) },
      { type: "library", id: seeded.pick(LIBRARIES) },
    ] as const),
    address: seeded.pick([undefined, ...ADDRESSES]),
    purpose: seeded.pick([undefined, ...PURPOSES, "gossip"]),
    minTtlMs: seeded.pick([undefined, 0, seconds(30), seconds(60), seconds(600)]),
  };
}

describe("random policies and requests", () => {
  const cases = Number(process.env.POLICY_CASES ?? 5_000);

  it(`T32: the evaluator and a second one that shares nothing with it agree on ${cases} cases`, {
    timeout: 600_000,
  }, () => {
    const seeded = new Seeded();
    let allowed = 0;
    const seen = new Set<string>();
    for (let i = 0; i < cases; i++) {
      const rules = Array.from({ length: seeded.below(4) }, () => someRule(seeded));
      const asked = someRequest(seeded);
      const when = NOW + minutes(seeded.below(60 * 24 * 365));
      const verdict = evaluatePolicy(policyOf(...rules), asked, when);
      const expected = referenceVerdict(rules, asked, when);
      const about = `seed ${seeded.seed}, case ${i}: ${JSON.stringify({ rules, asked, when: rfc3339(when) })}`;
      if (verdict.allowed !== expected.allowed)
        expect.fail(`${verdict.allowed} is not ${expected.allowed}: ${about}`);
      if (verdict.allowed) {
        allowed++;
        expect(verdict.rule, about).toBe(expected.rule);
        continue;
      }
      seen.add(verdict.because);
      const told = rules.map((_, at) =>
        verdict.reasons.filter((one) => one.rule === at).map((one) => one.because),
      );
      expect(told, about).toEqual(expected.failing);
      const opens = verdict.retryAt;
      if (opens !== undefined && !referenceVerdict(rules, asked, opens).allowed)
        expect.fail(`closed at ${rfc3339(opens)}: ${about}`);
      if (opens !== undefined && referenceVerdict(rules, asked, opens - 1).allowed)
        expect.fail(`open before ${rfc3339(opens)}: ${about}`);
    }
    // A run in which nearly nothing is allowed, or some reason never occurs, would prove little.
    expect(allowed, `seed ${seeded.seed}`).toBeGreaterThan(cases / 20);
    expect([...seen].sort()).toEqual(["no_policy", ...DENIALS].sort());
  });
});
