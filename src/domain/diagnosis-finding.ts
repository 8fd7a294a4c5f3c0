import {
  type Change,
  changedFindings,
  type Diagnosis,
  type Finding,
  type FindingOwner,
} from "./diagnosis.ts";
import { CAUSES, type Cause, stepOf } from "./diagnosis-causes.ts";
import { diagnosisTexts } from "./diagnosis-texts.en.ts";
import type { Instant } from "./instant.ts";

/** What a step came to, without words. */
export interface Judged {
  readonly cause: Cause;
  /** What the words need. Instants as milliseconds. */
  readonly facts?: Facts;
  readonly mark?: string;
  /** Where this occurrence is somebody else's to change than the cause is as a rule. */
  readonly who?: FindingOwner;
}

export type Facts = Readonly<Record<string, string | number>>;

/** What a step came to, in words. */
export function findingOf({ cause, facts = {}, mark, who }: Judged): Finding {
  const step = stepOf(cause);
  if (!isListed(cause)) {
    const { seen, means } = diagnosisTexts.skipped;
    return { step, cause, state: "skipped", seen, means, who: "nobody" };
  }
  const { state, who: asARule } = CAUSES[cause];
  const text = diagnosisTexts.causes[cause](facts);
  return {
    step,
    cause,
    state,
    seen: text.seen,
    means: text.means,
    who: who ?? asARule,
    ...(text.remedy !== undefined && { remedy: text.remedy }),
    ...(mark !== undefined && { mark }),
  };
}

const isListed = (cause: Cause): cause is keyof typeof CAUSES => Object.hasOwn(CAUSES, cause);

/** What is otherwise than it was at the last good diagnosis, in words: it worked then, so look here first. */
export function changesSince(
  findings: readonly Finding[],
  good: (Pick<Diagnosis, "findings"> & { readonly startedAt: Instant }) | undefined,
): readonly Change[] {
  if (good === undefined) return [];
  return changedFindings(findings, good).map(({ was, is }) => {
    const marked = is.mark !== undefined && was.mark !== undefined && is.mark !== was.mark;
    return {
      step: is.step,
      was: marked ? was.mark! : was.seen,
      is: marked ? is.mark! : is.seen,
      sentence: marked
        ? diagnosisTexts.markChanged(is.step, good.startedAt)
        : diagnosisTexts.stateChanged(was, is, good.startedAt),
    };
  });
}
