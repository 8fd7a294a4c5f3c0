import type { RequestHandler } from "express";
import type { SignedIn } from "../broker/libraries/library-pages.ts";
import type { LibraryView } from "../broker/libraries/library-view.ts";
import type { Instant } from "../domain/instant.ts";
import { librariesAddress } from "./addresses.ts";
import { type Html, html, words } from "./html.ts";
import { layout } from "./layout.ts";
import {
  actions,
  dependents,
  isLastAdmin,
  lastErrorTold,
  libraryName,
  mayAuthorize,
  moment,
  owner,
  renewBy,
  status,
} from "./library-parts.ts";
import { type LibraryParams, libraryVisit } from "./library-visit.ts";
import type { PageDeps, PageSettings } from "./page-deps.ts";
import { sendPage } from "./send-page.ts";
import { en } from "./texts.en.ts";
import { timeWords } from "./time-words.ts";

const texts = en.library;

/** `GET /servers/:id/libraries/:library/details`: all that is known of one library, and who must do what. */
export function getLibrary(deps: PageDeps): RequestHandler<LibraryParams> {
  return async (request, response) => {
    const at = await libraryVisit(deps, request, response);
    if (at === undefined) return;
    const { signedIn, row } = at;
    sendPage(response, 200, libraryPage(deps.settings, signedIn, row, deps.libraries.clock.now()));
  };
}

function libraryPage(settings: PageSettings, signedIn: SignedIn, row: LibraryView, now: Instant): Html {
  const { server } = signedIn;
  const name = libraryName(row);
  return layout(settings, {
    title: `${name}, ${server.displayName}`,
    main: html`<p><a href="${librariesAddress(server)}">${en.libraries.back}</a></p>
<h1><bdi>${name}</bdi></h1>
<p class="lead">${texts.lead(row.library, server.displayName)}</p>
${row.hidden && html`<p>${texts.hidden}</p>`}
${row.kind === "security_policy" && html`<p class="card note warn">${texts.security_policy}</p>`}
${trouble(row)}
${isLastAdmin(row) && html`<section class="card note warn"><h2>${texts.oneAdmin.title}</h2><p>${row.liveAdmins === 0 ? texts.oneAdmin.nobody : texts.oneAdmin.body}</p></section>`}
<section class="card" aria-labelledby="state"><h2 id="state">${texts.state}</h2>
<p>${status(row)}</p>
${facts(signedIn, row, now)}
<div class="actions">${actions(signedIn, row, now, true)}</div>
${!mayAuthorize(row) && html`<p class="small quiet">${row.rights === undefined ? texts.rights.unknown : texts.rights.none}</p>`}
</section>
${lastError(settings, signedIn, row)}
<section class="card" aria-labelledby="used-by"><h2 id="used-by">${texts.usedBy.title}</h2>
${row.usedBy.length === 0 ? html`<p>${texts.usedBy.none}</p>` : dependents(row, now)}</section>
${rights(row)}`,
  });
}

function trouble({ trouble: of }: LibraryView): Html | undefined {
  if (of === undefined) return undefined;
  return html`<section class="card note ${of.stops ? "bad" : "warn"}" aria-labelledby="trouble"><h2 id="trouble">${texts.wrong}</h2>
<p>${of.sentence} ${of.stops ? texts.stops : texts.goesOn}</p>
<dl><dt>${texts.whatToDo}</dt><dd>${of.action}</dd>
<dt>${texts.who}</dt><dd>${en.libraries.who[of.who]}</dd>
${of.since !== undefined && html`<dt>${texts.sinceWhen}</dt><dd>${timeWords(of.since)}</dd>`}</dl></section>`;
}

function facts(signedIn: SignedIn, row: LibraryView, now: Instant): Html {
  const { facts: labels } = texts;
  if (row.state === "unauthorized") {
    return html`<dl><dt>${labels.server}</dt><dd><bdi>${signedIn.server.displayName}</bdi></dd>
<dt>${labels.id}</dt><dd><bdi>${row.library}</bdi></dd></dl>`;
  }
  return html`<dl>
<dt>${labels.server}</dt><dd><bdi>${signedIn.server.displayName}</bdi></dd>
<dt>${labels.id}</dt><dd><bdi>${row.library}</bdi></dd>
<dt>${labels.owner}</dt><dd>${row.lentBy && owner(row.lentBy, signedIn)}</dd>
<dt>${labels.since}</dt><dd>${moment(row.since, now, "time")}</dd>
<dt>${labels.renewBy}</dt><dd>${renewBy(row, now)}</dd>
<dt>${labels.lastRefresh}</dt><dd>${moment(row.lastRefreshedAt, now, "time")}</dd>
<dt>${labels.lastSync}</dt><dd>${moment(row.lastSyncAt, now, "time")}</dd>
<dt>${labels.checked}</dt><dd>${row.checkedAt === undefined ? labels.notChecked : moment(row.checkedAt, now, "time")}</dd>
</dl>`;
}

function lastError(settings: PageSettings, { server }: SignedIn, row: LibraryView): Html | undefined {
  const told = lastErrorTold(settings, server, row);
  if (told === undefined) return undefined;
  const { of, code, at } = row.lastError!;
  const { lastError: labels } = texts;
  return html`<section class="card note warn" aria-labelledby="last-error"><h2 id="last-error">${labels.title[of]}</h2>
<p>${told.title} ${words(told.action)}</p>
<dl class="small"><dt>${labels.who}</dt><dd>${told.who}</dd>
<dt>${labels.at}</dt><dd>${timeWords(at)}</dd>
<dt>${labels.code}</dt><dd><code>${code}</code></dd></dl></section>`;
}

function rights({ rights: of }: LibraryView): Html | undefined {
  if (of === undefined) return undefined;
  const labels = texts.rights;
  const word = (has: boolean) => (has ? labels.yes : labels.no);
  return html`<section class="card" aria-labelledby="rights"><h2 id="rights">${labels.title}</h2>
<dl><dt>${labels.role}</dt><dd>${word(of.byOperations)}</dd>
<dt>${labels.group}</dt><dd>${word(of.byGroup)}</dd></dl>
<p>${of.difference === undefined ? labels.explain : labels[of.difference]}</p></section>`;
}
