import { createHash } from "node:crypto";
import type { Response } from "express";
import type { ChangeOutcome } from "../broker/organisations/change-organisation.ts";
import { Problem } from "../domain/problem.ts";
import { type Html, html } from "./html.ts";
import type { PageDeps } from "./page-deps.ts";
import type { SettingsVisit } from "./settings-visit.ts";
import { en } from "./texts.en.ts";

const texts = en.settings.review;

/** Names a difference, so that what is confirmed is what was shown. */
export const differenceOf = ({ changes, refusals }: ChangeOutcome): string =>
  createHash("sha256")
    .update(JSON.stringify([changes, refusals]))
    .digest("base64url");

/** Undefined: somebody else was quicker, so that what was confirmed is not the difference any more. */
export async function unlessOvertaken<T>(change: () => Promise<T>): Promise<T | undefined> {
  try {
    return await change();
  } catch (error) {
    if (error instanceof Problem && error.code === "configuration_conflict") return undefined;
    throw error;
  }
}

/** What a dry run told: the difference, and the same form once more to confirm it. */
export function reviewPage(
  visit: SettingsVisit,
  review: {
    readonly outcome: ChangeOutcome;
    readonly action: string;
    /** What the form held, handed on as it was sent. */
    readonly held: Readonly<Record<string, string>>;
    /** He confirmed another difference than there is now. */
    readonly otherwise: boolean;
  },
): Html {
  const { outcome, action, held, otherwise } = review;
  const { changes, refusals, warnings } = outcome;
  const possible = changes.length > 0 && refusals.length === 0;
  return visit.page({
    title: texts.title,
    main: html`<h1>${texts.title}</h1>
<p class="lead">${texts.lead}</p>
${otherwise && html`<p class="card note warn" role="alert">${texts.otherwise}</p>`}
${changes.length === 0 ? html`<p class="card note">${texts.none}</p>` : difference(changes)}
${list(texts.refused, refusals, "bad")}
${list(texts.warnings, warnings, "warn")}
<form method="post" action="${action}">
<input type="hidden" name="csrf" value="${visit.formToken}">
<input type="hidden" name="confirm" value="${differenceOf(outcome)}">
${Object.entries(held).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
<p class="actions">${possible && html`<button class="button" type="submit">${texts.confirm}</button>`}
<a class="button plain" href="${action}">${texts.back}</a></p>
</form>`,
  });
}

const difference = (changes: ChangeOutcome["changes"]): Html => html`<section class="card"><dl class="change">
${changes.map(
  ({ field, from, to }) => html`<dt>${texts.fields.get(field) ?? field}</dt><dd>${
    from !== undefined &&
    html`<span class="sub">${texts.now}: <bdi>${from}</bdi></span><span class="quiet">${texts.after}:</span> `
  }<bdi>${to}</bdi></dd>
`,
)}</dl></section>`;

const list = (title: string, sentences: readonly string[], kind: "bad" | "warn"): Html | undefined =>
  sentences.length === 0
    ? undefined
    : html`<section class="card note ${kind}"><h2>${title}</h2><ul>${sentences.map((sentence) => html`<li><bdi>${sentence}</bdi></li>`)}</ul></section>`;

/** Who changed what, for operators: the change itself is in the records. */
export function noteChange(
  deps: PageDeps,
  { firm, actor, client }: SettingsVisit,
  response: Response,
  what: string,
  outcome: "changed" | "asked" = "changed",
): void {
  deps.log.info(
    {
      organisation: firm.id,
      ...(client !== undefined && { client }),
      requestId: deps.requestIdOf(response),
      outcome,
      detail: `${what} by ${actor}`,
    },
    "settings",
  );
}
