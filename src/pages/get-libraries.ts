import type { RequestHandler } from "express";
import { listLibraryViews, type SignedIn } from "../broker/libraries/library-pages.ts";
import type { LibraryView } from "../broker/libraries/library-view.ts";
import type { UpstreamUser } from "../domain/grant.ts";
import { days, type Instant } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { Server } from "../domain/server.ts";
import { pageStatus, problemOf } from "./error-page.ts";
import { type Hole, type Html, html, words } from "./html.ts";
import { layout } from "./layout.ts";
import { reminders } from "./library-calendar.ts";
import type { PageDeps, PageSettings } from "./page-deps.ts";
import { librariesAddress, visitOf } from "./page-session.ts";
import { person } from "./person.ts";
import { problemPanel } from "./problem-panel.ts";
import { queryValue } from "./query.ts";
import { remedyFacts, remedyFor } from "./remedy.ts";
import { sendPage } from "./send-page.ts";
import { statusIcon } from "./status-icon.ts";
import { en } from "./texts.en.ts";
import { dateWords, distanceWords, timeWords } from "./time-words.ts";

const texts = en.libraries;

/** `GET /servers/:id/libraries`: *Background service authorization*. */
export function getLibraries(deps: PageDeps): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const visit = await visitOf(deps, request, response);
    if (visit === undefined) return;
    const { server, signedIn } = visit;
    if (signedIn === undefined) {
      const notice = texts.notices.get(queryValue(request, "notice") ?? "");
      return sendPage(response, 200, signInPage(deps.settings, server, notice));
    }
    try {
      const rows = await listLibraryViews(deps.libraries, signedIn);
      const notice = noticeOf(rows, queryValue(request, "authorized"), queryValue(request, "withdrawn"));
      const main = rows.length === 0 ? noLibraries() : libraryTable(deps, signedIn, rows);
      sendPage(
        response,
        200,
        signedInPage(deps.settings, signedIn, html`${notice}${main}${await reminders(deps, signedIn)}`),
      );
    } catch (error) {
      const { code, details } = problemOf(deps, response, error);
      if (details.retryAfterMs !== undefined)
        response.set("Retry-After", String(Math.ceil(details.retryAfterMs / 1_000)));
      const reference = deps.requestIdOf(response);
      sendPage(response, pageStatus(code), failedPage(deps.settings, signedIn, new Problem(code), reference));
    }
  };
}

const heading = (server: Server): Html => html`<h1>${texts.title}</h1>
<p class="lead">${texts.lead(server.displayName)}</p>`;

function signInPage(settings: PageSettings, server: Server, notice: string | undefined): Html {
  return layout(settings, {
    title: texts.title,
    main: html`${heading(server)}
${notice !== undefined && html`<p class="card note" role="status">${notice}</p>`}
<section class="card">
${texts.explain.map((paragraph) => html`<p>${words(paragraph)}</p>`)}
${signInForm(server, texts.signIn)}
</section>`,
  });
}

/** Without a token, since there is no session yet: the POST asks the browser which page sent it. */
const signInForm = (server: Server, label: string): Html =>
  html`<form method="post" action="/servers/${server.id}/libraries/sign-in"><p class="actions">
<button class="button" type="submit">${label}</button>
<span class="quiet small">${texts.signInNote(new URL(server.endpoints.authorizationEndpoint).host)}</span></p></form>`;

function signedInPage(settings: PageSettings, signedIn: SignedIn, main: Hole): Html {
  const { server, session } = signedIn;
  return layout(settings, {
    title: texts.title,
    wide: true,
    main: html`${heading(server)}
<section class="card account" aria-label="${texts.signedInAs}">
<p><span class="quiet">${texts.signedInAs}</span> ${person(session.user)}</p>
<form method="post" action="/servers/${server.id}/libraries/sign-out">
<input type="hidden" name="csrf" value="${signedIn.formToken}"><button class="button plain" type="submit">${texts.signOut}</button></form>
</section>
${main}`,
  });
}

function failedPage(settings: PageSettings, signedIn: SignedIn, problem: Problem, reference: string): Html {
  const { server } = signedIn;
  const remedy = remedyFor(problem.code, remedyFacts(settings, server));
  const actions =
    problem.remedy === "time"
      ? html`<p class="actions"><a class="button" href="${librariesAddress(server)}">${en.result.checkAgain}</a></p>`
      : signInForm(server, texts.signInAgain);
  return signedInPage(
    settings,
    signedIn,
    html`<h2>${texts.failed}</h2><p class="lead">${remedy.title}</p>${problemPanel(settings, remedy, reference, actions)}`,
  );
}

/** Said only if it is so: the address may have been kept, or written by somebody else. */
function noticeOf(
  rows: readonly LibraryView[],
  authorized: string | undefined,
  withdrawn: string | undefined,
): Html | undefined {
  const row = (library: string | undefined) => rows.find((each) => each.library === library);
  const text =
    row(authorized)?.state === "authorized"
      ? texts.authorized(libraryName(row(authorized)!))
      : row(withdrawn)?.state === "unauthorized"
        ? texts.withdrawn(libraryName(row(withdrawn)!))
        : undefined;
  return text === undefined
    ? undefined
    : html`<p class="card note good" role="status"><span class="status good">${statusIcon("good")}</span> ${text}</p>`;
}

export const libraryName = ({ displayName, library }: Pick<LibraryView, "displayName" | "library">): string =>
  displayName ?? library;

const noLibraries = (): Html =>
  html`<section class="card note warn"><h2>${texts.none.title}</h2><p>${words(texts.none.body)}</p></section>`;

/** The roles are said aloud because small screens show rows as cards, and browsers then forget that it is a table. */
function libraryTable(deps: PageDeps, signedIn: SignedIn, rows: readonly LibraryView[]): Html {
  const { columns } = texts;
  const sorted = rows.toSorted((a, b) => collator.compare(libraryName(a), libraryName(b)));
  const count = (status: LibraryView["state"]) => rows.filter((row) => row.state === status).length;
  const now = deps.libraries.clock.now();
  return html`<table role="table">
<caption>${texts.counts(rows.length, count("authorized"), count("needs_attention"))} ${texts.times}</caption>
<thead role="rowgroup"><tr role="row">${Object.values(columns).map((name) => html`<th scope="col" role="columnheader">${name}</th>`)}</tr></thead>
<tbody role="rowgroup">
${sorted.map((row) => tableRow(signedIn, row, now))}
</tbody>
</table>`;
}

const collator = new Intl.Collator(en.lang, { numeric: true, sensitivity: "base" });

function tableRow(signedIn: SignedIn, row: LibraryView, now: Instant): Html {
  const { columns } = texts;
  const under = [row.displayName === undefined ? undefined : row.library, row.hidden && texts.hiddenLibrary]
    .filter((part) => typeof part === "string")
    .join(", ");
  return html`<tr role="row">
<th scope="row" role="rowheader"><bdi>${libraryName(row)}</bdi>${under !== "" && html`<span class="sub"><bdi>${under}</bdi></span>`}</th>
<td role="cell" data-label="${columns.status}"><div>${status(row)}</div></td>
<td role="cell" data-label="${columns.owner}"><div>${row.lentBy === undefined ? en.dash : owner(row.lentBy, signedIn)}</div></td>
<td role="cell" data-label="${columns.since}"><div>${time(row.since, now, "date")}</div></td>
<td role="cell" data-label="${columns.lastRefresh}"><div>${time(row.lastRefreshedAt, now, "time")}</div></td>
<td role="cell" data-label="${columns.renewBy}"><div>${renewBy(row, now)}</div></td>
<td role="cell"><div class="actions">${actions(signedIn, row, now)}</div></td>
</tr>
`;
}

function status(row: LibraryView): Html {
  const word = texts.status[row.state];
  switch (row.state) {
    case "authorized":
      return html`<span class="status good">${statusIcon("good")} ${word}</span>`;
    case "unauthorized":
      return html`<span class="status none">${statusIcon("none")} ${word}</span>`;
    case "needs_attention":
      return html`<span class="status warn">${statusIcon("warn")} ${word}</span>
<span class="sub">${row.trouble?.sentence} ${row.trouble?.action}</span>`;
  }
}

const isVisitor = (user: UpstreamUser, { session }: SignedIn): boolean =>
  user.userId.toLowerCase() === session.user.userId.toLowerCase();

const owner = (user: UpstreamUser, signedIn: SignedIn): Html =>
  html`<bdi>${user.userId}</bdi>${isVisitor(user, signedIn) && ` (${texts.you})`}${
    user.name !== undefined && html`<span class="sub"><bdi>${user.name}</bdi></span>`
  }`;

function time(at: Instant | undefined, now: Instant, precision: "date" | "time"): Html | string {
  if (at === undefined) return en.dash;
  const shown = precision === "date" ? dateWords(at) : timeWords(at);
  return html`<time datetime="${new Date(at).toISOString()}">${shown}</time><span class="sub">${distanceWords(at, now)}</span>`;
}

/** Time enough to find whoever lent it, holidays included. */
const RENEW_SOON_MS = days(30);

const isSoon = (row: LibraryView, now: Instant): boolean =>
  row.state === "authorized" && row.renewBy !== undefined && row.renewBy - now < RENEW_SOON_MS;

function renewBy(row: LibraryView, now: Instant): Hole {
  if (row.state !== "authorized") return en.dash;
  if (row.renewBy === undefined) return texts.noEnd;
  return html`${time(row.renewBy, now, "date")}${
    isSoon(row, now) && html`<span class="status warn small">${statusIcon("warn")} ${texts.renewSoon}</span>`
  }`;
}

function actions(signedIn: SignedIn, row: LibraryView, now: Instant): Hole {
  const { server } = signedIn;
  // Ten links called alike are ten riddles to whoever hears them read out.
  const of = html`<span class="hidden"> ${libraryName(row)}</span>`;
  const authorize = (label: string, kind: string) =>
    html`<a class="button ${kind}" href="/servers/${server.id}/libraries/${row.library}/authorize">${label}${of}</a>`;
  const withdraw = html`<a class="button plain" href="/servers/${server.id}/libraries/${row.library}/withdraw">${texts.withdraw}${of}</a>`;
  switch (row.state) {
    case "unauthorized":
      return authorize(texts.authorize, "");
    case "needs_attention":
      return [authorize(texts.authorizeAgain, ""), withdraw];
    case "authorized":
      return [
        isSoon(row, now) &&
          row.lentBy !== undefined &&
          isVisitor(row.lentBy, signedIn) &&
          authorize(texts.renew, ""),
        withdraw,
      ];
  }
}
