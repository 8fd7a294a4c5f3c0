import type { RequestHandler } from "express";
import { z } from "zod";
import { addServer, listDefaultConfigurations, mayAddServer } from "../broker/portal/settings.ts";
import { Problem } from "../domain/problem.ts";
import type { Registration } from "../domain/registration.ts";
import { sendNotFound } from "./error-page.ts";
import { choice, textField } from "./form-field.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { type Html, html } from "./html.ts";
import type { PageDeps } from "./page-deps.ts";
import { auditNote, isOurForm } from "./page-session.ts";
import { seeOther, sendPage } from "./send-page.ts";
import { differenceOf, noteChange, reviewPage, unlessOvertaken } from "./settings-review.ts";
import { changingVisitOn, type SettingsVisit } from "./settings-visit.ts";
import { en } from "./texts.en.ts";

const texts = en.settings.newServer;
const addressOf = ({ home }: SettingsVisit): string => `${home}/new-server`;

/** `GET /settings/new-server`: *Add a server*. */
export function getNewServer(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const visit = await changingVisitOn(deps, request, response);
    if (visit === undefined) return;
    if (!mayAddServer(visit)) return sendNotFound(deps, response);
    const offered = await listDefaultConfigurations(deps.portal, visit);
    sendPage(response, 200, formPage(visit, formSchema.parse({}), offered));
  };
}

/** `POST` there: shows what would be made; with `confirm`, makes it and leads to the values for Control Center. */
export function postNewServer(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const visit = await changingVisitOn(deps, request, response);
    if (visit === undefined) return;
    if (!mayAddServer(visit)) return sendNotFound(deps, response);
    if (!isOurForm(request, visit))
      return sendPage(response, 403, formOutdatedPage(deps.settings, addressOf(visit)));
    const { confirm, ...form } = formSchema.parse(request.body ?? {});
    const note = auditNote(deps, request, response);
    const add = (dryRun: boolean) => addServer(deps.portal, visit, form.name, toldOf(form), { dryRun, note });
    try {
      let outcome = await add(true);
      if (confirm === differenceOf(outcome)) {
        const done = await unlessOvertaken(() => add(false));
        if (done?.applied) {
          noteChange(deps, visit, response, `server ${form.name}`);
          return seeOther(response, `${visit.home}/servers/${done.server}`);
        }
        outcome = await add(true);
      }
      const review = { outcome, action: addressOf(visit), held: form, otherwise: confirm !== "" };
      sendPage(response, 200, reviewPage(visit, review));
    } catch (error) {
      if (!(error instanceof Problem && error.code === "invalid_request")) throw error;
      const faults = new Map((error.details.faults ?? []).map(({ field, message }) => [field, message]));
      const offered = await listDefaultConfigurations(deps.portal, visit);
      sendPage(response, 422, formPage(visit, form, offered, faults));
    }
  };
}

/** How long each may be is said by the file's own schema; the form itself is bounded. */
const text = z.string().trim().catch("");
const formSchema = z.object({
  name: text,
  display_name: text,
  kind: z.enum(["cloud", "cloud-subdomain", "hosted", "on-premises"]).catch("on-premises"),
  address: text,
  shared: text,
  client_id: text,
  customer_id: text,
  confirm: text,
});
type Form = Omit<z.infer<typeof formSchema>, "confirm">;

/** What is left empty is not said. */
function toldOf({ name, shared, client_id, display_name, address, customer_id, kind }: Form) {
  const said = <F extends string>(fields: Record<F, string>) =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== "")) as Partial<typeof fields>;
  return {
    ...said({ display_name: display_name || name, address, customer_id }),
    kind,
    registration: shared === "" ? said({ client_id }) : said({ shared }),
  };
}

/** Where the file's schema places a fault, and which field of this form that is. */
const FIELDS: Readonly<Record<string, keyof Form>> = {
  name: "name",
  display_name: "display_name",
  kind: "kind",
  address: "address",
  customer_id: "customer_id",
  registration: "client_id",
  "registration.client_id": "client_id",
  "registration.shared": "shared",
};

function formPage(
  visit: SettingsVisit,
  form: Form,
  offered: readonly Registration[],
  faults: ReadonlyMap<string, string> = new Map(),
): Html {
  const at = (field: keyof Form) =>
    [...faults].filter(([place]) => FIELDS[place] === field).map(([, message]) => message)[0];
  const others = [...faults].filter(([place]) => !Object.hasOwn(FIELDS, place));
  const field = (name: Exclude<keyof Form, "kind">, label: string, hint: string, required = false) =>
    textField({ name, label, hint, required, value: form[name], fault: at(name) && `${label} ${at(name)}.` });
  return visit.page({
    title: faults.size > 0 ? `${en.settings.error}: ${texts.title}` : texts.title,
    main: html`<h1>${texts.title}</h1>
<p class="lead">${texts.lead}</p>
${
  others.length > 0 &&
  html`<section class="card note bad" role="alert"><h2>${texts.elsewhere}</h2><ul>${others.map(([place, message]) => html`<li><bdi>${place} ${message}</bdi></li>`)}</ul></section>`
}
<form class="card" method="post" action="${addressOf(visit)}">
<input type="hidden" name="csrf" value="${visit.formToken}">
${field("name", texts.name, texts.nameHint, true)}
${field("display_name", texts.displayName, texts.displayNameHint)}
${choice({ name: "kind", label: texts.kind, value: form.kind }, Object.entries(en.settings.servers.kinds))}
${field("address", texts.address, texts.addressHint)}
${(offered.length > 0 || at("shared") !== undefined) && defaultConfigurations(form.shared, offered, at("shared"))}
${field("client_id", texts.clientId, texts.clientIdHint)}
${field("customer_id", texts.customerId, texts.customerIdHint)}
<p class="actions"><button class="button" type="submit">${en.settings.next}</button>
<a class="button plain" href="${visit.home}">${en.settings.cancel}</a></p>
</form>`,
  });
}

const defaultConfigurations = (value: string, offered: readonly Registration[], fault?: string): Html =>
  choice(
    {
      name: "shared",
      label: texts.shared,
      hint: texts.sharedHint,
      value: offered.some(({ name }) => name === value) ? value : "",
      fault: fault && `${texts.shared} ${fault}.`,
    },
    [
      ["", texts.sharedNone],
      ...offered.map(({ name, tokenOrigin }) => [name, texts.sharedAt(name, tokenOrigin)] as const),
    ],
  );
