import type { Request, Response } from "express";
import { findVisitor, libraryServersOf, type Visitor } from "../broker/portal/visit-portal.ts";
import { type PortalPage, pagesOf } from "../domain/portal-session.ts";
import { Problem } from "../domain/problem.ts";
import { librariesAddress } from "./addresses.ts";
import { portalCookie, readCookie } from "./cookies.ts";
import type { Back } from "./error-page.ts";
import { type Html, html } from "./html.ts";
import { layout, type PageParts } from "./layout.ts";
import type { PageDeps, PageSettings } from "./page-deps.ts";
import { en } from "./texts.en.ts";

const texts = en.portal;

export const addressOf = (page: PortalPage): string => `/${page}`;

const TITLES: Readonly<Record<PortalPage, string>> = {
  "my-integrations": en.myIntegrations.title,
  settings: en.settings.title,
};

/**
 * Who is on one of the portal's pages.
 * @param page the page that is asked for; not every role has each
 * @throws Problem portal_session_over
 */
export async function visitorOn(
  deps: PageDeps,
  page: PortalPage,
  request: Request,
  response: Response,
): Promise<Visitor> {
  const visitor = await findVisitor(deps.portal, readCookie(request, portalCookie(deps.settings)));
  // A page of another role is no page of his: what he may not see is not told apart from what is over.
  if (visitor === undefined || !pagesOf(visitor.session.role).includes(page))
    throw new Problem("portal_session_over");
  const back: Back = { href: addressOf(page), label: en.portal.backTo(TITLES[page]) };
  response.locals.back = back;
  return visitor;
}

/** To the application he came from, as long as the address is one that it registered (T06). */
export const wayBack = (visitor: Visitor): Html | false =>
  isRegistered(visitor) &&
  html`<a class="button plain" href="${visitor.session.returnUrl}">${texts.back(visitor.client.displayName)}</a>`;

const isRegistered = ({ session, client }: Visitor): boolean => client.returnUrls.includes(session.returnUrl);

/** What differs from page to page inside such a frame. */
export type VisitPageParts = Pick<PageParts, "title" | "main" | "wide">;

/** A page of the portal, in its frame. */
export const portalPage = (
  settings: PageSettings,
  visitor: Visitor,
  page: PortalPage,
  parts: VisitPageParts,
): Html =>
  layout(settings, {
    title: parts.title,
    wide: parts.wide ?? false,
    main: html`${portalFrame(visitor, addressOf(page))}
${parts.main}`,
  });

/**
 * What stands above every page for somebody who came from a client: who he is, from which application, and the way back to
 * it, in one line that leaves the room to the page.
 * @param current the address of the page it is, as the navigation has it
 */
export function portalFrame(visitor: Visitor, current: string): Html {
  const { session, client, firm } = visitor;
  const pages = [
    ...pagesOf(session.role).map((page) => ({ href: addressOf(page), label: TITLES[page] })),
    ...libraryPages(visitor),
  ];
  return html`<section class="who" aria-label="${texts.as}">
<p><span class="quiet">${texts.as}</span> <b><bdi>${session.displayName ?? texts.unnamed(session.subject.id)}</bdi></b>
<span class="quiet"><bdi>${texts.from(client.displayName, firm.displayName)}</bdi></span></p>
${isRegistered(visitor) && html`<a href="${session.returnUrl}">${texts.backShort}<span class="hidden"> ${texts.backWhere(client.displayName)}</span></a>`}
<form method="post" action="/portal/leave"><input type="hidden" name="csrf" value="${visitor.formToken}">
<button type="submit">${texts.leave}</button></form>
</section>
${current !== addressOf("settings") && html`<p class="quiet small">${texts.notYou}</p>`}
${
  pages.length > 1 &&
  html`<nav aria-label="${texts.navigation}"><ul class="pages">${pages.map(
    ({ href, label }) =>
      html`<li><a href="${href}" aria-current="${href === current ? "page" : "false"}">${label}</a></li>`,
  )}</ul></nav>`
}`;
}

/** *Background service authorization* of each server; named where there are several. */
function libraryPages(visitor: Visitor): readonly { readonly href: string; readonly label: string }[] {
  const servers = libraryServersOf(visitor);
  return servers.map((server) => ({
    href: librariesAddress(server),
    label: servers.length === 1 ? en.libraries.title : en.libraries.titleOf(server.displayName),
  }));
}
