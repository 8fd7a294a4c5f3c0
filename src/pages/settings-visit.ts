import type { Request, Response } from "express";
import { findOperator, type SignedInOperator } from "../broker/operators/operator-sign-in.ts";
import { adminOf, operatorAt, type SettingsVisitor } from "../broker/portal/settings-visitor.ts";
import { parseId } from "../domain/id.ts";
import { operatorCookie, readCookie } from "./cookies.ts";
import { plainPage, sendNotFound } from "./error-page.ts";
import { type Html, html } from "./html.ts";
import { layout } from "./layout.ts";
import { operatorCard } from "./operator-card.ts";
import type { PageDeps } from "./page-deps.ts";
import { portalPage, type VisitPageParts, visitorOn } from "./portal-visit.ts";
import { seeOther, sendPage } from "./send-page.ts";
import { en } from "./texts.en.ts";

/** Where *iManage settings* of a firm is: for its admins, whom a portal session brings, and for operators and support. */
export const SETTINGS_HOMES = ["/settings", "/operators/:organisation/settings"] as const;

/** Somebody on these pages, with the frame and the addresses that are his. */
export interface SettingsVisit extends SettingsVisitor {
  readonly home: string;
  readonly page: (parts: VisitPageParts) => Html;
}

/**
 * Who is here, or undefined where that has been answered: an operator who is not signed in is sent to where he can; an
 * organisation that is not his to see is not there.
 * @throws Problem portal_session_over
 */
export async function settingsVisitOn(
  deps: PageDeps,
  request: Request,
  response: Response,
): Promise<SettingsVisit | undefined> {
  const { organisation } = request.params;
  if (organisation === undefined) {
    const visitor = await visitorOn(deps, "settings", request, response);
    const page = (parts: Parameters<SettingsVisit["page"]>[0]) =>
      portalPage(deps.settings, visitor, "settings", parts);
    return { ...adminOf(visitor), home: "/settings", page };
  }
  if (deps.operators.provider === undefined) return answered(() => sendNotFound(deps, response));
  const operator = await findOperator(deps.operators, readCookie(request, operatorCookie(deps.settings)));
  if (operator === undefined) return answered(() => seeOther(response, "/operators"));
  const id = parseId("org", String(organisation));
  const visitor = id && (await operatorAt(deps.portal, operator, id));
  if (visitor === undefined) return answered(() => sendNotFound(deps, response));
  const home = `/operators/${visitor.firm.id}/settings`;
  response.locals.back = { href: home, label: en.settings.back };
  return { ...visitor, home, page: (parts) => operatorPage(deps, operator, visitor, parts) };
}

/** The same for pages on which something is changed: support is told that it may not. */
export async function changingVisitOn(
  deps: PageDeps,
  request: Request,
  response: Response,
): Promise<SettingsVisit | undefined> {
  const visit = await settingsVisitOn(deps, request, response);
  if (visit === undefined || visit.mayChange) return visit;
  const { title, body } = en.settings.lookOnly;
  return answered(() => sendPage(response, 403, plainPage(deps.settings, title, body)));
}

function answered(answer: () => void): undefined {
  answer();
}

const operatorPage = (
  deps: PageDeps,
  operator: SignedInOperator,
  { firm, mayChange }: SettingsVisitor,
  parts: VisitPageParts,
): Html =>
  layout(deps.settings, {
    title: parts.title,
    wide: parts.wide ?? false,
    main: html`${operatorCard(operator, firm)}
<nav aria-label="${en.portal.navigation}"><ul class="pages"><li><a href="/operators">${en.operators.all}</a></li></ul></nav>
${!mayChange && html`<p class="card note">${en.settings.lookOnly.body}</p>`}
${parts.main}`,
  });
