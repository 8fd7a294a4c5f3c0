import type { RequestHandler } from "express";
import type { LibraryOutcome } from "../broker/authorization/ports.ts";
import { listLibraryViews, type SignedIn } from "../broker/libraries/library-pages.ts";
import type { LibraryView } from "../broker/libraries/library-view.ts";
import { Problem } from "../domain/problem.ts";
import type { Server } from "../domain/server.ts";
import { librariesAddress } from "./addresses.ts";
import { pageStatus, problemOf } from "./error-page.ts";
import { type Hole, type Html, html, words } from "./html.ts";
import { layout } from "./layout.ts";
import { reminders } from "./library-calendar.ts";
import { type Asked, libraryList, readAsked } from "./library-list.ts";
import { libraryName } from "./library-parts.ts";
import type { PageDeps, PageSettings } from "./page-deps.ts";
import { type Visit, visitOf } from "./page-session.ts";
import { person } from "./person.ts";
import { portalFrame } from "./portal-visit.ts";
import { problemPanel } from "./problem-panel.ts";
import { queryValue, queryValues } from "./query.ts";
import { remedyFacts, remedyFor } from "./remedy.ts";
import { type Drawn, sendPage, sendPageWhenDrawn } from "./send-page.ts";
import { statusIcon } from "./status-icon.ts";
import { en } from "./texts.en.ts";

const texts = en.libraries;

/** `GET /servers/:id/libraries`: *Background service authorization*. */
export function getLibraries(deps: PageDeps): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const visit = await visitOf(deps, request, response);
    if (visit === undefined) return;
    const { signedIn } = visit;
    const notice = queryValue(request, "notice") ?? "";
    if (signedIn === undefined) return sendPage(response, 200, signInPage(deps.settings, visit, notice));
    const told = {
      authorized: queryValues(request, "authorized"),
      withdrawn: queryValues(request, "withdrawn"),
    };
    const asked = readAsked((name) => queryValue(request, name));
    const drawing = draw(deps, signedIn, asked, told).catch((error: unknown): Drawn => {
      const { code, details } = problemOf(deps, response, error);
      const main = failed(deps.settings, signedIn, new Problem(code), deps.requestIdOf(response));
      return { status: pageStatus(code), main, retryAfterMs: details.retryAfterMs };
    });
    const page = {
      title: texts.titleOf(signedIn.server.displayName),
      wide: true,
      main: signedInFrame(visit, signedIn),
      waiting: texts.reading,
    };
    await sendPageWhenDrawn(
      { settings: deps.settings, timers: deps.libraries.timers },
      response,
      page,
      drawing,
    );
  };
}

/** What the address says has just happened. */
interface Told {
  readonly authorized: readonly string[];
  readonly withdrawn: readonly string[];
}

async function draw(deps: PageDeps, signedIn: SignedIn, asked: Asked, told: Told): Promise<Drawn> {
  const rows = await listLibraryViews(deps.libraries, signedIn);
  const { settings } = deps;
  const now = deps.libraries.clock.now();
  const list = rows.length === 0 ? noLibraries() : libraryList({ settings, signedIn, rows, asked, now });
  return {
    status: 200,
    main: html`${notices(rows, told, signedIn)}${list}${await reminders(deps, signedIn)}`,
  };
}

const heading = (server: Server): Html => html`<h1>${texts.title}</h1>
<p class="lead">${texts.lead(server.displayName)}</p>`;

function signInPage(settings: PageSettings, visit: Visit, notice: string): Html {
  const { server, visitor, stranger } = visit;
  const told = texts.notices.get(notice);
  const { session, client } = visitor ?? {};
  return layout(settings, {
    title: texts.titleOf(server.displayName),
    main: html`${visitor && portalFrame(visitor, librariesAddress(server))}
${heading(server)}
${told !== undefined && html`<p class="card note" role="status">${told}</p>`}
${stranger && html`<p class="card note warn" role="status">${texts.stranger(client!.displayName)}</p>`}
<section class="card">
${texts.explain.map((paragraph) => html`<p>${words(paragraph)}</p>`)}
${session?.upstreamUser !== undefined && html`<p>${texts.asserted(client!.displayName, session.displayName ?? session.upstreamUser)}</p>`}
${signInForm(server, texts.signIn)}
</section>`,
  });
}

/** Without a token, since there is no session yet: the POST asks the browser which page sent it. */
const signInForm = (server: Server, label: string): Html =>
  html`<form method="post" action="/servers/${server.id}/libraries/sign-in"><p class="actions">
<button class="button" type="submit">${label}</button>
<span class="quiet small">${texts.signInNote(new URL(server.endpoints.authorizationEndpoint).host)}</span></p></form>`;

const signedInFrame = ({ visitor }: Visit, { server, session, formToken }: SignedIn): Html =>
  html`${visitor && portalFrame(visitor, librariesAddress(server))}
${heading(server)}
<section class="card account" aria-label="${texts.signedInAs}">
<p><span class="quiet">${texts.signedInAs}</span> ${person(session.user)}</p>
<form method="post" action="/servers/${server.id}/libraries/sign-out">
<input type="hidden" name="csrf" value="${formToken}"><button class="button plain" type="submit">${texts.signOut}</button></form>
</section>`;

function failed(settings: PageSettings, { server }: SignedIn, problem: Problem, reference: string): Hole {
  const remedy = remedyFor(problem.code, remedyFacts(settings, server));
  const actions =
    problem.remedy === "time"
      ? html`<p class="actions"><a class="button" href="${librariesAddress(server)}">${en.result.checkAgain}</a></p>`
      : signInForm(server, texts.signInAgain);
  return html`<h2>${texts.failed}</h2><p class="lead">${remedy.title}</p>${problemPanel(settings, remedy, reference, actions)}`;
}

/** Said only if it is so: the address may have been kept, or written by somebody else. */
function notices(rows: readonly LibraryView[], told: Told, { session }: SignedIn): Hole {
  // Of several at once the address says nothing but that there were some.
  const several = told.authorized.includes("") ? (session.libraries ?? []) : [];
  const lent = several.filter(({ outcome }) => outcome === "authorized").map(({ library }) => library);
  const named = (libraries: readonly string[], so: (row: LibraryView) => boolean) => {
    const names = new Set(libraries);
    return rows.filter((row) => names.has(row.library) && so(row));
  };
  const authorized = named([...told.authorized, ...lent], ({ state }) => state === "authorized");
  const withdrawn = named(told.withdrawn, ({ state }) => state === "unauthorized");
  const [first] = authorized;
  return [
    first !== undefined &&
      good(
        authorized.length === 1
          ? texts.authorized(libraryName(first))
          : texts.authorizedMany(authorized.length),
      ),
    refused(rows, several),
    withdrawn.length === 1 && good(texts.withdrawn(libraryName(withdrawn[0]!))),
  ];
}

function refused(rows: readonly LibraryView[], several: readonly LibraryOutcome[]): Html | undefined {
  const names = new Map(rows.map((row) => [row.library, libraryName(row)]));
  const items = several.flatMap(({ library, outcome }) =>
    outcome === "authorized"
      ? []
      : [html`<li><b><bdi>${names.get(library) ?? library}</bdi></b>: ${texts.refused[outcome]}</li>`],
  );
  return items.length === 0
    ? undefined
    : html`<section class="card note warn" role="status"><p>${texts.refusedMany(items.length)}</p><ul>${items}</ul></section>`;
}

const good = (text: string): Html =>
  html`<p class="card note good" role="status"><span class="status good">${statusIcon("good")}</span> ${text}</p>`;

const noLibraries = (): Html =>
  html`<section class="card note warn"><h2>${texts.none.title}</h2><p>${words(texts.none.body)}</p></section>`;
