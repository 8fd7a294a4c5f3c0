import type { RequestHandler } from "express";
import { startAuthorizeLibraries } from "../broker/libraries/authorize-libraries.ts";
import { listLibraryViews, type SignedIn } from "../broker/libraries/library-pages.ts";
import type { LibraryView } from "../broker/libraries/library-view.ts";
import { days } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { sendNotFound } from "./error-page.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { libraryName } from "./get-libraries.ts";
import { type Html, html } from "./html.ts";
import { layout } from "./layout.ts";
import { leaveForImanage } from "./leave-for-imanage.ts";
import type { PageDeps, PageSettings } from "./page-deps.ts";
import { librariesAddress, readForm, signedInVisit } from "./page-session.ts";
import { sendPage } from "./send-page.ts";
import { en } from "./texts.en.ts";

const texts = en.authorizeLibrary;

interface Params {
  readonly id: string;
  readonly library: string;
  [name: string]: string;
}

/** `GET /servers/:id/libraries/:library/authorize`: the form with the e-mail id. */
export function getAuthorizeLibrary(deps: PageDeps): RequestHandler<Params> {
  return async (request, response) => {
    const signedIn = await signedInVisit(deps, request, response);
    if (signedIn === undefined) return;
    const row = await findRow(deps, signedIn, request.params.library);
    if (row === undefined) return sendNotFound(deps, response);
    sendPage(response, 200, authorizePage(deps.settings, signedIn, row));
  };
}

/** `POST` there: *Use my credentials & authorize*. */
export function postAuthorizeLibrary(deps: PageDeps): RequestHandler<Params> {
  return async (request, response) => {
    const signedIn = await signedInVisit(deps, request, response);
    if (signedIn === undefined) return;
    const form = readForm(request, signedIn);
    if (form === undefined)
      return sendPage(response, 403, formOutdatedPage(deps.settings, librariesAddress(signedIn.server)));
    const row = await findRow(deps, signedIn, request.params.library);
    if (row === undefined) return sendNotFound(deps, response);

    const email = form.email ?? "";
    const refuse = (fault: string) =>
      sendPage(response, 422, authorizePage(deps.settings, signedIn, row, { email, fault }));
    if (email.trim() === "") return refuse(texts.emailMissing);
    try {
      const started = await startAuthorizeLibraries(deps.libraries, signedIn, {
        libraries: [row.library],
        email,
        replaces: form.replaces === undefined ? [] : [form.replaces],
      });
      leaveForImanage(deps, response, started, librariesAddress(signedIn.server));
    } catch (error) {
      if (!(error instanceof Problem && error.code === "upstream_user_mismatch")) throw error;
      const { user } = signedIn.session;
      refuse(texts.emailMismatch(user.name ?? user.userId));
    }
  };
}

/** Only a library that is on his list: an address alone makes no page speak of another. */
export async function findRow(
  deps: PageDeps,
  signedIn: SignedIn,
  library: string,
): Promise<LibraryView | undefined> {
  const rows = await listLibraryViews(deps.libraries, signedIn);
  return rows.find((row) => row.library === library);
}

function authorizePage(
  settings: PageSettings,
  { server, session, formToken }: SignedIn,
  row: LibraryView,
  refused?: { readonly email: string; readonly fault: string },
): Html {
  const name = libraryName(row);
  const title = texts.title(name);
  const lasts = Math.floor(server.settings.refreshTokenLifeMs / days(1));
  const { lentBy } = row;
  const replaces =
    lentBy !== undefined && lentBy.userId.toLowerCase() !== session.user.userId.toLowerCase()
      ? lentBy
      : undefined;
  return layout(settings, {
    title: refused === undefined ? title : `${texts.error}: ${title}`,
    main: html`<h1>${title}</h1>
<p class="lead">${texts.lead(name)}</p>
<p>${texts.lasts(lasts)}</p>
${replaces !== undefined && html`<p>${texts.replaces(replaces.name ?? replaces.userId)}</p>`}
<form class="card" method="post" action="/servers/${server.id}/libraries/${row.library}/authorize">
<input type="hidden" name="csrf" value="${formToken}">
${replaces !== undefined && html`<input type="hidden" name="replaces" value="${replaces.userId}">`}
<label for="email">${texts.email}</label>
<p class="hint" id="email-hint">${texts.emailHint}</p>
<div id="email-fault" role="alert">${refused !== undefined && html`<p class="fault">${texts.error}: ${refused.fault}</p>`}</div>
<input type="text" id="email" name="email" value="${refused?.email}" maxlength="254" autocomplete="username" autocapitalize="none" spellcheck="false" inputmode="email" aria-required="true" aria-describedby="email-hint email-fault" aria-invalid="${refused === undefined ? "false" : "true"}">
<p class="actions"><button class="button" type="submit">${texts.button}</button>
<a class="button plain" href="${librariesAddress(server)}">${texts.cancel}</a></p>
</form>`,
  });
}
