import { PROBLEMS } from "../domain/problem-catalogue.ts";
import { type Hole, type Html, html, words } from "./html.ts";
import type { PageSettings } from "./page-deps.ts";
import type { Remedy } from "./remedy.ts";
import { en } from "./texts.en.ts";

/** What to do about a problem, and what to tell whoever is asked for help. */
export function problemPanel(
  settings: PageSettings,
  remedy: Remedy,
  reference: string | undefined,
  actions?: Hole,
): Html {
  const { problem } = en;
  return html`<section class="card note ${PROBLEMS[remedy.code].remedy === "time" ? "warn" : "bad"}" aria-labelledby="what-to-do">
<h2 id="what-to-do">${problem.whatToDo}</h2>
<p>${words(remedy.action)}</p>
<dl class="small">
<dt>${problem.who}</dt><dd>${remedy.who}</dd>
<dt>${problem.code}</dt><dd><code>${remedy.code}</code></dd>
${reference !== undefined && html`<dt>${problem.reference}</dt><dd><code>${reference}</code></dd>`}
<dt>${problem.supportLabel}</dt><dd>${settings.supportContact}</dd>
</dl>
${actions}
</section>`;
}
