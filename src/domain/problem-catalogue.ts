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

const TOPICS = ["Requests", "Sign-ins", "iManage", "Operation"] as const;

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

/** As the README of `http/` has it; a test compares the two. */
export function problemTables(): string {
  return PROBLEMS_BY_TOPIC.map((topic: Readonly<Record<string, ProblemKind>>, at) => {
    const rows = Object.entries(topic).map(
      ([code, { status, remedy, title, action, oauthError }]) =>
        `| \`${code}\` | ${status} | ${remedy} | ${cell(title)} | ${cell(action)} | ${oauthError === undefined ? "" : `\`${oauthError}\``} |`,
    );
    const head = ["| Code | Status | Who acts | What it says | What to do | `error` (RFC 6749) |"];
    return [`### ${TOPICS[at]}`, "", ...head, "| --- | --- | --- | --- | --- | --- |", ...rows].join("\n");
  }).join("\n\n");
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("<", "\\<");
