import type { RequestHandler } from "express";
import { withQuery } from "../broker/authorization/receive-callback.ts";
import { completionWindowMs, timing } from "../domain/access-policy.ts";
import type { Client } from "../domain/client.ts";
import type { ConnectSession } from "../domain/connect-session.ts";
import { parseId } from "../domain/id.ts";
import type { Instant } from "../domain/instant.ts";
import type { ProblemCode } from "../domain/problem-catalogue.ts";
import type { Server } from "../domain/server.ts";
import { sendNotFound } from "./error-page.ts";
import { type Html, html } from "./html.ts";
import { layout } from "./layout.ts";
import type { PageDeps, PageSettings } from "./page-deps.ts";
import { problemPanel } from "./problem-panel.ts";
import { remedyFacts, remedyFor } from "./remedy.ts";
import { sendPage } from "./send-page.ts";
import { en } from "./texts.en.ts";

/**
 * `GET /connect/result/:session`: how a sign-in ended, in words. It names the application and the server and never the
 * person: whoever has the address sees it.
 */
export function getConnectResult(deps: PageDeps): RequestHandler<{ session: string }> {
  return async (request, response) => {
    const ports = deps.authorization;
    const id = parseId("cns", request.params.session);
    const session = id && (await ports.authorizations.findConnectSession(id));
    if (session === undefined) return sendNotFound(deps, response);
    const [client, server] = await Promise.all([
      ports.clients.findClient(session.client),
      ports.servers.findServer(session.server),
    ]);
    const state = stateOf(session, server, ports.clock.now());
    sendPage(response, 200, resultPage(deps.settings, { session, client, server, state }));
  };
}

type Shown =
  | { readonly is: "connected" | "waiting" | "started" | "over" }
  | { readonly is: "failed"; readonly code: ProblemCode };

/** A state that nobody moved on for too long has failed too; the record is not asked to know that. */
function stateOf(session: ConnectSession, server: Server | undefined, now: Instant): Shown {
  switch (session.state) {
    case "connected":
      return { is: "connected" };
    case "failed":
      return { is: "failed", code: session.problem ?? "internal_error" };
    case "created":
    case "started":
      return { is: session.expiresAt <= now ? "over" : "started" };
    case "returned": {
      // The application may have come in time and still be redeeming: iManage has a minute for that.
      const windowMs =
        session.windowMs ?? (server === undefined ? 0 : completionWindowMs(server.settings.codeLifeMs));
      const lateAt = (session.returnedAt ?? session.createdAt) + windowMs + timing.providerDeadlineMs;
      return now < lateAt ? { is: "waiting" } : { is: "failed", code: "completed_too_late" };
    }
  }
}

interface Result {
  readonly session: ConnectSession;
  readonly client: Client | undefined;
  readonly server: Server | undefined;
  readonly state: Shown;
}

function resultPage(settings: PageSettings, result: Result): Html {
  const { session, client, server, state } = result;
  const texts = en.result;
  const application = client?.displayName ?? texts.unknownApplication;
  const link = returnLink(result, application);
  // Began on a page of ours, so that page is a way back too; whoever is no longer its visitor is told so there.
  const portal =
    session.portal !== undefined &&
    html`<a class="button plain" href="/my-integrations">${en.myIntegrations.backHere}</a>`;
  const simple = (title: string, body: string, kind: "good" | "warn" | "") =>
    layout(settings, {
      title,
      main: html`<h1>${title}</h1>
<section class="card note ${kind}"><p class="lead">${body}</p>
<p class="actions">${link}
${(state.is === "waiting" || state.is === "started") && html`<a class="button plain" href="/connect/result/${session.id}">${texts.checkAgain}</a>`}${portal}</p></section>
${state.is === "connected" && html`<p class="quiet">${texts.close}</p>`}`,
    });
  switch (state.is) {
    case "connected":
      return simple(
        texts.connected.title,
        texts.connected.body(application, server?.displayName ?? "iManage"),
        "good",
      );
    case "waiting":
      return simple(texts.waiting.title(application), texts.waiting.body(application), "");
    case "started":
      return simple(texts.started.title, texts.started.body, "");
    case "over":
      return simple(texts.over.title, texts.over.body(application), "warn");
    case "failed": {
      const remedy = remedyFor(state.code, remedyFacts(settings, server, application));
      return layout(settings, {
        title: remedy.title,
        main: html`<h1>${remedy.title}</h1>
<p class="lead">${texts.failedLead(application, server?.displayName ?? "iManage")}</p>
${problemPanel(settings, remedy, session.id, html`<p class="actions">${link}${portal}</p>`)}`,
      });
    }
  }
}

/** Back to the URL the client registered, and to none that it no longer registers (T06). */
function returnLink({ session, client, state }: Result, application: string): Html | undefined {
  if (client?.returnUrls.includes(session.returnUrl) !== true) return undefined;
  const address = withQuery(session.returnUrl, {
    connect_session: session.id,
    ...(state.is === "failed" ? { error: state.code } : {}),
  });
  return html`<a class="button" href="${address}">${en.result.back(application)}</a>`;
}
