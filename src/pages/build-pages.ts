import express, { type RequestHandler, Router } from "express";
import { getAuthorizeLibrary, postAuthorizeLibrary } from "./authorize-library.ts";
import { postAuthorizeSelected } from "./authorize-selected.ts";
import { BROWSER_PATHS, errorHandler, getConnectError, notFoundPage } from "./error-page.ts";
import { getCalendar } from "./get-calendar.ts";
import { getConnectResult } from "./get-connect-result.ts";
import { getConnectStart } from "./get-connect-start.ts";
import { getLibraries } from "./get-libraries.ts";
import { getLibrary } from "./get-library.ts";
import { getLogo, LOGO_ADDRESS } from "./get-logo.ts";
import { getMyIntegrations } from "./get-my-integrations.ts";
import { getOauth2Callback } from "./get-oauth2-callback.ts";
import { getPortalOpen } from "./get-portal-open.ts";
import { getSettings } from "./get-settings.ts";
import { postPortalLeave } from "./leave-portal.ts";
import { postCalendar, postRevokeCalendar } from "./library-calendar.ts";
import { onlyVisits } from "./only-visits.ts";
import {
  getContainmentPage,
  getContainmentsPage,
  getNewContainment,
  getReauthorizationsCsv,
  postLiftContainment,
  postNewContainment,
} from "./operator-containments.ts";
import { getOperatorCallback, getOperators, postOperatorSignIn, postOperatorSignOut } from "./operators.ts";
import type { PageDeps } from "./page-deps.ts";
import { pageHeaders } from "./page-headers.ts";
import { seeOther } from "./send-page.ts";
import { getSettingsAccess, postSettingsAccess } from "./settings-access.ts";
import { getSettingsAudit } from "./settings-audit.ts";
import { getServerAuthorities, postServerAuthorities } from "./settings-authorities.ts";
import { getServerBundle, getServerDiagnosis, postServerDiagnosis } from "./settings-diagnosis.ts";
import { getNewServer, postNewServer } from "./settings-new-server.ts";
import { getServerPackage, getSettingsServer, postSettingsServer } from "./settings-server.ts";
import { getSettingsTimeline } from "./settings-timeline.ts";
import { SETTINGS_HOMES } from "./settings-visit.ts";
import { postSignIn, postSignOut } from "./sign-in-and-out.ts";
import { getSwitchOff, postAuthorizeServer, postSwitchOff } from "./switch-off.ts";
import { getWithdrawLibrary, postWithdrawLibrary } from "./withdraw-library.ts";

export type { PageDeps } from "./page-deps.ts";

/** Every page, as one table. Outside its own paths the router touches nothing, so it is mounted at `/`. */
export function buildPages(deps: PageDeps): Router {
  const router = Router();
  const paths = [...BROWSER_PATHS];
  const libraries = "/servers/:id/libraries";
  const form = express.urlencoded({ extended: false, limit: "4kb", parameterLimit: 10 });

  // As many libraries as one sign-in may authorize, each with a long name.
  const selection = express.urlencoded({ extended: false, limit: "256kb", parameterLimit: 1_000 });

  router.use(paths, ...pageHeaders);

  router.get("/connect/start/:start", onlyVisits, getConnectStart(deps));
  router.get("/oauth2/callback/:registration", onlyVisits, getOauth2Callback(deps));
  router.get("/connect/result/:session", getConnectResult(deps));
  router.get("/connect/error/:code", getConnectError(deps));

  router.get(libraries, getLibraries(deps));
  router.post(`${libraries}/sign-in`, form, postSignIn(deps));
  router.post(`${libraries}/sign-out`, form, postSignOut(deps));
  router.post(`${libraries}/calendar`, form, postCalendar(deps));
  router.post(`${libraries}/calendar/revoke`, form, postRevokeCalendar(deps));
  router.post(`${libraries}/authorize-selected`, selection, postAuthorizeSelected(deps));
  const answered = ["sign-in", "sign-out", "calendar", "calendar/revoke", "authorize-selected"];
  router.get(
    answered.map((way) => `${libraries}/${way}`),
    toLibraries,
  );
  router.get(`${libraries}/:library/details`, getLibrary(deps));
  router.get(`${libraries}/:library/authorize`, getAuthorizeLibrary(deps));
  router.post(`${libraries}/:library/authorize`, form, postAuthorizeLibrary(deps));
  router.get(`${libraries}/:library/withdraw`, getWithdrawLibrary(deps));
  router.post(`${libraries}/:library/withdraw`, form, postWithdrawLibrary(deps));

  router.get("/calendars/:file", getCalendar(deps));

  router.get("/portal/open/:link", onlyVisits, getPortalOpen(deps));
  router.post("/portal/leave", form, postPortalLeave(deps));
  router.get("/portal/leave", toMyIntegrations);
  router.get("/my-integrations", getMyIntegrations(deps));
  router.post("/my-integrations/:server/authorize", form, postAuthorizeServer(deps));
  router.get("/my-integrations/:server/authorize", toMyIntegrations);
  for (const way of ["disconnect", "applications/:client"]) {
    router.get(`/my-integrations/:server/${way}`, getSwitchOff(deps));
    router.post(`/my-integrations/:server/${way}`, form, postSwitchOff(deps));
  }

  router.get(LOGO_ADDRESS, getLogo(deps));

  router.get("/operators", getOperators(deps));
  router.post("/operators/sign-in", form, postOperatorSignIn(deps));
  router.get("/operators/callback", onlyVisits, getOperatorCallback(deps));
  router.post("/operators/sign-out", form, postOperatorSignOut(deps));
  const containments = "/operators/containments";
  const containing = express.urlencoded({ extended: false, limit: "8kb", parameterLimit: 20 });
  router.get(containments, getContainmentsPage(deps));
  router.get(`${containments}/new`, getNewContainment(deps));
  router.post(`${containments}/new`, containing, postNewContainment(deps));
  router.get(`${containments}/:containment`, getContainmentPage(deps));
  router.get(`${containments}/:containment/reauthorizations.csv`, getReauthorizationsCsv(deps));
  router.post(`${containments}/:containment/lift`, form, postLiftContainment(deps));

  const listed = express.urlencoded({ extended: false, limit: "256kb", parameterLimit: 10 });
  for (const home of SETTINGS_HOMES) {
    const server = `${home}/servers/:server` as const;
    router.get(home, getSettings(deps));
    router.get(`${home}/access`, getSettingsAccess(deps));
    router.post(`${home}/access`, listed, postSettingsAccess(deps));
    router.get(`${home}/audit`, getSettingsAudit(deps));
    router.get(`${home}/grants/:grant`, getSettingsTimeline(deps));
    router.get(`${home}/new-server`, getNewServer(deps));
    router.post(`${home}/new-server`, form, postNewServer(deps));
    router.get(server, getSettingsServer(deps));
    router.post(server, form, postSettingsServer(deps));
    router.get(`${server}/package/:kind`, getServerPackage(deps));
    router.get(`${server}/authorities`, getServerAuthorities(deps));
    router.post(`${server}/authorities`, listed, postServerAuthorities(deps));
    router.get(`${server}/diagnosis`, getServerDiagnosis(deps));
    router.post(`${server}/diagnosis`, form, postServerDiagnosis(deps));
    router.get(`${server}/support-bundle`, getServerBundle(deps));
  }

  router.use(paths, notFoundPage(deps));
  // Not mounted at a path: the request's line would have that in front of the route that failed.
  router.use(errorHandler(deps));
  return router;
}

const toMyIntegrations: RequestHandler = (_request, response) => seeOther(response, "/my-integrations");

/** Somebody reloaded, or went back to, what a form had answered. */
const toLibraries: RequestHandler = (request, response) =>
  seeOther(response, `/servers/${encodeURIComponent(String(request.params.id))}/libraries`);
