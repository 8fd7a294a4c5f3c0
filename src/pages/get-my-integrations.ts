import type { RequestHandler } from "express";
import {
  type Application,
  type Integration,
  listIntegrations,
  type OwnAuthorization,
  standingOf,
} from "../broker/portal/my-integrations.ts";
import type { Visitor } from "../broker/portal/visit-portal.ts";
import type { Instant } from "../domain/instant.ts";
import { type Hole, type Html, html } from "./html.ts";
import type { PageDeps } from "./page-deps.ts";
import { person } from "./person.ts";
import { portalPage, visitorOn } from "./portal-visit.ts";
import { queryValue } from "./query.ts";
import { sendPage } from "./send-page.ts";
import { statusIcon } from "./status-icon.ts";
import { en } from "./texts.en.ts";
import { dateWords, distanceWords } from "./time-words.ts";

const texts = en.myIntegrations;

/** `GET /my-integrations`: what the visitor has authorized, for whom, and how to take it back. */
export function getMyIntegrations(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const visitor = await visitorOn(deps, "my-integrations", request, response);
    const integrations = await listIntegrations(deps.portal, visitor);
    const told = notice(integrations, {
      connected: queryValue(request, "connected"),
      disconnected: queryValue(request, "disconnected"),
    });
    const now = deps.portal.clock.now();
    const page = portalPage(deps.settings, visitor, "my-integrations", {
      title: texts.title,
      main: html`<h1>${texts.title}</h1>
<p class="lead">${texts.lead}</p>
${told}
${standing(visitor)}
${
  integrations.length === 0
    ? html`<section class="card note warn"><h2>${texts.none.title}</h2><p>${texts.none.body(visitor.client.displayName)}</p></section>`
    : sorted(integrations).map((integration) => card(visitor, integration, now))
}`,
    });
    sendPage(response, 200, page);
  };
}

const collator = new Intl.Collator(en.lang, { numeric: true, sensitivity: "base" });
const sorted = (integrations: readonly Integration[]): readonly Integration[] =>
  integrations.toSorted((a, b) => collator.compare(a.server.displayName, b.server.displayName));

/** Said only if it is so: the address may have been kept, or written by somebody else. */
function notice(
  integrations: readonly Integration[],
  { connected, disconnected }: Readonly<Record<"connected" | "disconnected", string | undefined>>,
): Html | undefined {
  const of = (id: string | undefined) => integrations.find(({ server }) => server.id === id);
  const text =
    of(connected)?.authorization?.state === "authorized"
      ? `${texts.connected(of(connected)!.server.displayName)} ${en.portal.close}`
      : of(disconnected) !== undefined && of(disconnected)!.authorization === undefined
        ? texts.disconnected(of(disconnected)!.server.displayName)
        : undefined;
  return text === undefined
    ? undefined
    : html`<p class="card note good" role="status"><span class="status good">${statusIcon("good")}</span> ${text}</p>`;
}

function standing(visitor: Visitor): Html | undefined {
  const is = standingOf(visitor);
  if (is === "may_authorize") return undefined;
  const { title, body } = texts.standing[is](visitor.firm.displayName);
  return html`<section class="card note warn"><h2>${title}</h2><p>${body}</p></section>`;
}

function card(visitor: Visitor, { server, authorization }: Integration, now: Instant): Html {
  const host = new URL(server.endpoints.authorizationEndpoint).host;
  const address = `/my-integrations/${server.id}`;
  const mayAuthorize = standingOf(visitor) === "may_authorize";
  const of = html`<span class="hidden"> ${server.displayName}</span>`;
  const signIn = (label: string) =>
    mayAuthorize &&
    html`<form method="post" action="/my-integrations/${server.id}/authorize">
<input type="hidden" name="csrf" value="${visitor.formToken}"><button class="button" type="submit">${label}${of}</button></form>`;
  return html`<section class="card" aria-labelledby="${server.id}">
<h2 id="${server.id}"><bdi>${server.displayName}</bdi> <span class="sub">${host}</span></h2>
<p>${state(visitor, authorization)}</p>
${authorization !== undefined && facts(authorization, now)}
<div class="actions">${
    authorization === undefined
      ? [
          signIn(texts.authorize),
          mayAuthorize && html`<span class="quiet small">${texts.signInNote(host)}</span>`,
        ]
      : [
          authorization.state === "needs_you" && signIn(texts.again),
          html`<a class="button plain" href="${address}/disconnect">${texts.disconnect}${of}</a>`,
        ]
  }</div>
${authorization !== undefined && uses(address, server.id, authorization, now)}
</section>
`;
}

function state({ client }: Visitor, authorization: OwnAuthorization | undefined): Html {
  const word = texts.state[authorization?.state ?? "none"];
  switch (authorization?.state) {
    case undefined:
      return html`<span class="status none">${statusIcon("none")} ${word}</span> <span class="sub">${texts.notAuthorized(client.displayName)}</span>`;
    case "authorized":
      return html`<span class="status good">${statusIcon("good")} ${word}</span>`;
    case "needs_you":
      return html`<span class="status warn">${statusIcon("warn")} ${word}</span> <span class="sub">${texts.needsYou}</span>`;
    case "paused":
      return html`<span class="status warn">${statusIcon("warn")} ${word}</span> <span class="sub">${texts.paused}</span>`;
  }
}

function facts({ as, since, lastUsedAt, renewBy, state: is }: OwnAuthorization, now: Instant): Html {
  const time = (at: Instant) =>
    html`<time datetime="${new Date(at).toISOString()}">${dateWords(at)}</time> <span class="quiet">(${distanceWords(at, now)})</span>`;
  return html`<dl>
<dt>${texts.signedInAs}</dt><dd>${person(as)}</dd>
${since !== undefined && html`<dt>${texts.since}</dt><dd>${time(since)}</dd>`}
<dt>${texts.lastUsed}</dt><dd>${lastUsedAt === undefined ? texts.neverUsed : time(lastUsedAt)}</dd>
${is === "authorized" && html`<dt>${texts.renewBy}</dt><dd>${renewBy === undefined ? texts.noEnd : time(renewBy)}</dd>`}
</dl>`;
}

/** Whoever else works with this authorization, each to be switched off by itself. */
function uses(
  address: string,
  server: string,
  { applications, libraries }: OwnAuthorization,
  now: Instant,
): Html {
  const heading = `${server}-uses`;
  return html`<h3 id="${heading}">${texts.uses}</h3>
<ul class="uses" aria-labelledby="${heading}">
${applications
  .toSorted(
    (a, b) => Number(b.here) - Number(a.here) || collator.compare(applicationName(a), applicationName(b)),
  )
  .map((application) => html`<li>${use(address, application, now)}</li>`)}
${libraries
  .toSorted(collator.compare)
  .map(
    (library) =>
      html`<li><span><bdi>${texts.library(library)}</bdi></span><a href="/servers/${server}/libraries">${texts.libraryLink}<span class="hidden"> ${library}</span></a></li>`,
  )}
</ul>`;
}

export const applicationName = ({ name }: Application): string => name ?? texts.unknownApplication;

function use(address: string, application: Application, now: Instant): Hole {
  const name = html`<bdi>${applicationName(application)}</bdi>`;
  const since = html`<span class="sub">${texts.since.toLowerCase()} ${dateWords(application.since)}, ${distanceWords(application.since, now)}</span>`;
  if (application.here)
    return html`<span>${name}${since}</span><span class="quiet">${texts.thisApplication}</span>`;
  return html`<span>${name}${since}</span><a class="button plain" href="${`${address}/applications/${application.client}`}">${texts.switchOff}<span class="hidden"> ${applicationName(application)}</span></a>`;
}
