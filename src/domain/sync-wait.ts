import type { Remedy } from "./problem.ts";
import { PROBLEMS, type ProblemCode } from "./problem-catalogue.ts";

/** What a sync waits for, told to whoever must act. */
export interface SyncWait {
  readonly code: ProblemCode;
  readonly title: string;
  readonly remedy: Remedy;
  readonly action: string;
}

const AUTHORIZES = "on Background service authorization, with his own credentials";

/** The problems' own words are about a person and his connect session; a library is lent by an admin of it. */
const OF_A_LIBRARY: Partial<Record<ProblemCode, Pick<SyncWait, "title" | "action">>> = {
  authorization_required: {
    title: "No library admin has authorised this library.",
    action: `A library admin authorises it ${AUTHORIZES}.`,
  },
  reauthorization_required: {
    title: "iManage no longer accepts the authorisation of this library.",
    action: `A library admin authorises it again ${AUTHORIZES}.`,
  },
};

export function syncWait(code: ProblemCode): SyncWait {
  const { title, remedy, action } = PROBLEMS[code];
  return { code, title, remedy, action, ...OF_A_LIBRARY[code] };
}
