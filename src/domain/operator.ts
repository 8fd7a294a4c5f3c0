import type { Instant } from "./instant.ts";

/**
 * Somebody who runs the broker (`operator`, every organisation) or helps its users (`support`, only the organisations
 * named for him). Who is one, the firm's own identity provider says, by a claim.
 */
export type OperatorRole = "operator" | "support";

export interface OperatorSession {
  readonly v: 1;
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
  readonly role: OperatorRole;
  /** Names of organisations; `all` for operators. */
  readonly organisations: "all" | readonly string[];
  readonly startedAt: Instant;
  readonly expiresAt: Instant;
}

/** Which values of the claim make somebody what. */
export interface OperatorRules {
  readonly operators: readonly string[];
  readonly support: readonly { readonly value: string; readonly organisations: readonly string[] }[];
}

/** Default deny: whoever has none of the values is nobody here. */
export function decideOperator(
  values: readonly string[],
  rules: OperatorRules,
): Pick<OperatorSession, "role" | "organisations"> | undefined {
  if (rules.operators.some((value) => values.includes(value)))
    return { role: "operator", organisations: "all" };
  const named = rules.support.filter(({ value }) => values.includes(value));
  if (named.length === 0) return undefined;
  return {
    role: "support",
    organisations: [...new Set(named.flatMap(({ organisations }) => organisations))],
  };
}

export const maySee = (session: Pick<OperatorSession, "organisations">, organisation: string): boolean =>
  session.organisations === "all" || session.organisations.includes(organisation);
