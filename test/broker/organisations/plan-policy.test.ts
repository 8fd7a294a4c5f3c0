import { describe, expect, it } from "vitest";
import type { DesiredRule } from "../../../src/broker/organisations/desired.ts";
import { planPolicy } from "../../../src/broker/organisations/plan-clients.ts";
import type { PolicyRule } from "../../../src/domain/policy.ts";

const rule = { users: "all", libraries: "all", actions: ["token", "status"], servers: undefined } as const;
const plan = (stored: PolicyRule, ...rules: DesiredRule[]) =>
  planPolicy(
    "matter-tracker",
    { organisation: "meridian", rules, tokensPerMinute: 60 },
    { v: 1, client: "cli_a", organisation: "org_a", rules: [stored], tokensPerMinute: 60 },
    undefined,
  );

const named = (...users: (readonly [issuer: string, id: string])[]) =>
  ({ ...rule, libraries: [], users: users.map(([issuer, id]) => ({ issuer, id })) }) as const;

describe("a policy that is told anew", () => {
  it.each<[string, PolicyRule, DesiredRule]>([
    [
      "for whom another vouches",
      named(["client", "amelia@https://idp.example.com"]),
      named(["https://idp.example.com", "amelia"]),
    ],
    [
      "two persons for one",
      named(["client", "amelia moreau"]),
      named(["client", "amelia"], ["client", "moreau"]),
    ],
    ["one who is called all", { ...rule, libraries: [] }, named(["client", "all"])],
    ["a library that is called all", { ...rule, users: [] }, { ...rule, users: [], libraries: ["all"] }],
    ["purposes", { ...rule, purposes: ["review, export"] }, { ...rule, purposes: ["review", "export"] }],
  ])("is changed where it reads alike and is another one: %s", (_, stored, desired) => {
    const step = plan(stored, desired);
    expect(step.act).toBe("change");
    expect(step.changes).not.toEqual([]);
  });

  it("is kept where it is the same in another order", () => {
    const stored = {
      ...named(["client", "a"], ["idp", "b"]),
      libraries: ["X", "Y"],
      networks: ["10.0.0.0/8"],
    };
    const desired = {
      ...named(["idp", "b"], ["client", "a"]),
      actions: ["status", "token", "token"] as const,
      libraries: ["Y", "X"],
      networks: ["10.0.0.0/8"],
    };
    expect(plan(stored, desired)).toMatchObject({ act: "keep", changes: [] });
  });
});
