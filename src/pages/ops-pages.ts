import express, { type Request, type Response, Router } from "express";
import { findOperator, type SignedInOperator } from "../broker/operators/operator-sign-in.ts";
import { mayActOnQueues, maySeeQueues } from "../domain/operator.ts";
import { operatorCookie, readCookie, setQueuesToken } from "./cookies.ts";
import { errorHandler, getConnectError } from "./error-page.ts";
import { getLogo, LOGO_ADDRESS } from "./get-logo.ts";
import { type Html, html } from "./html.ts";
import { onlyVisits } from "./only-visits.ts";
import { operatorCard } from "./operator-card.ts";
import { getOperatorCallback, getOperators, postOperatorSignIn, postOperatorSignOut } from "./operators.ts";
import type { PageDeps } from "./page-deps.ts";
import { pageHeaders } from "./page-headers.ts";
import { sentByScript } from "./page-session.ts";
import { seeOther } from "./send-page.ts";
import { en } from "./texts.en.ts";

const texts = en.operators.ops;

/**
 * The operators' sign-in as the ops listener has it: the same pages, at another address and so with sessions of their own.
 * @param overview address of the operators' pages on the public listener
 */
export function buildOpsPages(deps: PageDeps, overview: string): Router {
  const router = Router();
  const form = express.urlencoded({ extended: false, limit: "4kb", parameterLimit: 10 });
  const paths = ["/operators", "/connect/error", LOGO_ADDRESS];

  router.use(paths, ...pageHeaders);
  router.get("/", (_request, response) => seeOther(response, "/operators"));
  router.get(
    "/operators",
    getOperators(deps, (_deps, operator) => home(operator, overview)),
  );
  router.post("/operators/sign-in", form, postOperatorSignIn(deps));
  router.get("/operators/callback", onlyVisits, getOperatorCallback(deps));
  router.post("/operators/sign-out", form, postOperatorSignOut(deps));
  router.get("/connect/error/:code", getConnectError(deps));
  router.get(LOGO_ADDRESS, getLogo(deps));
  router.use(paths, errorHandler(deps));
  return router;
}

/** Who is at the ops listener, for what there is no page. */
export const opsVisitors = (deps: PageDeps) => ({
  find: (request: Request): Promise<SignedInOperator | undefined> =>
    findOperator(deps.operators, readCookie(request, operatorCookie(deps.settings))),
  sentByHim: (request: Request, operator: SignedInOperator): boolean =>
    sentByScript(request, operator, deps.settings.publicBaseUrl),
  showToken: (response: Response, operator: SignedInOperator): void =>
    setQueuesToken(response, deps.settings, operator.formToken),
});

function home(operator: SignedInOperator, overview: string): Html {
  const { session } = operator;
  const seen = maySeeQueues(session)
    ? html`<section class="card">
<h2><a href="/queues/">${texts.queues}</a></h2><p>${mayActOnQueues(session) ? texts.queuesLead.acts : texts.queuesLead.looks}</p>
<h2><a href="/readyz">${texts.readiness}</a></h2><p>${texts.readinessLead}</p>
<h2><a href="/metrics">${texts.metrics}</a></h2><p>${texts.metricsLead}</p>
</section>`
    : html`<section class="card note"><p>${texts.notForSupport} <a href="${overview}">${overview}</a>.</p></section>`;
  return html`<h1>${texts.title}</h1>
${operatorCard(operator)}
${seen}`;
}
