import type { ProblemKind } from "./problem-kind.ts";
import { IMANAGE_PROBLEMS } from "./problems-of-imanage.ts";
import { OPERATION_PROBLEMS } from "./problems-of-operation.ts";
import { REQUEST_PROBLEMS } from "./problems-of-requests.ts";
import { SIGN_IN_PROBLEMS } from "./problems-of-sign-ins.ts";

/** In the order in which they are listed. */
export const PROBLEMS_BY_TOPIC = [
  REQUEST_PROBLEMS,
  SIGN_IN_PROBLEMS,
  IMANAGE_PROBLEMS,
  OPERATION_PROBLEMS,
] as const;

/**
 * Every `code` this product answers with. A code is never reused and never changes its meaning; `/v1` only grows.
 * Texts name Control Center's fields as its users see them (facts page, Registration fields).
 */
export const PROBLEMS = {
  ...REQUEST_PROBLEMS,
  ...SIGN_IN_PROBLEMS,
  ...IMANAGE_PROBLEMS,
  ...OPERATION_PROBLEMS,
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;
