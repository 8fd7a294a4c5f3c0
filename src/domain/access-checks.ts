/** What a request for a token meets, in this order (after the policy `lua/vend.lua`); the first that fails is what it is answered. */
export const ACCESS_CHECKS = [
  "client",
  "policy",
  "organisation",
  "members",
  "containment",
  "rate",
  "authorization",
  "budget",
  "audit",
] as const;
export type AccessCheck = (typeof ACCESS_CHECKS)[number];

export interface CheckOutcome {
  readonly check: AccessCheck;
  readonly outcome: "passed" | "failed" | "not_reached";
}

/** Each check with what became of it. @param failing undefined: all were passed */
export function outcomesOf(
  checks: readonly AccessCheck[],
  failing: AccessCheck | undefined,
): readonly CheckOutcome[] {
  const at = failing === undefined ? checks.length : checks.indexOf(failing);
  return checks.map((check, i) => ({
    check,
    outcome: i < at ? "passed" : i === at ? "failed" : "not_reached",
  }));
}

export const CHECK_TEXTS: Readonly<Record<AccessCheck, string>> = {
  client: "The client may come in: it is not stopped, and not contained everywhere.",
  policy: "The client's policy allows it.",
  organisation: "iManage is enabled for the organisation.",
  members: "The person is one of those for whom iManage is enabled.",
  containment: "Tokens are not stopped here.",
  rate: "The client asks no more often than its policy allows.",
  authorization: "Somebody has authorised this, and iManage accepts it.",
  budget:
    "The client has had tokens of fewer different grants within the hour than its policy allows, or of this one.",
  audit: "The audit has room for the entry.",
};
