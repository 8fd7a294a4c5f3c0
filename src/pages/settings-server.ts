import type { Request, RequestHandler, Response } from "express";
import { z } from "zod";
import { packageFor, sheetFor } from "../broker/organisations/registration-help.ts";
import { PACKAGE_KINDS } from "../broker/organisations/registration-package.ts";
import type { RegistrationSheet, SheetField } from "../broker/organisations/registration-sheet.ts";
import { enterClientSecret, findServerView, type ServerView } from "../broker/portal/settings.ts";
import { parseId } from "../domain/id.ts";
import type { Instant } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { Registration } from "../domain/registration.ts";
import { Secret } from "../domain/secret.ts";
import { sendNotFound } from "./error-page.ts";
import { verdictCard } from "./finding.ts";
import { textField } from "./form-field.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { type Html, html } from "./html.ts";
import type { PageDeps } from "./page-deps.ts";
import { auditNote, isOurForm } from "./page-session.ts";
import { seeOther, sendPage } from "./send-page.ts";
import { noteChange } from "./settings-review.ts";
import { changingVisitOn, type SettingsVisit, settingsVisitOn } from "./settings-visit.ts";
import { en } from "./texts.en.ts";
import { dateWords } from "./time-words.ts";

const texts = en.settings.server;

export interface ServerParams {
  readonly server: string;
  [name: string]: string;
}

/** `GET /settings/servers/:server`: the values for Control Center, and where its client secret is entered. */
export function getSettingsServer(deps: PageDeps): RequestHandler<ServerParams> {
  return async (request, response) => {
    const at = await viewAt(deps, request, response);
    if (at !== undefined) sendPage(response, 200, await serverPage(deps, at));
  };
}

/** `POST` there: the client secret that Control Center has shown. */
export function postSettingsServer(deps: PageDeps): RequestHandler<ServerParams> {
  return async (request, response) => {
    const at = await viewAt(deps, request, response, changingVisitOn);
    if (at === undefined) return;
    const { visit, view } = at;
    if (!isOurForm(request, visit))
      return sendPage(response, 403, formOutdatedPage(deps.settings, serverAddress(at)));
    if (view.shared) return sendNotFound(deps, response);
    const { secret, expires, faults } = readSecretForm(request.body);
    if (faults !== undefined) return sendPage(response, 422, await serverPage(deps, at, faults));
    const outcome = await enterClientSecret(
      deps.portal,
      visit,
      view,
      { secret, expiresAt: expires },
      auditNote(deps, request, response),
    );
    if (!outcome.applied)
      throw new Problem("configuration_refused", { members: { refusals: outcome.refusals.join("; ") } });
    noteChange(deps, visit, response, "client secret");
    seeOther(response, `${visit.home}?stored=${view.server.id}`);
  };
}

/** `GET /settings/servers/:server/package/:kind`: what an iManage administrator uploads in the place of typing. */
export function getServerPackage(deps: PageDeps): RequestHandler<ServerParams> {
  return async (request, response) => {
    const at = await viewAt(deps, request, response);
    if (at === undefined) return;
    const kind = PACKAGE_KINDS.find((each) => each === request.params.kind);
    if (kind === undefined || at.view.shared) return sendNotFound(deps, response);
    const { fileName, bytes } = await packageFor(helpPorts(deps), at.view.server, kind);
    response.set({
      "Content-Type": "application/zip",
      "Content-Disposition": `attachment; filename="${fileName}"`,
    });
    response.status(200).end(bytes);
  };
}

const helpPorts = ({ portal, settings }: PageDeps) => ({
  store: portal.configuration.store,
  packages: portal.packages,
  names: settings,
});

/** A server, and who looks at it. */
export interface ServerAt {
  readonly visit: SettingsVisit;
  readonly view: ServerView;
}

export const serverAddress = ({ visit, view }: ServerAt): string => `${visit.home}/servers/${view.server.id}`;

export const authoritiesAddress = (at: ServerAt): string => `${serverAddress(at)}/authorities`;

export const diagnosisAddress = (at: ServerAt): string => `${serverAddress(at)}/diagnosis`;

/** The server that the address names, if the visitor sees it; otherwise that has been answered. */
export async function viewAt(
  deps: PageDeps,
  request: Request<ServerParams>,
  response: Response,
  visitOn: typeof settingsVisitOn = settingsVisitOn,
): Promise<ServerAt | undefined> {
  const visit = await visitOn(deps, request, response);
  if (visit === undefined) return undefined;
  const id = parseId("srv", request.params.server);
  const view = id && (await findServerView(deps.portal, visit, id));
  if (view !== undefined) return { visit, view };
  sendNotFound(deps, response);
  return undefined;
}

interface Faults {
  readonly expires: string;
  readonly secretFault: string | undefined;
  readonly expiresFault: string | undefined;
}

const formSchema = z.object({ secret: z.string().catch(""), expires: z.string().max(20).catch("") });

/** The secret is never sent back, whatever is wrong with the rest. */
function readSecretForm(
  body: unknown,
):
  | { readonly secret: Secret; readonly expires: Instant | undefined; readonly faults?: undefined }
  | { readonly secret?: undefined; readonly expires?: undefined; readonly faults: Faults } {
  const form = formSchema.parse(body ?? {});
  const secret = form.secret.trim();
  const expires = form.expires.trim();
  const secretFault =
    secret === "" ? texts.secretMissing : /^[\x21-\x7e]{1,500}$/.test(secret) ? undefined : texts.secretOdd;
  const at = expires === "" ? undefined : dayOf(expires);
  const expiresFault = expires !== "" && at === undefined ? texts.expiresFault : undefined;
  return secretFault === undefined && expiresFault === undefined
    ? { secret: new Secret(secret), expires: at }
    : { faults: { expires, secretFault, expiresFault } };
}

/** `2027-06-30`, and no other day that a calendar would make of `2027-06-31`. */
function dayOf(text: string): Instant | undefined {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text) ? at : undefined;
}

async function serverPage(deps: PageDeps, at: ServerAt, faults?: Faults): Promise<Html> {
  const { visit, view } = at;
  const { server, registration, shared } = view;
  const trouble = view.diagnosis?.verdict === "good" ? undefined : view.diagnosis;
  const title = texts.title(server.displayName);
  return visit.page({
    title: faults === undefined ? title : `${en.settings.error}: ${title}`,
    // A redirect URL is copied letter by letter, so it stands on one line.
    wide: true,
    main: html`<h1>${title}</h1>
${trouble !== undefined && verdictCard(trouble, deps.portal.clock.now(), diagnosisAddress(at))}
${
  shared || registration === undefined
    ? html`<section class="card note"><p>${texts.shared}</p></section>`
    : inTheirOrder(
        registration,
        sheetTables(at, await sheetFor(helpPorts(deps), server)),
        visit.mayChange && secretForm(at, registration, faults),
      )
}
<p class="actions"><a class="button plain" href="${visit.home}">${en.settings.back}</a></p>`,
  });
}

/** Control Center shows a secret once it has the sheet's values; whoever comes again comes for the next secret. */
const inTheirOrder = ({ secrets }: Registration, sheet: Html, form: Html | false) =>
  secrets.length === 0 ? [sheet, form] : [form, sheet];

function secretForm(at: ServerAt, { secrets }: Registration, faults: Faults | undefined): Html {
  const [newest] = secrets;
  return html`<section class="card" aria-labelledby="enter">
<h2 id="enter">${newest === undefined ? texts.secretTitle : texts.nextSecretTitle}</h2>
<p>${texts.secretLead(newest && dateWords(newest.addedAt))}</p>
<form method="post" action="${serverAddress(at)}">
<input type="hidden" name="csrf" value="${at.visit.formToken}">
${textField({ name: "secret", label: texts.secret, hint: texts.secretHint, fault: faults?.secretFault, required: true, secret: true })}
${textField({ name: "expires", label: texts.expires, hint: texts.expiresHint, value: faults?.expires, fault: faults?.expiresFault })}
<p class="actions"><button class="button" type="submit">${texts.save}</button></p>
</form></section>`;
}

/** The sheet speaks to whoever writes a file where it says what to do with the secret; here there is a form. */
const NOTES = new Map<string, string>([
  ["Client Secret", texts.secretNote],
  ["Client Secret Expires", texts.expiresNote],
]);

const sheetTables = (
  at: ServerAt,
  { where, tabs, extensions, olderServers, notes }: RegistrationSheet,
): Html => html`<section class="card">
<p class="lead">${texts.lead}</p>
<p><span class="quiet">${texts.where}</span> <bdi>${where}</bdi></p>
${tabs.map(({ tab, fields }) => html`<h2>${tab}</h2>${fieldList(fields)}`)}
<h2>${texts.extensions}</h2>
${fieldList(extensions.slice(0, 1))}
<ul>${PACKAGE_KINDS.map((kind) => html`<li><a href="${serverAddress(at)}/package/${kind}">${texts.packages[kind]}</a></li>`)}</ul>
${olderServers !== undefined && html`<h2>${olderServers.when}</h2>${fieldList(olderServers.fields)}`}
<h2>${texts.notes}</h2>
<ul>${notes.map((note) => html`<li><bdi>${note}</bdi></li>`)}</ul>
</section>`;

/** In letters that differ from one another: one that is mistaken is an application that nobody can use. */
const COPIED: ReadonlySet<string> = new Set(["Client ID", "Redirect URL", "Request", "Body"]);

const fieldList = (fields: readonly SheetField[]): Html => html`<dl class="sheet">
${fields.map(({ field, value, note }) => {
  const told = NOTES.get(field) ?? note;
  return html`<dt>${field}</dt><dd><bdi class="${COPIED.has(field) ? "letters" : ""}">${value}</bdi>${told !== undefined && html`<span class="sub">${told}</span>`}</dd>
`;
})}</dl>`;
