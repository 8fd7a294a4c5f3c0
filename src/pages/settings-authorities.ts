import type { RequestHandler } from "express";
import { z } from "zod";
import { changeServerAuthorities, hasOwnAuthorities } from "../broker/portal/settings.ts";
import type { TrustedCertificates } from "../domain/server.ts";
import { sendNotFound } from "./error-page.ts";
import { linesField, linesOf } from "./form-field.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { type Html, html } from "./html.ts";
import type { PageDeps } from "./page-deps.ts";
import { auditNote, isOurForm } from "./page-session.ts";
import { queryValue } from "./query.ts";
import { seeOther, sendPage } from "./send-page.ts";
import { faultsAs } from "./settings-access.ts";
import { differenceOf, noteChange, reviewPage, unlessOvertaken } from "./settings-review.ts";
import {
  authoritiesAddress,
  diagnosisAddress,
  type ServerAt,
  type ServerParams,
  viewAt,
} from "./settings-server.ts";
import { changingVisitOn } from "./settings-visit.ts";
import { statusIcon } from "./status-icon.ts";
import { en } from "./texts.en.ts";
import { dateWords } from "./time-words.ts";

const texts = en.settings.authorities;

/** `GET …/servers/:server/authorities`: the firm's own certificate authorities that are trusted for this server. */
export function getServerAuthorities(deps: PageDeps): RequestHandler<ServerParams> {
  return async (request, response) => {
    const at = await viewAt(deps, request, response);
    if (at === undefined) return;
    if (!hasOwnAuthorities(at.view)) return sendNotFound(deps, response);
    sendPage(response, 200, authoritiesPage(at, { changed: queryValue(request, "changed") === "" }));
  };
}

/** `POST` there: shows whom it would trust, by the fingerprint that tells one from an impostor; with `confirm`, does it. */
export function postServerAuthorities(deps: PageDeps): RequestHandler<ServerParams> {
  return async (request, response) => {
    const at = await viewAt(deps, request, response, changingVisitOn);
    if (at === undefined) return;
    const { visit, view } = at;
    if (!isOurForm(request, visit))
      return sendPage(response, 403, formOutdatedPage(deps.settings, authoritiesAddress(at)));
    if (!hasOwnAuthorities(view)) return sendNotFound(deps, response);
    const { confirm, ...form } = formSchema.parse(request.body ?? {});
    const wanted = form.remove === "" ? { add: form.ca_certificates } : { remove: form.remove };
    const note = auditNote(deps, request, response);
    const change = (dryRun: boolean) =>
      changeServerAuthorities(deps.portal, visit, view, wanted, { dryRun, note });

    let outcome = await faultsAs(() => change(true), new Map([["ca_certificates", texts.label]]));
    if (typeof outcome === "string")
      return sendPage(response, 422, authoritiesPage(at, { fault: `${outcome}.` }));
    if (confirm === differenceOf(outcome) && outcome.changes.length > 0) {
      const done = await unlessOvertaken(() => change(false));
      if (done?.applied) {
        noteChange(deps, visit, response, `certificate authorities of ${view.server.id}`);
        return seeOther(response, `${authoritiesAddress(at)}?changed=`);
      }
      outcome = await change(true);
    }
    const review = { outcome, action: authoritiesAddress(at), held: form, otherwise: confirm !== "" };
    sendPage(response, 200, reviewPage(visit, review));
  };
}

const formSchema = z.object({
  ca_certificates: linesOf(200_000),
  remove: z.string().max(200).catch(""),
  confirm: z.string().max(64).catch(""),
});

/** What was entered is not sent back with its fault: a private key may be in it. */
function authoritiesPage(
  at: ServerAt,
  { fault, changed = false }: { readonly fault?: string; readonly changed?: boolean },
): Html {
  const { visit, view } = at;
  const { server } = view;
  const title = texts.title(server.displayName);
  return visit.page({
    title: fault === undefined ? title : `${en.settings.error}: ${title}`,
    main: html`<h1>${title}</h1>
<p class="lead">${texts.lead}</p>
${changed && html`<p class="card note good" role="status"><span class="status good">${statusIcon("good")}</span> ${en.settings.changed}</p>`}
${trusted(at, server.trustedCertificates)}
${
  visit.mayChange &&
  html`<form class="card" method="post" action="${authoritiesAddress(at)}">
<input type="hidden" name="csrf" value="${visit.formToken}">
${linesField({ name: "ca_certificates", label: texts.label, hint: texts.hint, fault })}
<p class="actions"><button class="button" type="submit">${en.settings.next}</button></p>
</form>`
}
<form class="actions" method="post" action="${diagnosisAddress(at)}">
<input type="hidden" name="csrf" value="${visit.formToken}">
<button class="button plain" type="submit">${en.settings.servers.check}</button>
<a class="button plain" href="${visit.home}">${en.settings.back}</a></form>`,
  });
}

const trusted = (at: ServerAt, own: TrustedCertificates | undefined): Html =>
  html`<section class="card" aria-labelledby="trusted"><h2 id="trusted">${texts.trusted}</h2>
<p class="quiet">${texts.publicOnes}</p>
${(own?.certificates ?? []).map(
  ({ subject, fingerprint, expiresAt }) => html`<h3><bdi>${subject}</bdi></h3>
<dl><dt>${texts.fingerprint}</dt><dd><code>${fingerprint}</code></dd>
<dt>${texts.until}</dt><dd>${dateWords(expiresAt)}</dd></dl>
${
  at.visit.mayChange &&
  html`<form class="actions" method="post" action="${authoritiesAddress(at)}">
<input type="hidden" name="csrf" value="${at.visit.formToken}">
<input type="hidden" name="remove" value="${fingerprint}">
<button class="button plain" type="submit">${texts.remove}<span class="hidden"> ${subject}</span></button></form>`
}`,
)}</section>
`;
