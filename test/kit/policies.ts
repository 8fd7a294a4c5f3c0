import type { Policy, PolicyRule } from "../../src/domain/policy.ts";

/** A rule for every server, user and library, but for what is said. */
export const ruleOf = (rule: Partial<PolicyRule> & Pick<PolicyRule, "actions">): PolicyRule => ({
  servers: undefined,
  users: "all",
  libraries: "all",
  ...rule,
});

/** The policy with every rule of it changed so. */
export const withRules = (policy: Policy | undefined, change: Partial<PolicyRule>): Policy => ({
  ...policy!,
  rules: policy!.rules.map((rule) => ({ ...rule, ...change })),
});
