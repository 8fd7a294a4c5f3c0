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
  /** May act on the work queues: only an operator, and only one of those named for it. */
  readonly actsOnQueues?: true;
  readonly startedAt: Instant;
  readonly expiresAt: Instant;
}

/** Which values of the claim make somebody what. */
export interface OperatorRules {
  readonly operators: readonly string[];
  /** Which of these operators may also act on the work queues. */
  readonly queues: readonly string[];
  readonly support: readonly { readonly value: string; readonly organisations: readonly string[] }[];
}

/** Default deny: whoever has none of the values is nobody here. */
export function decideOperator(
  values: readonly string[],
  rules: OperatorRules,
): Pick<OperatorSession, "role" | "organisations" | "actsOnQueues"> | undefined {
  const some = (named: readonly string[]): boolean => named.some((value) => values.includes(value));
  if (some(rules.operators))
    return { role: "operator", organisations: "all", ...(some(rules.queues) && { actsOnQueues: true }) };
  const named = rules.support.filter(({ value }) => values.includes(value));
  if (named.length === 0) return undefined;
  return {
    role: "support",
    organisations: [...new Set(named.flatMap(({ organisations }) => organisations))],
  };
}

export const maySee = (session: Pick<OperatorSession, "organisations">, organisation: string): boolean =>
  session.organisations === "all" || session.organisations.includes(organisation);

/** Queues hold work of every organisation side by side, so whoever may not see all of them sees none. */
export const maySeeQueues = (session: Pick<OperatorSession, "organisations">): boolean =>
  session.organisations === "all";

export const mayActOnQueues = (
  session: Pick<OperatorSession, "organisations" | "role" | "actsOnQueues">,
): boolean => maySeeQueues(session) && session.role === "operator" && session.actsOnQueues === true;

/** Who did it, as the audit has it. */
export const operatorActor = ({
  role,
  issuer,
  subject,
}: Pick<OperatorSession, "role" | "issuer" | "subject">): string => `${role}:${issuer} ${subject}`;
