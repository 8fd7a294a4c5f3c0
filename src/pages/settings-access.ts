import type { RequestHandler } from "express";
import { z } from "zod";
import type { ToldOrganisation } from "../broker/organisations/change-organisation.ts";
import { changeAccess } from "../broker/portal/settings.ts";
import { Problem } from "../domain/problem.ts";
import { choice, linesField, linesOf } from "./form-field.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { type Html, html } from "./html.ts";
import type { PageDeps } from "./page-deps.ts";
import { auditNote, isOurForm } from "./page-session.ts";
import { seeOther, sendPage } from "./send-page.ts";
import { differenceOf, noteChange, reviewPage, unlessOvertaken } from "./settings-review.ts";
import { changingVisitOn, type SettingsVisit } from "./settings-visit.ts";
import { en } from "./texts.en.ts";

const texts = en.settings.accessForm;
const addressOf = ({ home }: SettingsVisit): string => `${home}/access`;

/** `GET /settings/access`: for whom iManage is enabled. */
export function getSettingsAccess(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const visit = await changingVisitOn(deps, request, response);
    if (visit === undefined) return;
    sendPage(response, 200, accessPage(visit, formOf(visit)));
  };
}

/** `POST` there: shows the difference; with `confirm`, does it if it is still the one that was shown. */
export function postSettingsAccess(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const visit = await changingVisitOn(deps, request, response);
    if (visit === undefined) return;
    if (!isOurForm(request, visit))
      return sendPage(response, 403, formOutdatedPage(deps.settings, addressOf(visit)));
    const { confirm, ...form } = formSchema.parse(request.body ?? {});
    const wanted = readWanted(form);
    if ("faults" in wanted) return sendPage(response, 422, accessPage(visit, form, wanted.faults));

    const note = auditNote(deps, request, response);
    const change = (dryRun: boolean) => changeAccess(deps.portal, visit, wanted, { dryRun, note });
    let outcome = await faultsAs(() => change(true));
    if (typeof outcome === "string")
      return sendPage(response, 422, accessPage(visit, form, { subjects: outcome }));
    if (confirm === differenceOf(outcome) && outcome.changes.length > 0) {
      const done = await unlessOvertaken(() => change(false));
      if (done?.applied) {
        noteChange(deps, visit, response, "access");
        return seeOther(response, `${visit.home}?changed=`);
      }
      outcome = await change(true);
    }
    const review = { outcome, action: addressOf(visit), held: form, otherwise: confirm !== "" };
    sendPage(response, 200, reviewPage(visit, review));
  };
}

const formSchema = z.object({
  access: z.enum(["everyone", "some", "off"]).catch("everyone"),
  subjects: linesOf(300_000),
  claims: linesOf(300_000),
  confirm: z.string().max(64).catch(""),
});
type Form = Omit<z.infer<typeof formSchema>, "confirm">;

function formOf({ firm }: SettingsVisit): Form {
  const { members, enabled } = firm;
  return {
    access: !enabled ? "off" : members.everyone ? "everyone" : "some",
    subjects: members.everyone ? "" : members.subjects.join("\n"),
    claims: members.everyone ? "" : members.claims.map(({ name, value }) => `${name} = ${value}`).join("\n"),
  };
}

interface Faults {
  readonly subjects?: string;
  readonly claims?: string;
}

/** Switched off, the members stay as they are for the day it is switched on again. */
function readWanted(form: Form): Pick<ToldOrganisation, "enabled" | "members"> | { readonly faults: Faults } {
  if (form.access === "off") return { enabled: false };
  if (form.access === "everyone") return { enabled: true, members: "all" };
  const claims = new Map<string, string[]>();
  for (const line of eachLine(form.claims)) {
    const [, name, value] = /^([^=]+?)\s*=\s*(.+)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return { faults: { claims: texts.claimFault(line) } };
    claims.set(name, [...(claims.get(name) ?? []), value]);
  }
  const subjects = [...new Set(eachLine(form.subjects))];
  return subjects.length + claims.size === 0
    ? { faults: { subjects: texts.nobody } }
    : { enabled: true, members: { subjects, claims: Object.fromEntries(claims) } };
}

const eachLine = (text: string): readonly string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

/**
 * The faults of a request in one sentence, or what it answers.
 * @param labels of its fields, as the page shows them
 */
export async function faultsAs<T extends object>(
  ask: () => Promise<T>,
  labels: ReadonlyMap<string, string> = new Map(),
): Promise<T | string> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof Problem && error.code === "invalid_request")) throw error;
    return (error.details.faults ?? [])
      .map(({ field, message }) => `${labels.get(field) ?? field} ${message}`)
      .join("; ");
  }
}

function accessPage(visit: SettingsVisit, form: Form, faults: Faults = {}): Html {
  const { access, subjects, claims } = form;
  const title = texts.title;
  const failed = Object.keys(faults).length > 0;
  return visit.page({
    title: failed ? `${en.settings.error}: ${title}` : title,
    main: html`<h1>${title}</h1>
<p class="lead">${texts.lead}</p>
<form class="card" method="post" action="${addressOf(visit)}">
<input type="hidden" name="csrf" value="${visit.formToken}">
${choice({ name: "access", label: texts.legend, value: access }, [
  ["everyone", texts.everyone],
  ["some", texts.some],
  ["off", texts.off],
])}
${linesField({ name: "subjects", label: texts.subjects, hint: texts.subjectsHint, value: subjects, fault: faults.subjects })}
${linesField({ name: "claims", label: texts.claims, hint: texts.claimsHint, value: claims, fault: faults.claims })}
<p class="actions"><button class="button" type="submit">${en.settings.next}</button>
<a class="button plain" href="${visit.home}">${en.settings.cancel}</a></p>
</form>`,
  });
}
