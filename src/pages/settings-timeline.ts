import type { RequestHandler } from "express";
import { clientsIn } from "../broker/audit/read-audit.ts";
import { type TimelineBreak, type TimelineLine, tellGrantStory } from "../domain/grant-timeline.ts";
import { organisationOf, parseId } from "../domain/id.ts";
import { actorNames, type Names, who } from "./actor-words.ts";
import { sendNotFound } from "./error-page.ts";
import { type Html, html } from "./html.ts";
import type { PageDeps } from "./page-deps.ts";
import { sendPage } from "./send-page.ts";
import { settingsVisitOn } from "./settings-visit.ts";
import { en } from "./texts.en.ts";
import { timeWords } from "./time-words.ts";

const texts = en.timeline;

/** `GET /settings/grants/{grant}`: what happened to an authorization, for whoever may read the audit about it. */
export function getSettingsTimeline(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const visit = await settingsVisitOn(deps, request, response);
    if (visit === undefined) return;
    const id = parseId("grt", String(request.params.grant));
    if (id === undefined || organisationOf(id) !== visit.firm.id) return sendNotFound(deps, response);
    const [grant, entries] = await Promise.all([deps.grants.findGrant(id), deps.grants.timeline(id)]);
    const server = grant?.server ?? entries.findLast(({ more }) => more.server)?.more.server;
    // As the audit's entries about it: they name no library, so they are a person's.
    if (server === undefined || !visit.readsAudit({ server, grant: id })) return sendNotFound(deps, response);
    const clients = await clientsIn(deps.audit.clients, visit.firm.id);
    const names = actorNames(clients, visit.mayChange);
    const { lines, standing, begins } = tellGrantStory(entries, grant);
    sendPage(
      response,
      200,
      visit.page({
        title: texts.title,
        wide: true,
        main: html`<h1>${texts.title}</h1>
<p class="lead">${texts.lead(visit.firm.displayName)}</p>
<section class="card"><h2>${texts.state[standing.state]}</h2>
<p>${standing.sentence}</p>
${brokeParts(standing.broke)}
<p class="quiet"><code>${id}</code></p></section>
${lines.length > 0 && table(lines, names)}
<p class="quiet">${begins?.sentence ?? texts.none}</p>
<p class="actions"><a class="button plain" href="${visit.home}/audit">${en.audit.title}</a></p>`,
      }),
    );
  };
}

const brokeParts = (broke: TimelineBreak | undefined): Html | undefined =>
  broke &&
  html`<p><span class="quiet">${texts.why}:</span> ${broke.sentence}</p>
<p><span class="quiet">${texts.acts[broke.remedy]}:</span> ${broke.action}</p>`;

function table(lines: readonly TimelineLine[], names: Names): Html {
  const { columns } = texts;
  return html`<table class="audit"><caption class="hidden">${texts.title}</caption>
<thead><tr><th scope="col">${columns.at}</th><th scope="col">${columns.what}</th><th scope="col">${columns.who}</th></tr></thead>
<tbody>${lines.map(
    ({
      at,
      kind,
      what,
      actor,
      request,
      broke,
    }) => html`<tr><td data-label="${columns.at}"><span>${timeWords(at)}</span></td>
<td data-label="${columns.what}"><div>${what}<span class="sub"><code>${kind}</code></span>${brokeParts(broke)}</div></td>
<td data-label="${columns.who}"><span><bdi>${actor === undefined ? texts.nobody : who(actor, names)}</bdi>${request && html`<span class="sub"><code>${request}</code></span>`}</span></td></tr>
`,
  )}</tbody></table>`;
}
