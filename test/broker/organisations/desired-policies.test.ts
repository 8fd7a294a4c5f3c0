import { describe, expect, test } from "vitest";
import type { SecretStandings } from "../../../src/broker/organisations/plan.ts";
import { planConfiguration } from "../../../src/broker/organisations/plan-configuration.ts";
import { days, minutes, seconds } from "../../../src/domain/instant.ts";
import type { Policy } from "../../../src/domain/policy.ts";
import { changed, desiredOf, faultsOf } from "./wanted.ts";

const told = (policy: object) => changed("clients.0.policies.0", { organisation: "meridian", ...policy });
const policyOf = (policy: object) => desiredOf(told(policy)).clients[0]?.policies[0];
const office = { time_zone: "Europe/London", weekdays: ["mon", "fri"], from: "08:00", to: "18:30" };

describe("what a file says of policies", () => {
  test("one rule stands in the policy itself, every limit with its unit", () => {
    expect(
      policyOf({
        servers: ["dms"],
        users: ["u-1", { issuer: "https://idp.example", id: "u-2" }],
        actions: ["token", "token", "status"],
        tokens_per_minute: 30,
        grants_per_hour: 50,
        networks: ["10.20.0.0/16", "2001:db8::/32"],
        hours: office,
        purposes: ["filing"],
        min_ttl_max_seconds: 60,
        told_life_max_seconds: 300,
        valid_until: "2027-06-30",
      }),
    ).toEqual({
      organisation: "meridian",
      tokensPerMinute: 30,
      grantsPerHour: 50,
      rules: [
        {
          servers: ["dms"],
          users: [
            { issuer: "client", id: "u-1" },
            { issuer: "https://idp.example", id: "u-2" },
          ],
          libraries: [],
          actions: ["token", "status"],
          networks: ["10.20.0.0/16", "2001:db8::/32"],
          hours: { timeZone: "Europe/London", weekdays: [1, 5], fromMinute: 480, toMinute: 1_110 },
          purposes: ["filing"],
          minTtlMaxMs: minutes(1),
          toldLifeMaxMs: minutes(5),
          validUntil: Date.parse("2027-06-30T00:00:00Z") + days(1),
        },
      ],
    });
  });

  test("who names users means no library, and the other way round; who names neither means everybody", () => {
    const of = (policy: object) => policyOf({ actions: ["token"], ...policy })?.rules[0];
    expect(of({})).toMatchObject({ users: "all", libraries: "all" });
    expect(of({ users: "all" })).toMatchObject({ users: "all", libraries: [] });
    expect(of({ libraries: ["ACTIVE"] })).toMatchObject({ users: [], libraries: ["ACTIVE"] });
    expect(of({ libraries: "all", users: ["u-1"] })).toMatchObject({ libraries: "all" });
  });

  test("several rules, each with limits of its own", () => {
    const night = { time_zone: "Europe/London", from: "22:00", to: "06:00" };
    const policy = policyOf({
      grants_per_hour: 50,
      rules: [
        { actions: ["sync"], libraries: ["ACTIVE", "ARCHIVE"], hours: night },
        { actions: ["token"], users: "all", told_life_max_seconds: 300 },
      ],
    });
    expect(policy?.rules).toMatchObject([
      {
        libraries: ["ACTIVE", "ARCHIVE"],
        hours: { weekdays: [1, 2, 3, 4, 5, 6, 7], fromMinute: 1_320, toMinute: 360 },
      },
      // Who is told of five minutes is not promised more.
      { users: "all", minTtlMaxMs: seconds(300), toldLifeMaxMs: seconds(300) },
    ]);
    expect(policy).toMatchObject({ tokensPerMinute: 600, grantsPerHour: 50 });
  });

  test.each([
    [{ networks: ["10.0.0.1/8"] }, "networks.0 has bits set behind its prefix"],
    [{ networks: ["office"] }, "networks.0 is neither an address nor a range like 10.20.0.0/16"],
    [{ networks: ["10.0.0.0/33"] }, "networks.0 ends in no prefix of 0 to 32"],
    [{ networks: [] }, "networks must name a network; leave it out"],
    [
      { hours: { ...office, time_zone: "Europe/Nowhere" } },
      "hours.time_zone is no time zone of the IANA list",
    ],
    [
      { hours: { ...office, to: "08:00" } },
      "hours.to must not be the same as from: no minute lies between them",
    ],
    [{ hours: { ...office, weekdays: [] } }, "hours.weekdays must name a weekday, or these hours never come"],
    [{ hours: { ...office, weekdays: ["someday"] } }, "hours.weekdays.0 must be one of mon, tue"],
    [{ hours: { ...office, from: "8" } }, "hours.from must be a time of day like 08:00, in quotes"],
    [{ hours: { ...office, to: "25:00" } }, "hours.to must be a time of day like 18:00 or 24:00"],
    [{ purposes: [] }, "purposes must name a purpose; leave it out"],
    [{ users: [] }, "users must name somebody, or this allows nothing to anybody"],
    [{ users: "some" }, "users must be all, or a list of at most 2000 ids"],
    [{ libraries: [] }, "libraries must name somebody"],
    [{ min_ttl_max_seconds: 0 }, "min_ttl_max_seconds must be a whole number from 1 to 1200"],
    [
      { told_life_max_seconds: 60, min_ttl_max_seconds: 61 },
      "min_ttl_max_seconds must not be more than told_life",
    ],
    [{ grants_per_hour: 0 }, "grants_per_hour must be a whole number from 1 to 100000"],
    [{ valid_until: "tomorrow" }, "valid_until must be a date like 2027-06-30, or a moment"],
    [{ valid_until: "2027-02-30" }, "valid_until must be a date like 2027-06-30, or a moment"],
    [
      { minutes: 3 },
      "minutes is not a field here; fields are organisation, tokens_per_minute, grants_per_hour",
    ],
    [{ rules: [{ actions: ["token"] }] }, "actions must not stand beside rules"],
  ])("%j: a sentence", (fault, sentence) => {
    expect(faultsOf(told({ actions: ["token"], ...fault }))).toEqual([expect.stringContaining(sentence)]);
  });

  test("faults inside rules are named with their rule", () => {
    const rules = [{ actions: ["token"] }, { servers: ["nowhere"], networks: ["x"] }];
    expect(faultsOf(told({ rules })).toSorted()).toEqual([
      expect.stringContaining("rules.1.actions is required"),
      expect.stringContaining("rules.1.networks.0 is neither an address"),
      expect.stringContaining("rules.1.servers.0 names no server of this organisation"),
    ]);
    expect(faultsOf(told({ rules: [] }))).toEqual([expect.stringContaining("rules must hold a rule")]);
  });
});

describe("the difference", () => {
  const standings: SecretStandings = { registration: () => "newest", client: () => "newest" };
  const stored: Policy = {
    v: 1,
    client: "cli_a",
    organisation: "org_a",
    rules: [{ servers: undefined, users: "all", libraries: "all", actions: ["token"] }],
    tokensPerMinute: 600,
  };
  const changesOf = (policy: object, before: Policy | undefined = stored) => {
    const desired = desiredOf(told(policy));
    const { steps } = planConfiguration(
      desired,
      {
        organisations: [
          { record: { id: "org_a", name: "meridian" }, servers: [], registrations: [] },
        ] as never,
        sharedRegistrations: [],
        clients: [
          {
            record: { id: "cli_a", name: "tracker", returnUrls: [], secrets: [] },
            policies: before ? [before] : [],
          },
        ] as never,
      },
      standings,
    );
    return steps
      .find(({ kind }) => kind === "policy")
      ?.changes.map(({ field, from, to }) => [field, from, to]);
  };

  test("is told limit by limit where there is one rule, and nothing where nothing differs", () => {
    expect(changesOf({ actions: ["token"] })).toEqual([]);
    expect(
      changesOf({
        actions: ["token"],
        users: ["u-2", "u-1"],
        grants_per_hour: 50,
        hours: office,
        valid_until: "2027-06-30",
      }),
    ).toEqual([
      ["users", "all", "u-1 u-2"],
      ["libraries", "all", "none"],
      ["hours", "none", "Mon Fri 08:00–18:30 Europe/London"],
      ["valid_until", "none", "2027-07-01T00:00:00.000Z"],
      ["grants_per_hour", "none", "50"],
    ]);
    const limited = {
      ...stored,
      grantsPerHour: 50,
      rules: [{ ...stored.rules[0]!, networks: ["10.0.0.0/8"] }],
    };
    expect(changesOf({ actions: ["token"] }, limited)).toEqual([
      ["networks", "10.0.0.0/8", "none"],
      ["grants_per_hour", "50", "none"],
    ]);
  });

  test("is told rule by rule where there are several", () => {
    const rules = [
      { actions: ["token"], users: "all" },
      { actions: ["sync"], libraries: ["ACTIVE"] },
    ];
    expect(changesOf({ rules })).toEqual([
      [
        "rule_1",
        "token, at every server, for all users and all libraries",
        "token, at every server, for all users",
      ],
      ["rule_2", undefined, "sync, at every server, for libraries ACTIVE"],
    ]);
    const two = { ...stored, rules: [stored.rules[0]!, { ...stored.rules[0]!, actions: ["sync"] as const }] };
    expect(changesOf({ actions: ["token"] }, two)).toEqual([
      ["rule_2", "sync, at every server, for all users and all libraries", "gone"],
    ]);
  });
});
