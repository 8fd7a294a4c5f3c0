import type { RequestHandler } from "express";
import { startSignIn } from "../broker/libraries/library-pages.ts";
import { librariesAddress } from "./addresses.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { leaveForImanage } from "./leave-for-imanage.ts";
import type { PageDeps } from "./page-deps.ts";
import {
  dropPageCookie,
  endPageSession,
  readForm,
  sentFromHere,
  signedInVisit,
  visitOf,
} from "./page-session.ts";
import { seeOther, sendPage } from "./send-page.ts";

/** `POST /servers/:id/libraries/sign-in`: iManage says who it is. */
export function postSignIn(deps: PageDeps): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const visit = await visitOf(deps, request, response);
    if (visit === undefined) return;
    const { server } = visit;
    if (!sentFromHere(request, deps.settings.publicBaseUrl))
      return sendPage(response, 403, formOutdatedPage(deps.settings, librariesAddress(server)));
    const started = await startSignIn(deps.libraries, server.id, visit.visitor?.session.upstreamUser);
    leaveForImanage(deps, response, started, librariesAddress(server));
  };
}

/** `POST /servers/:id/libraries/sign-out` */
export function postSignOut(deps: PageDeps): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const signedIn = await signedInVisit(deps, request, response);
    if (signedIn === undefined) return;
    if (readForm(request, signedIn) === undefined)
      return sendPage(response, 403, formOutdatedPage(deps.settings, librariesAddress(signedIn.server)));
    await endPageSession(deps, request);
    dropPageCookie(deps, response);
    seeOther(response, `${librariesAddress(signedIn.server)}?notice=signed-out`);
  };
}
