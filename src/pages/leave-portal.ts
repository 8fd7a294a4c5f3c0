import type { RequestHandler } from "express";
import { findVisitor, leavePortal, type Visitor } from "../broker/portal/visit-portal.ts";
import { clearCookie, portalCookie, readCookie } from "./cookies.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { type Html, html } from "./html.ts";
import { layout } from "./layout.ts";
import type { PageDeps } from "./page-deps.ts";
import { dropPageCookie, endPageSession, isOurForm, sentFromHere } from "./page-session.ts";
import { addressOf, wayBack } from "./portal-visit.ts";
import { sendPage } from "./send-page.ts";
import { statusIcon } from "./status-icon.ts";
import { en } from "./texts.en.ts";

const texts = en.portal.left;

/**
 * `POST /portal/leave`: the visit ends here and at the server, and the page says so. Sent again, or with a visit that is over
 * already, it says the same. The button stands on *Background service authorization* too: that nobody can go on there in his
 * place is only true if his sign-in there ends with it.
 */
export function postPortalLeave(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const name = portalCookie(deps.settings);
    const cookie = readCookie(request, name);
    const visitor = await findVisitor(deps.portal, cookie);
    // Another site must not be able to end what somebody is in the middle of.
    if (visitor !== undefined && !isOurForm(request, visitor))
      return sendPage(response, 403, formOutdatedPage(deps.settings, addressOf(visitor.session.page)));
    await leavePortal(deps.portal, cookie);
    clearCookie(response, deps.settings, name);
    if (visitor !== undefined || sentFromHere(request, deps.settings.publicBaseUrl)) {
      await endPageSession(deps, request);
      dropPageCookie(deps, response);
    }
    sendPage(response, 200, leftPage(deps, visitor));
  };
}

const leftPage = (deps: PageDeps, visitor: Visitor | undefined): Html =>
  layout(deps.settings, {
    title: texts.title,
    main: html`<h1>${texts.title}</h1>
<section class="card note good" role="status"><p><span class="status good">${statusIcon("good")}</span> ${texts.body}</p>
<p>${texts.again}</p></section>
${visitor && html`<p class="actions">${wayBack(visitor)}</p>`}`,
  });
