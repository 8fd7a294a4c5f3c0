import type { RequestHandler } from "express";
import {
  hasOwnAuthorities,
  listServerViews,
  mayAddServer,
  type ServerView,
} from "../broker/portal/settings.ts";
import { days, type Instant } from "../domain/instant.ts";
import type { Registration } from "../domain/registration.ts";
import type { Server } from "../domain/server.ts";
import { type Html, html, words } from "./html.ts";
import type { PageDeps } from "./page-deps.ts";
import { queryValue } from "./query.ts";
import { sendPage } from "./send-page.ts";
import { type SettingsVisit, settingsVisitOn } from "./settings-visit.ts";
import { statusIcon } from "./status-icon.ts";
import { en } from "./texts.en.ts";
import { dateWords, distanceWords } from "./time-words.ts";

const texts = en.settings;

/** `GET /settings`: *iManage settings*, for organisation admins. */
export function getSettings(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const visit = await settingsVisitOn(deps, request, response);
    if (visit === undefined) return;
    const [views, grants] = await Promise.all([
      listServerViews(deps.portal, visit),
      deps.portal.grants.countGrants(visit.firm.id),
    ]);
    const now = deps.portal.clock.now();
    const changed = queryValue(request, "changed") === "";
    const page = visit.page({
      title: texts.title,
      main: html`<h1>${texts.title}</h1>
<p class="lead">${texts.lead(visit.firm.displayName)}</p>
${changed && html`<p class="card note good" role="status"><span class="status good">${statusIcon("good")}</span> ${texts.changed}</p>`}
${storedSecret(visit, views, queryValue(request, "stored"))}
${access(visit, grants)}
<h2>${texts.servers.title}</h2>
${views.length === 0 && html`<p>${texts.servers.none}</p>`}
${views.toSorted((a, b) => collator.compare(a.server.displayName, b.server.displayName)).map((view) => card(view, now, visit))}
${mayAddServer(visit) && html`<p class="actions"><a class="button" href="${visit.home}/new-server">${texts.servers.add}</a></p>`}
${visit.readsAudit({}) && html`<h2>${en.audit.title}</h2><p>${en.audit.openNote} <a href="${visit.home}/audit">${en.audit.open}</a></p>`}`,
    });
    sendPage(response, 200, page);
  };
}

const collator = new Intl.Collator(en.lang, { numeric: true, sensitivity: "base" });

/** Said only where it is so: the address may have been kept, or written by somebody else. */
function storedSecret(
  { client, formToken, home }: SettingsVisit,
  views: readonly ServerView[],
  id: string | undefined,
): Html | undefined {
  const view = views.find(({ server, shared }) => server.id === id && !shared);
  const [newest] = view?.registration?.secrets ?? [];
  if (view === undefined || newest === undefined) return undefined;
  const { server } = view;
  const { stored } = texts;
  return html`<section class="card note good" aria-labelledby="stored">
<div role="status"><h2 id="stored"><span class="status good">${statusIcon("good")}</span> ${stored.title(server.displayName)}</h2>
<p>${stored.what(newest.expiresAt === undefined ? texts.servers.secretNoEnd : texts.servers.secretUntil(dateWords(newest.expiresAt)))}</p>
<p>${words(stored.next)}</p></div>
<form class="actions" method="post" action="${home}/servers/${server.id}/diagnosis">
<input type="hidden" name="csrf" value="${formToken}">
<button class="button" type="submit">${texts.servers.check}<span class="hidden"> ${server.displayName}</span></button>
${client !== undefined && html`<a class="button plain" href="/my-integrations">${en.myIntegrations.title}</a>`}</form>
</section>`;
}

function access({ firm, home, mayChange }: SettingsVisit, grants: number): Html {
  const { members } = firm;
  const status = !firm.enabled
    ? html`<span class="status warn">${statusIcon("warn")} ${texts.access.off}</span> <span class="sub">${texts.access.offNote}</span>`
    : members.everyone
      ? html`<span class="status good">${statusIcon("good")} ${texts.access.everyone}</span>`
      : html`<span class="status good">${statusIcon("good")} ${texts.access.some}</span>
<span class="sub"><bdi>${texts.access.members(
          members.subjects.length,
          members.claims.map(({ name, value }) => `${name} = ${value}`),
        )}</bdi></span>`;
  return html`<section class="card account" aria-labelledby="access">
<div><h2 id="access">${texts.access.title}</h2>
<p>${status}</p>
<p class="quiet">${texts.access.grants(grants)}</p></div>
${mayChange && html`<p class="actions"><a class="button plain" href="${home}/access">${texts.access.change}<span class="hidden"> ${texts.access.title}</span></a></p>`}
</section>`;
}

function card(view: ServerView, now: Instant, { formToken, home, mayChange }: SettingsVisit): Html {
  const { server, registration, shared } = view;
  const of = html`<span class="hidden"> ${server.displayName}</span>`;
  const { servers } = texts;
  return html`<section class="card" aria-labelledby="${server.id}">
<h3 id="${server.id}"><bdi>${server.displayName}</bdi></h3>
<p>${state(view, now)}</p>
<dl>
<dt>${servers.address}</dt><dd><bdi>${server.endpoints.apiBaseUrl}</bdi></dd>
<dt>${servers.kind}</dt><dd>${servers.kinds[server.kind]}</dd>
<dt>${servers.clientId}</dt><dd>${shared ? servers.secretShared : html`<code>${registration?.clientId}</code>`}</dd>
<dt>${servers.secret}</dt><dd>${shared ? servers.secretShared : secretWords(registration)}</dd>
<dt>${servers.customerId}</dt><dd><bdi>${server.customerId ?? servers.unknown}</bdi></dd>
${
  hasOwnAuthorities(view) &&
  html`<dt>${servers.authorities}</dt><dd><a href="${home}/servers/${server.id}/authorities">${authoritiesWords(server)}${of}</a></dd>
`
}<dt>${servers.diagnosis}</dt><dd>${diagnosisWords(view, now, home)}</dd>
</dl>
<div class="actions"><a class="button plain" href="${home}/servers/${server.id}">${mayChange ? servers.open : servers.look}${of}</a>
<form method="post" action="${home}/servers/${server.id}/diagnosis">
<input type="hidden" name="csrf" value="${formToken}">
<button class="button plain" type="submit">${servers.check}${of}</button></form>
<a href="/servers/${server.id}/libraries">${servers.libraries}${of}</a></div>
</section>
`;
}

function authoritiesWords({ trustedCertificates: own }: Server): Html | string {
  const names = (own?.certificates ?? []).map(({ subject }) => subject);
  return names.length === 0
    ? texts.servers.authoritiesPublic
    : html`<bdi>${texts.servers.authoritiesOwn(names)}</bdi>`;
}

function secretWords(registration: Registration | undefined): string {
  const [newest] = registration?.secrets ?? [];
  if (newest === undefined) return en.dash;
  const until =
    newest.expiresAt === undefined
      ? texts.servers.secretNoEnd
      : texts.servers.secretUntil(dateWords(newest.expiresAt));
  return `${texts.servers.secretSince(dateWords(newest.addedAt))}, ${until}`;
}

const diagnosisWords = ({ diagnosis, server }: ServerView, now: Instant, home: string): Html | string =>
  diagnosis === undefined
    ? texts.servers.undiagnosed
    : html`<a href="${home}/servers/${server.id}/diagnosis">${texts.servers.verdicts[diagnosis.verdict]}<span class="hidden"> ${server.displayName}</span></a>, ${distanceWords(diagnosis.endedAt, now)}`;

/** Time enough for an administrator to make a new one. */
const SECRET_SOON_MS = days(30);

function state({ registration, shared, closed }: ServerView, now: Instant): Html {
  const told =
    closed?.code === "client_secret_refused" && !shared ? texts.servers.secretRefused : closed?.sentence;
  const trouble = told ?? (shared ? undefined : secretTrouble(registration, now));
  return trouble === undefined
    ? html`<span class="status good">${statusIcon("good")} ${texts.servers.ready}</span>`
    : html`<span class="status warn">${statusIcon("warn")} ${texts.servers.attention}</span> <span class="sub">${trouble}</span>`;
}

function secretTrouble(registration: Registration | undefined, now: Instant): string | undefined {
  const secrets = registration?.secrets ?? [];
  if (secrets.length === 0) return texts.servers.secretMissing;
  const last = Math.max(...secrets.map(({ expiresAt }) => expiresAt ?? Number.POSITIVE_INFINITY));
  if (last <= now) return texts.servers.secretOver;
  return last - now < SECRET_SOON_MS ? texts.servers.secretSoon(distanceWords(last, now)) : undefined;
}
