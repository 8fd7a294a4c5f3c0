import type { RequestHandler } from "express";
import { enterPortal, findVisitor, leavePortal } from "../broker/portal/visit-portal.ts";
import type { PortalSession } from "../domain/portal-session.ts";
import { Problem } from "../domain/problem.ts";
import { Secret } from "../domain/secret.ts";
import { sameUser } from "../domain/subject.ts";
import { portalCookie, readCookie, setPortalCookie } from "./cookies.ts";
import { errorPage, pageStatus } from "./error-page.ts";
import type { PageDeps } from "./page-deps.ts";
import { dropPageCookie, endPageSession } from "./page-session.ts";
import { addressOf } from "./portal-visit.ts";
import { seeOther, sendPage } from "./send-page.ts";
import { en } from "./texts.en.ts";

/** `GET /portal/open/:link`: the one-use link that a client sends its person to. */
export function getPortalOpen(deps: PageDeps): RequestHandler<{ link: string }> {
  return async (request, response) => {
    const before = readCookie(request, portalCookie(deps.settings));
    try {
      const earlier = await findVisitor(deps.portal, before);
      const { session, cookie } = await enterPortal(deps.portal, new Secret(request.params.link));
      // A new link is a new visit; the one before ends with it (session fixation).
      await leavePortal(deps.portal, before);
      // Somebody else at this browser does not go on as the library admin whom iManage knew here before (T02).
      if (earlier !== undefined && !isSamePerson(earlier.session, session)) {
        await endPageSession(deps, request);
        dropPageCookie(deps, response);
      }
      setPortalCookie(response, deps.settings, cookie);
      seeOther(response, addressOf(session.page));
    } catch (error) {
      const visitor =
        error instanceof Problem && error.code === "portal_link_used"
          ? await findVisitor(deps.portal, before)
          : undefined;
      if (visitor === undefined) throw error;
      // He reloaded, or went back: this browser's visit goes on, whoever opened the link.
      const back = { href: addressOf(visitor.session.page), label: en.portal.goOn };
      sendPage(
        response,
        pageStatus("portal_link_used"),
        errorPage(deps.settings, "portal_link_used", { back }),
      );
    }
  };
}

const isSamePerson = (a: PortalSession, b: PortalSession): boolean =>
  a.client === b.client && sameUser(a.subject, b.subject);
