import {
  type Diagnosis,
  type DiagnosisStep,
  diagnosisSteps,
  type Finding,
  type FindingState,
} from "../domain/diagnosis.ts";
import { diagnosisTexts } from "../domain/diagnosis-texts.en.ts";
import type { Instant } from "../domain/instant.ts";
import { type Html, html, words } from "./html.ts";
import { statusIcon } from "./status-icon.ts";
import { en } from "./texts.en.ts";
import { distanceWords, timeWords } from "./time-words.ts";

const texts = en.diagnosis;

const KINDS = { ok: "good", warning: "warn", failed: "bad", not_known: "none", skipped: "none" } as const;
const NOTES = { good: "good", attention: "warn", failed: "bad" } as const;

const stateWords = (state: FindingState): Html =>
  html`<span class="status ${KINDS[state]}">${statusIcon(KINDS[state])} ${texts.states[state]}</span>`;

/**
 * One step, as an item of the list. What was seen may quote iManage: it is text here, whatever it holds (T09).
 * @param mend where on these pages its remedy is done, if anywhere
 */
export const stepItem = (
  { step, state, seen, means, who, remedy }: Finding,
  mend?: { readonly href: string; readonly label: string },
): Html => html`<li id="${idOf(step)}">
<h3>${diagnosisTexts.steps[step]}</h3>
<p>${stateWords(state)}</p>
<dl><dt>${texts.seen}</dt><dd><bdi>${seen}</bdi></dd>
<dt>${texts.means}</dt><dd><bdi>${means}</bdi></dd>
${who !== "nobody" && html`<dt>${texts.who}</dt><dd>${diagnosisTexts.owners[who]}</dd>`}
${remedy !== undefined && html`<dt>${texts.remedy}</dt><dd><bdi>${words(remedy)}</bdi></dd>`}</dl>
${mend !== undefined && html`<p class="actions"><a class="button plain" href="${mend.href}">${mend.label}</a></p>`}
</li>
`;

/** What is looked at now. The style hides it as soon as something follows it: progress without a script. */
export const workingItem = (step: DiagnosisStep): Html =>
  html`<li class="working"><span class="status none">${statusIcon("none")} ${texts.looking(diagnosisTexts.steps[step])}</span></li>
`;

export const stoppedItem = (): Html => html`<li>${texts.stopped}</li>`;

/** Which comes after it; the steps are told in their order. */
export const stepAfter = (step: DiagnosisStep): DiagnosisStep | undefined =>
  diagnosisSteps[diagnosisSteps.indexOf(step) + 1];

const idOf = (step: DiagnosisStep): string => `step-${step}`;

/**
 * How it came out, and which steps are why.
 * @param address of the page on which every step is told
 */
export function verdictCard(diagnosis: Diagnosis, now: Instant, address: string): Html {
  const { verdict, findings, endedAt } = diagnosis;
  const wrong = findings.filter(({ state }) => state === "failed" || state === "warning");
  return html`<section class="card note ${NOTES[verdict]}" aria-labelledby="verdict">
<h2 id="verdict">${diagnosisTexts.verdicts[verdict]}</h2>
<p class="quiet">${texts.when(timeWords(endedAt), distanceWords(endedAt, now))}</p>
${
  wrong.length > 0 &&
  html`<h3>${texts.attend}</h3><ul>${wrong.map(
    ({ step, means }) =>
      html`<li><a href="${address}#${idOf(step)}">${diagnosisTexts.steps[step]}</a>: <bdi>${means}</bdi></li>`,
  )}</ul>`
}
</section>
`;
}

/** Has "it worked yesterday" an answer? */
export const sinceCard = ({ comparedWith, changes }: Diagnosis): Html =>
  html`<section class="card" aria-labelledby="since">
<h2 id="since">${texts.since.title}</h2>
${
  comparedWith === undefined
    ? html`<p>${texts.since.none}</p>`
    : changes.length === 0
      ? html`<p>${texts.since.same(timeWords(comparedWith))}</p>`
      : html`<p>${texts.since.changed(timeWords(comparedWith))}</p>
${changes.map(
  ({ step, was, is }) => html`<h3>${diagnosisTexts.steps[step]}</h3>
<dl><dt>${texts.since.was}</dt><dd><bdi>${was}</bdi></dd>
<dt>${texts.since.is}</dt><dd><bdi>${is}</bdi></dd></dl>`,
)}`
}
</section>
`;
