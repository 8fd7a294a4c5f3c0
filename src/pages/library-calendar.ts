import type { Request, RequestHandler, Response } from "express";
import { z } from "zod";
import { createLink, findLink, revokeLink } from "../broker/calendar/calendar-links.ts";
import type { SignedIn } from "../broker/libraries/library-pages.ts";
import type { Instant } from "../domain/instant.ts";
import type { Secret } from "../domain/secret.ts";
import { librariesAddress } from "./addresses.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { type Html, html, words } from "./html.ts";
import { layout } from "./layout.ts";
import type { PageDeps, PageSettings } from "./page-deps.ts";
import { isOurForm, signedInVisit } from "./page-session.ts";
import { seeOther, sendPage } from "./send-page.ts";
import { en } from "./texts.en.ts";
import { dateWords, distanceWords, timeWords } from "./time-words.ts";

const texts = en.reminders;

/** The section *Reminders* of *Background service authorization*. */
export async function reminders(deps: PageDeps, signedIn: SignedIn): Promise<Html> {
  const link = await findLink(deps.calendar, signedIn);
  const now = deps.calendar.clock.now();
  const address = `${librariesAddress(signedIn.server)}/calendar`;
  const form = (action: string, label: string, kind: string) => html`<form method="post" action="${action}">
<input type="hidden" name="csrf" value="${signedIn.formToken}"><input type="hidden" name="instead" value="${link?.createdAt}">
<button class="button ${kind}" type="submit">${label}</button></form>`;
  return html`<section class="card" aria-labelledby="reminders">
<h2 id="reminders">${texts.title}</h2>
<p>${texts.explain}</p>
${
  link === undefined
    ? html`<div class="actions">${form(address, texts.create, "plain")}</div>`
    : html`<dl>
<dt>${texts.since}</dt><dd>${time(link.createdAt, now, dateWords)}</dd>
<dt>${texts.lastFetched}</dt><dd>${link.fetchedAt === undefined ? texts.neverFetched : time(link.fetchedAt, now, timeWords)}</dd>
</dl>
<p>${texts.shownOnce} ${texts.atOnce}</p>
<div class="actions">${form(address, texts.replace, "plain")}${form(`${address}/revoke`, texts.revoke, "plain")}</div>`
}
</section>`;
}

const time = (at: Instant, now: Instant, shown: (at: Instant) => string): Html =>
  html`<time datetime="${new Date(at).toISOString()}">${shown(at)}</time> <span class="quiet">(${distanceWords(at, now)})</span>`;

const insteadSchema = z.object({ instead: z.string().regex(/^\d{0,15}$/) });

/** `POST …/libraries/calendar`: a new link, shown in the answer alone. */
export function postCalendar(deps: PageDeps): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const signedIn = await ourFormOf(deps, request, response);
    if (signedIn === undefined) return;
    const { data } = insteadSchema.safeParse(request.body);
    const instead = data && (data.instead === "" ? undefined : Number(data.instead));
    const requestId = deps.requestIdOf(response);
    const handle = data && (await createLink(deps.calendar, signedIn, instead, { requestId }));
    if (handle === undefined) return outdated(deps, response, signedIn, 409);
    sendPage(response, 200, linkPage(deps.settings, signedIn, handle));
  };
}

/** `POST …/libraries/calendar/revoke` */
export function postRevokeCalendar(deps: PageDeps): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const signedIn = await ourFormOf(deps, request, response);
    if (signedIn === undefined) return;
    await revokeLink(deps.calendar, signedIn, { requestId: deps.requestIdOf(response) });
    seeOther(response, `${librariesAddress(signedIn.server)}#reminders`);
  };
}

async function ourFormOf(
  deps: PageDeps,
  request: Request<{ id: string }>,
  response: Response,
): Promise<SignedIn | undefined> {
  const signedIn = await signedInVisit(deps, request, response);
  if (signedIn === undefined || isOurForm(request as Request, signedIn)) return signedIn;
  outdated(deps, response, signedIn, 403);
  return undefined;
}

const outdated = (deps: PageDeps, response: Response, { server }: SignedIn, status: 403 | 409): void =>
  sendPage(response, status, formOutdatedPage(deps.settings, librariesAddress(server)));

function linkPage(settings: PageSettings, { server }: SignedIn, handle: Secret): Html {
  const { calendarLink: link } = en;
  const base = new URL(settings.publicBaseUrl);
  const file = `${handle.reveal()}.ics`;
  const open =
    base.port === ""
      ? html`<a class="button" href="webcal://${base.hostname}/calendars/${file}">${link.open}</a>`
      : html`<a class="button" href="webcal://${base.hostname}:${base.port}/calendars/${file}">${link.open}</a>`;
  return layout(settings, {
    title: link.title,
    main: html`<h1>${link.title}</h1>
<p class="lead">${link.lead}</p>
<section class="card note"><div class="field"><label for="link">${link.label}</label>
<p class="hint" id="link-hint">${link.hint}</p>
<input type="text" id="link" value="${`${settings.publicBaseUrl}/calendars/${file}`}" readonly autocomplete="off" spellcheck="false" aria-describedby="link-hint"></div>
<p class="actions">${open}</p></section>
<section class="card"><h2>${link.how}</h2>
<dl>${link.ways.map(([calendar, way]) => html`<dt>${calendar}</dt><dd>${words(way)}</dd>`)}</dl>
<p class="quiet">${link.notes(base.host)}</p></section>
<p><a href="${librariesAddress(server)}">${link.back}</a></p>`,
  });
}
