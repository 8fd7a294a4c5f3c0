import type { Request, RequestHandler, Response } from "express";
import {
  beginOperatorSignIn,
  findOperator,
  finishOperatorSignIn,
  type SignedInOperator,
  signOutOperator,
} from "../broker/operators/operator-sign-in.ts";
import { type ClosedServerTold, describeClosedServer } from "../domain/closed-server.ts";
import { maySee } from "../domain/operator.ts";
import type { Organisation } from "../domain/organisation.ts";
import type { Server } from "../domain/server.ts";
import {
  clearCookie,
  operatorCookie,
  operatorSignInCookie,
  readCookie,
  setOperatorCookie,
  setOperatorSignInCookie,
} from "./cookies.ts";
import { errorAddress, problemOf, sendNotFound } from "./error-page.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { type Html, html } from "./html.ts";
import { layout } from "./layout.ts";
import { operatorCard } from "./operator-card.ts";
import type { PageDeps } from "./page-deps.ts";
import { readForm, sentFromHere } from "./page-session.ts";
import { queryValue } from "./query.ts";
import { seeOther, sendPage } from "./send-page.ts";
import { statusIcon } from "./status-icon.ts";
import { en } from "./texts.en.ts";

const texts = en.operators;
const HOME = "/operators";

/**
 * `GET /operators`: who is signed in and what is his here, or the way in.
 * @param home what he finds: on the public listener the organisations that he may see
 */
export function getOperators(
  deps: PageDeps,
  home: (deps: PageDeps, operator: SignedInOperator) => Html | Promise<Html> = overview,
): RequestHandler {
  return async (request, response) => {
    // Nobody set a provider up: then there is nothing here, and no button that leads nowhere.
    if (deps.operators.provider === undefined) return sendNotFound(deps, response);
    const operator = await findOperator(deps.operators, readCookie(request, operatorCookie(deps.settings)));
    const main =
      operator === undefined
        ? signInCard(queryValue(request, "signed-out") === "")
        : await home(deps, operator);
    sendPage(response, 200, layout(deps.settings, { title: texts.title, main }));
  };
}

/** `POST /operators/sign-in`: the firm's identity provider says who it is. */
export function postOperatorSignIn(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    if (!sentFromHere(request, deps.settings.publicBaseUrl))
      return sendPage(response, 403, formOutdatedPage(deps.settings, HOME));
    const { redirectTo, cookie } = await beginOperatorSignIn(deps.operators);
    setOperatorSignInCookie(response, deps.settings, cookie);
    // As everywhere: a POST that redirects to another site is stopped by form-action, a link is not.
    sendPage(response, 200, leaving(deps, redirectTo));
  };
}

/** `GET /operators/callback`. The answer is a 303, so that neither code nor state stays in the address bar (T08). */
export function getOperatorCallback(deps: PageDeps): RequestHandler {
  return async (request, response) => {
    const begun = operatorSignInCookie(deps.settings);
    const cookie = readCookie(request, begun);
    clearCookie(response, deps.settings, begun);
    const callback = new URL(request.originalUrl, deps.settings.publicBaseUrl);
    try {
      const signedIn = await finishOperatorSignIn(deps.operators, callback, cookie);
      await signOutOperator(deps.operators, readCookie(request, operatorCookie(deps.settings)));
      setOperatorCookie(response, deps.settings, signedIn.cookie);
      seeOther(response, HOME);
    } catch (error) {
      const { code } = problemOf(deps, response, error);
      seeOther(response, errorAddress(code, undefined, deps.requestIdOf(response)));
    }
  };
}

/** `POST /operators/sign-out` */
export function postOperatorSignOut(deps: PageDeps): RequestHandler {
  return async (request: Request, response: Response) => {
    const name = operatorCookie(deps.settings);
    const cookie = readCookie(request, name);
    const operator = await findOperator(deps.operators, cookie);
    if (operator !== undefined && readForm(request, operator) === undefined)
      return sendPage(response, 403, formOutdatedPage(deps.settings, HOME));
    await signOutOperator(deps.operators, cookie);
    clearCookie(response, deps.settings, name);
    seeOther(response, `${HOME}?signed-out=`);
  };
}

const signInCard = (left: boolean): Html => html`<h1>${texts.title}</h1>
${left && html`<p class="card note good" role="status"><span class="status good">${statusIcon("good")}</span> ${texts.signedOut}</p>`}
<p class="lead">${texts.lead}</p>
<form method="post" action="/operators/sign-in"><button class="button" type="submit">${texts.signIn}</button></form>`;

const leaving = (deps: PageDeps, to: string): Html =>
  layout(deps.settings, {
    title: texts.leaving,
    main: html`<h1>${texts.leaving}</h1>
<p class="lead">${texts.leavingTo(new URL(to).host)}</p>
<p><a class="button" rel="noreferrer" href="${to}">${texts.goOn}</a></p>`,
  });

interface Row {
  readonly organisation: Organisation;
  readonly servers: readonly { readonly server: Server; readonly closed: ClosedServerTold | undefined }[];
}

async function overview(deps: PageDeps, operator: SignedInOperator): Promise<Html> {
  const { session } = operator;
  const { organisations, gates } = deps.operatorViews;
  const seen = (await organisations.listOrganisations()).filter(({ name }) => maySee(session, name));
  const now = deps.operators.clock.now();
  const rows: Row[] = await Promise.all(
    seen.map(async (organisation) => ({
      organisation,
      servers: await Promise.all(
        (await organisations.listServers(organisation.id)).map(async (server) => {
          const gate = await gates.findClosedGate(server.id);
          return { server, closed: gate && describeClosedServer(gate, now) };
        }),
      ),
    })),
  );
  return html`<h1>${texts.title}</h1>
${operatorCard(operator)}
<p><a class="button plain" href="/operators/containments">${en.containments.link}</a></p>
${rows.length === 0 ? html`<section class="card note warn"><p>${texts.none}</p></section>` : rows.map(card)}`;
}

const card = ({ organisation, servers }: Row): Html => html`<section class="card">
<h2><bdi>${organisation.displayName}</bdi></h2>
<p class="quiet">${organisation.enabled ? texts.enabled : texts.disabled}</p>
<p><a class="button plain" href="/operators/${organisation.id}/settings">${texts.settings}<span class="hidden"> ${organisation.displayName}</span></a></p>
${servers.map(
  ({ server, closed }) => html`<h3><bdi>${server.displayName}</bdi></h3>
<p><bdi>${server.endpoints.apiBaseUrl}</bdi> · <a href="/servers/${server.id}/libraries">${texts.libraries}</a></p>
${closed && html`<p class="note warn">${closed.sentence}</p>`}`,
)}
</section>`;
