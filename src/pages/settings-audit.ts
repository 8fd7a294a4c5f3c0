import type { RequestHandler } from "express";
import {
  type AuditFilter,
  type AuditPage,
  type AuditPosition,
  clientsIn,
  readAudit,
} from "../broker/audit/read-audit.ts";
import { AUDIT_ACTIONS, isAuditAction } from "../domain/audit-actions.ts";
import type { AuditEntry } from "../domain/audit-entry.ts";
import { parseId } from "../domain/id.ts";
import { days } from "../domain/instant.ts";
import { actorNames, type Names, who } from "./actor-words.ts";
import { sendNotFound } from "./error-page.ts";
import { dateField, selectField, textField } from "./form-field.ts";
import { type Html, html } from "./html.ts";
import type { PageDeps } from "./page-deps.ts";
import { queryValue } from "./query.ts";
import { sendPage } from "./send-page.ts";
import { type SettingsVisit, settingsVisitOn } from "./settings-visit.ts";
import { en } from "./texts.en.ts";
import { timeWords } from "./time-words.ts";

const texts = en.audit;
const PER_PAGE = 50;

/** `GET /settings/audit`: what was handed out and changed, for the organisation's admins, operators and support. */
export function getSettingsAudit(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const visit = await settingsVisitOn(deps, request, response);
    if (visit === undefined) return;
    if (!visit.readsAudit({})) return sendNotFound(deps, response);
    const asked = readAsked((name) => queryValue(request, name));
    const position = positionOf(deps, visit, queryValue(request, "older"));
    const [clients, servers] = await Promise.all([
      clientsIn(deps.audit.clients, visit.firm.id),
      deps.operatorViews.organisations.listServers(visit.firm.id),
    ]);
    const filter: AuditFilter = {
      action: isAuditAction(asked.action) ? asked.action : undefined,
      client: clients.find(({ id }) => id === asked.client)?.id,
      // Who is not told names does not try them out either.
      person: asked.person === "" || !visit.mayChange ? undefined : asked.person,
      from: dayOf(asked.from),
      to: nextDay(dayOf(asked.to)),
      sees: visit.readsAudit,
    };
    const page = await readAudit(
      deps.audit.reader,
      visit.firm.id,
      filter,
      position ?? { before: undefined },
      PER_PAGE,
    );
    const names = actorNames([...clients, ...servers], visit.mayChange);
    const options = clients.map(({ id, displayName }) => [id, displayName] as const);
    const outdated = position === undefined;
    sendPage(response, 200, auditPage(deps, visit, { asked, options, page, names, outdated }));
  };
}

interface Asked {
  readonly action: string;
  readonly client: string;
  readonly person: string;
  readonly from: string;
  readonly to: string;
}
const ASKED = ["action", "client", "person", "from", "to"] as const satisfies readonly (keyof Asked)[];

function readAsked(value: (name: string) => string | undefined): Asked {
  const [action = "", client = "", person = "", from = "", to = ""] = ASKED.map((name) =>
    (value(name) ?? "").trim().slice(0, 200),
  );
  return { action, client, person, from, to };
}

/** Midnight, UTC. What is no day is as if nothing was said. */
function dayOf(text: string): number | undefined {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}
const nextDay = (at: number | undefined): number | undefined => (at === undefined ? undefined : at + days(1));

/** Undefined: a link that is none of ours, or of another organisation's list. */
function positionOf(
  { audit }: PageDeps,
  { firm }: SettingsVisit,
  older: string | undefined,
): AuditPosition | undefined {
  if (older === undefined) return { before: undefined };
  const match = /^audit page (\S+) (\d+)$/.exec(audit.cursors.open(older) ?? "");
  return match?.[1] === firm.id ? { before: Number(match[2]) } : undefined;
}

interface Shown {
  readonly asked: Asked;
  readonly options: readonly (readonly [value: string, label: string])[];
  readonly page: AuditPage;
  readonly names: Names;
  readonly outdated: boolean;
}

function auditPage(deps: PageDeps, visit: SettingsVisit, shown: Shown): Html {
  const { page, names, outdated } = shown;
  const address = `${visit.home}/audit`;
  const next = page.next !== undefined && "before" in page.next ? page.next.before : undefined;
  const older =
    next === undefined ? undefined : deps.audit.cursors.seal(`audit page ${visit.firm.id} ${next}`);
  const none = older === undefined ? texts.none : texts.noneYet;
  return visit.page({
    title: texts.title,
    wide: true,
    main: html`<h1>${texts.title}</h1>
<p class="lead">${texts.lead(visit.firm.displayName)}</p>
${outdated && html`<p class="card note warn" role="status">${texts.outdated}</p>`}
${filterForm(address, shown, visit.mayChange)}
${page.items.length === 0 ? html`<section class="card"><p>${none}</p></section>` : table(page.items, names, visit.home)}
<p class="actions">${older !== undefined && html`<a class="button plain" href="${withQuery(address, shown.asked, older)}">${texts.older}</a>`}
<a href="${withQuery(address, shown.asked)}">${texts.newest}</a></p>
<p class="quiet">${texts.kept(deps.audit.keptDays)}</p>
<p class="actions"><a class="button plain" href="${visit.home}">${en.settings.back}</a></p>`,
  });
}

function withQuery(address: string, asked: Asked, older?: string): string {
  const query = new URLSearchParams();
  for (const name of ASKED) if (asked[name] !== "") query.set(name, asked[name]);
  if (older !== undefined) query.set("older", older);
  const text = query.toString();
  return text === "" ? address : `${address}?${text}`;
}

function filterForm(address: string, { asked, options }: Shown, byPerson: boolean): Html {
  const { filter } = texts;
  const actions = Object.entries(AUDIT_ACTIONS)
    .filter(([, { kept }]) => kept !== "shared")
    .map(([name, { means }]) => [name, means] as const);
  return html`<form class="card" role="search" aria-label="${filter.label}" method="get" action="${address}">
${selectField({ name: "action", label: filter.action, value: asked.action }, [["", filter.anything], ...actions])}
${selectField({ name: "client", label: filter.client, value: asked.client }, [["", filter.anyClient], ...options])}
${byPerson && textField({ name: "person", label: filter.person, hint: filter.personHint, value: asked.person })}
${dateField({ name: "from", label: filter.from, value: asked.from })}
${dateField({ name: "to", label: filter.to, value: asked.to })}
<p class="actions"><button class="button" type="submit">${filter.button}</button>
<a href="${address}">${filter.clear}</a></p>
</form>`;
}

function table(entries: readonly AuditEntry[], names: Names, home: string): Html {
  const { columns } = texts;
  return html`<table class="audit"><caption class="hidden">${texts.title}</caption>
<thead><tr><th scope="col">${columns.at}</th><th scope="col">${columns.what}</th><th scope="col">${columns.who}</th><th scope="col">${columns.details}</th></tr></thead>
<tbody>${entries.map((entry) => row(entry, names, home))}</tbody></table>`;
}

function row({ sequence, fields }: AuditEntry, names: Names, home: string): Html {
  const { columns } = texts;
  const { action = "" } = fields;
  const means = isAuditAction(action) ? AUDIT_ACTIONS[action].means : action;
  return html`<tr><td data-label="${columns.at}"><span>${timeWords(Number(fields.at))}<span class="sub">${sequence}</span></span></td>
<td data-label="${columns.what}"><span>${means}<span class="sub"><code>${action}</code></span></span></td>
<td data-label="${columns.who}"><span><bdi>${who(fields.actor ?? "", names)}</bdi></span></td>
<td data-label="${columns.details}"><ul class="details">${details(fields, names, home)}</ul></td></tr>
`;
}

function details(fields: AuditEntry["fields"], names: Names, home: string): readonly Html[] {
  return Object.entries(texts.details).flatMap(([name, label]) => {
    const value = fields[name] ?? "";
    if (value === "") return [];
    const told = PERSONS.has(name) ? names.person(value) : (names.of.get(value) ?? value);
    const isName = names.of.has(value) || parseId("cli", value) !== undefined;
    const shown = IDS.has(name) && !isName ? html`<code>${told}</code>` : html`<bdi>${told}</bdi>`;
    const story = name === "grant" && html` <a href="${home}/grants/${value}">${en.timeline.open}</a>`;
    return [html`<li><span class="quiet">${label}:</span> ${shown}${story}</li>`];
  });
}

const PERSONS: ReadonlySet<string> = new Set(["lent_by", "replaced"]);
const IDS: ReadonlySet<string> = new Set([
  "grant",
  "token",
  "sync",
  "registration",
  "request",
  "fields",
  "why",
]);
