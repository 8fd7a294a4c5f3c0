import type { RequestHandler, Response } from "express";
import { API_INTERVAL_MS, beginDiagnosis, type DiagnosisEvent } from "../broker/diagnosis/diagnose-server.ts";
import { supportBundle } from "../broker/diagnosis/support-bundle.ts";
import { bundleBody } from "../broker/diagnosis/tell-diagnosis.ts";
import { hasOwnAuthorities, type ServerView } from "../broker/portal/settings.ts";
import { diagnosisSteps, type Finding } from "../domain/diagnosis.ts";
import { Problem } from "../domain/problem.ts";
import { problemOf } from "./error-page.ts";
import { sinceCard, stepAfter, stepItem, stoppedItem, verdictCard, workingItem } from "./finding.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { type Html, html, partsOf, REST } from "./html.ts";
import type { PageDeps, PageSettings } from "./page-deps.ts";
import { isOurForm } from "./page-session.ts";
import { problemPanel } from "./problem-panel.ts";
import { remedyFacts, remedyFor } from "./remedy.ts";
import { sendPage } from "./send-page.ts";
import { noteChange } from "./settings-review.ts";
import {
  authoritiesAddress,
  diagnosisAddress,
  type ServerAt,
  type ServerParams,
  serverAddress,
  viewAt,
} from "./settings-server.ts";
import { en } from "./texts.en.ts";

const texts = en.diagnosis;

/** `GET …/servers/:server/diagnosis`: what the last check found. Looking at it asks nothing of iManage. */
export function getServerDiagnosis(deps: PageDeps): RequestHandler<ServerParams> {
  return async (request, response) => {
    const at = await viewAt(deps, request, response);
    if (at !== undefined) sendPage(response, 200, keptPage(deps, at));
  };
}

/** `POST` there: checks it. The page is written while the check goes on, a step at a time. */
export function postServerDiagnosis(deps: PageDeps): RequestHandler<ServerParams> {
  return async (request, response) => {
    const at = await viewAt(deps, request, response);
    if (at === undefined) return;
    const { visit, view } = at;
    if (!isOurForm(request, visit))
      return sendPage(response, 403, formOutdatedPage(deps.settings, diagnosisAddress(at)));
    const begun = await begin(deps, view, deps.requestIdOf(response));
    if (begun instanceof Problem) {
      const { code, details } = begun;
      const seconds = Math.max(1, Math.ceil((details.retryAfterMs ?? API_INTERVAL_MS) / 1_000));
      response.set("Retry-After", String(seconds));
      const notice =
        code === "diagnosed_recently"
          ? html`<p class="card note warn" role="alert">${texts.tooSoon(seconds)}</p>`
          : html`<section class="card note warn" role="alert"><p>${texts.alreadyRunning}</p>
<p class="actions"><a class="button plain" href="${diagnosisAddress(at)}">${texts.look}</a></p></section>`;
      return sendPage(response, 429, keptPage(deps, at, notice));
    }
    noteChange(deps, visit, response, `check of ${view.server.id}`, "asked");
    await tellAsItComes(deps, at, response, begun);
  };
}

/** `GET …/servers/:server/support-bundle`, as a file. */
export function getServerBundle(deps: PageDeps): RequestHandler<ServerParams> {
  return async (request, response) => {
    const at = await viewAt(deps, request, response);
    if (at === undefined) return;
    const bundle = bundleBody(await supportBundle(deps.diagnosis, at.view.server.id), {
      requestId: deps.requestIdOf(response),
      support: deps.settings.supportContact,
    });
    response.set({
      "Content-Type": "application/json; charset=utf-8",
      "Content-Disposition": `attachment; filename="support-bundle-${at.view.server.id}.json"`,
    });
    response.status(200).end(`${JSON.stringify(bundle, undefined, 2)}\n`);
  };
}

async function begin(
  { diagnosis }: PageDeps,
  { server }: ServerView,
  requestId: string,
): Promise<AsyncGenerator<DiagnosisEvent> | Problem> {
  try {
    const asked = { server: server.id, requestId, minIntervalMs: API_INTERVAL_MS };
    return await beginDiagnosis(diagnosis, asked);
  } catch (error) {
    if (error instanceof Problem && PATIENCE.has(error.code)) return error;
    throw error;
  }
}

const PATIENCE: ReadonlySet<string> = new Set(["diagnosed_recently", "diagnosis_running"]);

/**
 * The frame first, then each step as it is known. Whoever goes away ends nothing: the diagnosis has something to keep at
 * its end.
 */
async function tellAsItComes(
  deps: PageDeps,
  at: ServerAt,
  response: Response,
  events: AsyncGenerator<DiagnosisEvent>,
): Promise<void> {
  const { visit, view } = at;
  const title = texts.running(view.server.displayName);
  const [head = "", between = "", tail = ""] = partsOf(
    visit.page({
      title,
      main: html`<h1>${title}</h1>
<p class="lead">${texts.lead}</p>
<p>${texts.wait}</p>
<section class="card" aria-labelledby="steps"><h2 id="steps">${texts.steps}</h2>
<ol class="steps">${REST}</ol></section>
${REST}
${supportCard(deps.settings, at)}
${backTo(at)}`,
    }),
  );
  const write = (text: Html | string): void => {
    if (!response.destroyed) response.write(String(text));
  };
  // A proxy that buffers would tell all at once at the end.
  response.status(200).set({ "Content-Type": "text/html; charset=utf-8", "X-Accel-Buffering": "no" });
  write(head);
  write(workingItem(diagnosisSteps[0]));
  let rest: Html | undefined;
  try {
    for await (const event of events) {
      if ("finding" in event) {
        const next = stepAfter(event.finding.step);
        write(
          html`${stepItem(event.finding, mendOf(at, event.finding))}${next !== undefined && workingItem(next)}`,
        );
      } else {
        rest = html`${verdictCard(event.diagnosis, deps.portal.clock.now(), diagnosisAddress(at))}${sinceCard(event.diagnosis)}
<p>${texts.toResult}</p>
<p class="actions"><a class="button" href="${diagnosisAddress(at)}">${texts.result}</a></p>`;
      }
    }
  } catch (error) {
    const { code } = problemOf(deps, response, error);
    const remedy = remedyFor(code, remedyFacts(deps.settings, view.server));
    write(stoppedItem());
    rest = problemPanel(deps.settings, remedy, deps.requestIdOf(response));
  }
  write(between);
  if (rest !== undefined) write(rest);
  response.end(tail);
}

function keptPage(deps: PageDeps, at: ServerAt, notice?: Html): Html {
  const { visit, view } = at;
  const { diagnosis, server } = view;
  const title = texts.title(server.displayName);
  const changedSince =
    diagnosis !== undefined && diagnosis.configurationGeneration !== server.configurationGeneration;
  return visit.page({
    title,
    main: html`<h1>${title}</h1>
<p class="lead">${texts.lead}</p>
${notice}
${diagnosis === undefined ? html`<p class="card note">${texts.none}</p>` : verdictCard(diagnosis, deps.portal.clock.now(), diagnosisAddress(at))}
${changedSince && html`<p class="card note warn">${texts.otherConfiguration}</p>`}
${checkForm(at)}
${
  diagnosis !== undefined &&
  html`${sinceCard(diagnosis)}
<section class="card" aria-labelledby="steps"><h2 id="steps">${texts.steps}</h2>
<ol class="steps">${diagnosis.findings.map((finding) => stepItem(finding, mendOf(at, finding)))}</ol></section>`
}
${supportCard(deps.settings, at)}
${backTo(at)}`,
  });
}

/** The remedy of a certificate that is not believed names the field of a page here. */
const mendOf = (at: ServerAt, { cause }: Finding) =>
  AUTHORITY_MISSING.has(cause) && at.visit.mayChange && hasOwnAuthorities(at.view)
    ? {
        href: `${authoritiesAddress(at)}#ca_certificates`,
        label: en.settings.authorities.title(at.view.server.displayName),
      }
    : undefined;

const AUTHORITY_MISSING: ReadonlySet<string> = new Set<Finding["cause"]>([
  "tls.unknown_root",
  "tls.missing_intermediate",
]);

const checkForm = (at: ServerAt): Html =>
  html`<section class="card"><p>${texts.wait}</p>
<form method="post" action="${diagnosisAddress(at)}">
<input type="hidden" name="csrf" value="${at.visit.formToken}">
<p class="actions"><button class="button" type="submit">${at.view.diagnosis === undefined ? texts.check : texts.checkAgain}</button>
<span class="quiet">${texts.limit}</span></p>
</form></section>`;

const supportCard = (settings: PageSettings, at: ServerAt): Html =>
  html`<section class="card" aria-labelledby="support"><h2 id="support">${texts.support.title}</h2>
<p>${texts.support.contact(settings.supportContact)}</p>
<p class="quiet">${texts.support.note}</p>
<p class="actions"><a class="button plain" href="${serverAddress(at)}/support-bundle" download>${texts.support.download}</a></p>
</section>`;

const backTo = ({ visit }: ServerAt): Html =>
  html`<p class="actions"><a class="button plain" href="${visit.home}">${en.settings.back}</a></p>`;
