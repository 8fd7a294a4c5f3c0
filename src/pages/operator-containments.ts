import type { Request, RequestHandler, Response } from "express";
import { z } from "zod";
import { contain, liftContainment, previewOf, progressOf } from "../broker/containment/contain.ts";
import { reauthorizations } from "../broker/containment/managed.ts";
import {
  type NamedTarget,
  readNamedTarget,
  TARGET_KINDS,
  TargetFault,
} from "../broker/containment/named-target.ts";
import { csvOfReauthorizations } from "../broker/containment/reauthorizations-csv.ts";
import { refusalsOf } from "../broker/containment/refusals.ts";
import { findOperator, type SignedInOperator } from "../broker/operators/operator-sign-in.ts";
import { type Containment, organisationContained } from "../domain/containment.ts";
import { parseId } from "../domain/id.ts";
import { maySee } from "../domain/operator.ts";
import type { Organisation } from "../domain/organisation.ts";
import { Problem } from "../domain/problem.ts";
import { containmentPage, formPage, listPage, type NamesOf, reviewPage } from "./containment-parts.ts";
import { operatorCookie, readCookie } from "./cookies.ts";
import { plainPage, sendNotFound } from "./error-page.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { type Html, html } from "./html.ts";
import { layout } from "./layout.ts";
import { operatorCard } from "./operator-card.ts";
import type { PageDeps } from "./page-deps.ts";
import { auditNote, isOurForm } from "./page-session.ts";
import { queryValue } from "./query.ts";
import { seeOther, sendPage } from "./send-page.ts";
import { en } from "./texts.en.ts";

const texts = en.containments;
const HOME = "/operators/containments";

interface Visit {
  readonly operator: SignedInOperator;
  readonly mayChange: boolean;
  readonly organisations: readonly Organisation[];
}

/** Undefined where that has been answered. */
async function visitOn(deps: PageDeps, request: Request, response: Response): Promise<Visit | undefined> {
  if (deps.operators.provider === undefined) return void sendNotFound(deps, response);
  const operator = await findOperator(deps.operators, readCookie(request, operatorCookie(deps.settings)));
  if (operator === undefined) return void seeOther(response, "/operators");
  const { session } = operator;
  const all = await deps.operatorViews.organisations.listOrganisations();
  const organisations = all.filter(({ name }) => maySee(session, name));
  return { operator, mayChange: session.role === "operator", organisations };
}

/** The same where something is changed: support is told that it may not, and a form must be one of this session's. */
async function changingOn(
  deps: PageDeps,
  request: Request,
  response: Response,
  back: string,
): Promise<Visit | undefined> {
  const visit = await visitOn(deps, request, response);
  if (visit === undefined) return undefined;
  if (!visit.mayChange) {
    return void sendPage(response, 403, plainPage(deps.settings, texts.title, texts.lookOnly));
  }
  if (request.method === "POST" && !isOurForm(request, visit.operator)) {
    return void sendPage(response, 403, formOutdatedPage(deps.settings, back));
  }
  return visit;
}

/** `GET /operators/containments` */
export function getContainmentsPage(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const visit = await visitOn(deps, request, response);
    if (visit === undefined) return;
    const { containments } = deps.containment;
    const places = [
      ...(visit.operator.session.organisations === "all" ? [undefined] : []),
      ...visit.organisations.map(({ id }) => id),
    ];
    const lists = await Promise.all(
      places.map((place) => containments.listContainments(place, undefined, LISTED)),
    );
    const all = lists.flat().sort((a, b) => b.since - a.since || (a.id < b.id ? 1 : -1));
    const names = await namesOf(deps, visit);
    show(deps, response, visit, 200, texts.title, listPage(all, names, visit.mayChange));
  };
}

const LISTED = 100;

/** `GET /operators/containments/new` */
export function getNewContainment(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const visit = await changingOn(deps, request, response, HOME);
    if (visit === undefined) return;
    const form = formSchema.parse({});
    show(deps, response, visit, 200, texts.begin, formPage(form, visit.operator.formToken));
  };
}

const text = (max: number) => z.string().trim().max(max).catch("");
const formSchema = z.object({
  kind: z.enum(TARGET_KINDS as unknown as [string, ...string[]]).catch("client"),
  what: text(300),
  server: text(300),
  organisation: text(200),
  client: text(200),
  from: text(40),
  to: text(40),
  effect: z.enum(["stop", "revoke"]).catch("stop"),
  reason: text(500),
  confirm: z.literal("yes").optional().catch(undefined),
});
export type ContainForm = z.infer<typeof formSchema>;

/** `POST` there: counts; with `confirm`, stops tokens. */
export function postNewContainment(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const visit = await changingOn(deps, request, response, `${HOME}/new`);
    if (visit === undefined) return;
    const form = formSchema.parse(request.body ?? {});
    const { formToken, session } = visit.operator;
    const again = (fault: string) =>
      show(deps, response, visit, 422, texts.begin, formPage(form, formToken, fault));
    if (form.reason === "") return again(texts.field.reason);
    const ports = deps.containment;
    try {
      const target = await readNamedTarget(
        deps.operatorViews.organisations,
        namedIn(form),
        ports.clock.now(),
      );
      if (form.confirm === undefined) {
        const impact = await previewOf(ports, target);
        const names = await namesOf(deps, visit);
        return show(
          deps,
          response,
          visit,
          200,
          texts.review,
          reviewPage(form, target, impact, names, formToken),
        );
      }
      const note = {
        ...auditNote(deps, request, response),
        actor: `operator:${session.issuer} ${session.subject}`,
      };
      const begun = await contain(ports, { target, effect: form.effect, reason: form.reason }, note);
      return seeOther(response, `${HOME}/${begun.id}`);
    } catch (error) {
      if (error instanceof TargetFault) return again(error.message);
      if (!(error instanceof Problem)) throw error;
      if (error.code === "not_found" || error.code === "invalid_request") return again(error.message);
      throw error;
    }
  };
}

function namedIn(form: ContainForm): NamedTarget {
  const given = (value: string) => (value === "" ? undefined : value);
  return {
    kind: form.kind,
    what: given(form.what),
    server: given(form.server),
    organisation: given(form.organisation),
    client: given(form.client),
    from: given(form.from),
    to: given(form.to),
  };
}

/** `GET /operators/containments/:id` */
export function getContainmentPage(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const visit = await visitOn(deps, request, response);
    if (visit === undefined) return;
    const containment = await findSeen(deps, visit, request);
    if (containment === undefined) return sendNotFound(deps, response);
    const ports = deps.containment;
    const [progress, refusals, names] = await Promise.all([
      progressOf(ports, containment),
      refusalsOf(ports, containment),
      namesOf(deps, visit),
    ]);
    const after = queryValue(request, "after") || undefined;
    const people = await reauthorizations(ports, containment, after, LISTED);
    const parts = {
      containment,
      progress,
      refusals,
      people,
      names,
      mayChange: visit.mayChange,
      formToken: visit.operator.formToken,
    };
    show(deps, response, visit, 200, texts.title, containmentPage(parts));
  };
}

/** `GET …/reauthorizations.csv` */
export function getReauthorizationsCsv(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const visit = await visitOn(deps, request, response);
    if (visit === undefined) return;
    const containment = await findSeen(deps, visit, request);
    if (containment === undefined) return sendNotFound(deps, response);
    const terms = { base: deps.settings.publicBaseUrl, seenBy: undefined, masked: !visit.mayChange };
    response.set("Content-Disposition", `attachment; filename="reauthorizations-${containment.id}.csv"`);
    response.type("text/csv; charset=utf-8");
    let cursor: string | undefined;
    for (let first = true; ; first = false) {
      const page = await reauthorizations(deps.containment, containment, cursor, 500);
      const csv = csvOfReauthorizations(page.items, terms);
      response.write(first ? csv : csv.slice(csv.indexOf("\n") + 1));
      if (page.next === undefined) break;
      cursor = page.next;
    }
    response.end();
  };
}

/** `POST …/lift` */
export function postLiftContainment(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const id = String(request.params.containment);
    const visit = await changingOn(deps, request, response, `${HOME}/${encodeURIComponent(id)}`);
    if (visit === undefined) return;
    const containment = await findSeen(deps, visit, request);
    if (containment === undefined) return sendNotFound(deps, response);
    const { reason } = formSchema.parse(request.body ?? {});
    const { session } = visit.operator;
    const note = {
      ...auditNote(deps, request, response),
      actor: `operator:${session.issuer} ${session.subject}`,
    };
    await liftContainment(deps.containment, containment, reason || texts.lifted, note);
    seeOther(response, `${HOME}/${containment.id}`);
  };
}

/** Of an organisation that is not his to see, and of clients everywhere for support: not there. */
async function findSeen(deps: PageDeps, visit: Visit, request: Request): Promise<Containment | undefined> {
  const id = parseId("ctn", String(request.params.containment));
  const found = id && (await deps.containment.containments.findContainment(id));
  if (found === undefined) return undefined;
  const organisation = organisationContained(found.target);
  const seen =
    organisation === undefined
      ? visit.operator.session.organisations === "all"
      : visit.organisations.some((one) => one.id === organisation);
  return seen ? found : undefined;
}

/** What people call what a target names. */
async function namesOf(deps: PageDeps, visit: Visit): Promise<NamesOf> {
  const names = new Map<string, string>();
  const { organisations } = deps.operatorViews;
  for (const { id, displayName } of visit.organisations) {
    names.set(id, displayName);
    for (const server of await organisations.listServers(id)) names.set(server.id, server.displayName);
  }
  for (const { id, displayName } of await organisations.listClients()) names.set(id, displayName);
  return { name: (id) => names.get(id) ?? id, masked: !visit.mayChange };
}

function show(
  deps: PageDeps,
  response: Response,
  { operator }: Visit,
  status: number,
  title: string,
  main: Html,
): void {
  sendPage(
    response,
    status,
    layout(deps.settings, {
      title,
      wide: true,
      main: html`${operatorCard(operator)}
<nav aria-label="${en.portal.navigation}"><ul class="pages"><li><a href="/operators">${en.operators.all}</a></li><li><a href="/operators/containments">${texts.back}</a></li></ul></nav>
${main}`,
    }),
  );
}
