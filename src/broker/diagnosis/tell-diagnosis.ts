import type { Change, Diagnosis, Finding } from "../../domain/diagnosis.ts";
import { diagnosisTexts } from "../../domain/diagnosis-texts.en.ts";
import { rfc3339 } from "../../domain/instant.ts";
import type { SupportBundle } from "./support-bundle.ts";

/** A diagnosis as it leaves this process: by the API, and as the file that a page hands out. One shape for both. */

export const findingBody = ({ step, cause, state, seen, means, who, remedy }: Finding) => ({
  step,
  title: diagnosisTexts.steps[step],
  cause,
  state,
  seen,
  means,
  who,
  remedy: remedy ?? null,
});

const changeBody = ({ step, was, is, sentence }: Change) => ({ step, was, is, sentence });

export const diagnosisBody = (of: Diagnosis) => ({
  server: of.server,
  verdict: of.verdict,
  started_at: rfc3339(of.startedAt),
  ended_at: rfc3339(of.endedAt),
  request_id: of.requestId,
  configuration_generation: of.configurationGeneration,
  findings: of.findings.map(findingBody),
  compared_with: of.comparedWith === undefined ? null : rfc3339(of.comparedWith),
  changes: of.changes.map(changeBody),
});

export const bundleBody = (
  { last, lastGood, ...parts }: SupportBundle,
  asked: { readonly requestId: string; readonly support: string },
) => ({
  made_at: rfc3339(parts.madeAt),
  request_id: asked.requestId,
  support: asked.support,
  server: parts.server,
  registration: parts.registration,
  learned: parts.learned,
  sign_ins: parts.signIns,
  authorisations: parts.grants,
  diagnosis: {
    last: last === undefined ? null : diagnosisBody(last),
    last_good: lastGood === undefined ? null : diagnosisBody(lastGood),
  },
});
