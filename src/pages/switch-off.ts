import type { Request, RequestHandler, Response } from "express";
import {
  authorizeServer,
  findIntegration,
  type Integration,
  switchOff,
} from "../broker/portal/my-integrations.ts";
import type { Visitor } from "../broker/portal/visit-portal.ts";
import { type ClientId, parseId } from "../domain/id.ts";
import { sendNotFound } from "./error-page.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { applicationName } from "./get-my-integrations.ts";
import { type Html, html } from "./html.ts";
import { leaveForImanage } from "./leave-for-imanage.ts";
import type { PageDeps } from "./page-deps.ts";
import { auditNote, readForm } from "./page-session.ts";
import { addressOf, portalPage, visitorOn } from "./portal-visit.ts";
import { seeOther, sendPage } from "./send-page.ts";
import { en } from "./texts.en.ts";

const HOME = addressOf("my-integrations");

interface Params {
  readonly server: string;
  [name: string]: string;
}

/** A visitor at one server of his. */
interface At {
  readonly visitor: Visitor;
  readonly integration: Integration;
}

/** `POST /my-integrations/:server/authorize`: leaves for iManage. */
export function postAuthorizeServer(deps: PageDeps): RequestHandler<Params> {
  return async (request, response) => {
    const at = await formAt(deps, request, response);
    if (at === undefined) return;
    const started = await authorizeServer(deps.portal, at.visitor, at.integration.server.id);
    leaveForImanage(deps, response, started, HOME);
  };
}

/** `GET /my-integrations/:server/disconnect`, and `…/applications/:client`: asked once more, since something stops. */
export function getSwitchOff(deps: PageDeps): RequestHandler<Params> {
  return async (request, response) => {
    const at = await visitAt(deps, request, response);
    if (at === undefined) return;
    const client = clientOf(at, request.params);
    if (client === undefined) return sendNotFound(deps, response);
    // Gone meanwhile: the page shows that it is so.
    if (!uses(at, client)) return seeOther(response, HOME);
    sendPage(response, 200, confirmPage(deps, at, client));
  };
}

/** `POST` there. What is off already is no fault: the page then shows that it is so. */
export function postSwitchOff(deps: PageDeps): RequestHandler<Params> {
  return async (request, response) => {
    const at = await formAt(deps, request, response);
    if (at === undefined) return;
    const client = clientOf(at, request.params);
    if (client === undefined) return sendNotFound(deps, response);
    await switchOff(deps.portal, at.visitor, at.integration, client, auditNote(deps, request, response));
    const { server } = at.integration;
    const told =
      client === at.visitor.client.id ? `?${new URLSearchParams({ disconnected: server.id })}` : "";
    seeOther(response, `${HOME}${told}`);
  };
}

/** The visitor at the server that the address names; undefined where it is none of his, and that has been answered. */
async function visitAt(
  deps: PageDeps,
  request: Request<Params>,
  response: Response,
): Promise<At | undefined> {
  const visitor = await visitorOn(deps, "my-integrations", request, response);
  const id = parseId("srv", request.params.server);
  const integration = id && (await findIntegration(deps.portal, visitor, id));
  if (integration === undefined) {
    sendNotFound(deps, response);
    return undefined;
  }
  response.locals.server = integration.server;
  return { visitor, integration };
}

async function formAt(deps: PageDeps, request: Request<Params>, response: Response): Promise<At | undefined> {
  const at = await visitAt(deps, request, response);
  if (at === undefined || readForm(request, at.visitor) !== undefined) return at;
  sendPage(response, 403, formOutdatedPage(deps.settings, HOME));
  return undefined;
}

/** Without a client in the address it is the one he came from. */
const clientOf = ({ visitor }: At, { client }: Params): ClientId | undefined =>
  client === undefined ? visitor.client.id : parseId("cli", client);

const uses = ({ integration }: At, client: ClientId): boolean =>
  integration.authorization?.applications.some((application) => application.client === client) === true;

function confirmPage(deps: PageDeps, { visitor, integration }: At, client: ClientId): Html {
  const { server } = integration;
  const { applications, libraries } = integration.authorization!;
  const own = client === visitor.client.id;
  const name = applicationName(applications.find((application) => application.client === client)!);
  const { title, lead, button } = own
    ? {
        ...en.disconnectServer,
        title: en.disconnectServer.title(server.displayName),
        lead: en.disconnectServer.lead(name, server.displayName),
      }
    : {
        ...en.switchOffApplication,
        title: en.switchOffApplication.title(name),
        lead: en.switchOffApplication.lead(name, server.displayName),
      };
  const others = [
    ...applications.filter((application) => application.client !== client).map(applicationName),
    ...libraries.map(en.myIntegrations.library),
  ];
  const action = own ? "disconnect" : `applications/${client}`;
  return portalPage(deps.settings, visitor, "my-integrations", {
    title,
    main: html`<h1>${title}</h1>
<p class="lead">${lead}</p>
<p>${others.length === 0 ? en.disconnectServer.last : en.disconnectServer.others(others)}</p>
<form method="post" action="${`${HOME}/${server.id}/${action}`}">
<input type="hidden" name="csrf" value="${visitor.formToken}">
<p class="actions"><button class="button danger" type="submit">${button}</button>
<a class="button plain" href="${HOME}">${en.disconnectServer.cancel}</a></p>
</form>`,
  });
}
