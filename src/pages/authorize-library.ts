import type { RequestHandler } from "express";
import { startAuthorizeLibraries } from "../broker/libraries/authorize-libraries.ts";
import type { SignedIn } from "../broker/libraries/library-pages.ts";
import type { LibraryView } from "../broker/libraries/library-view.ts";
import { days } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { librariesAddress, libraryAddress } from "./addresses.ts";
import { anotherOwnerPage } from "./another-owner.ts";
import { sendNotFound } from "./error-page.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { type Html, html } from "./html.ts";
import { layout } from "./layout.ts";
import { leaveForImanage } from "./leave-for-imanage.ts";
import { libraryName, mayAuthorize, ownerToReplace, ownerWords } from "./library-parts.ts";
import { findRow, type LibraryParams, libraryVisit } from "./library-visit.ts";
import type { PageDeps, PageSettings } from "./page-deps.ts";
import { readForm, signedInVisit } from "./page-session.ts";
import { sendPage } from "./send-page.ts";
import { en } from "./texts.en.ts";

const texts = en.authorizeLibrary;

/** `GET /servers/:id/libraries/:library/authorize`: the form with the e-mail id; where another lent it, to take his place. */
export function getAuthorizeLibrary(deps: PageDeps): RequestHandler<LibraryParams> {
  return async (request, response) => {
    const at = await libraryVisit(deps, request, response);
    if (at === undefined) return;
    const { signedIn, row } = at;
    if (!mayAuthorize(row)) return sendNotFound(deps, response);
    sendPage(response, 200, authorizePage(deps.settings, signedIn, row));
  };
}

/** `POST` there: *Use my credentials & authorize*. */
export function postAuthorizeLibrary(deps: PageDeps): RequestHandler<LibraryParams> {
  return async (request, response) => {
    const signedIn = await signedInVisit(deps, request, response);
    if (signedIn === undefined) return;
    const { server } = signedIn;
    const form = readForm(request, signedIn);
    if (form === undefined)
      return sendPage(response, 403, formOutdatedPage(deps.settings, librariesAddress(server)));
    const row = await findRow(deps, signedIn, request.params.library);
    if (row === undefined || !mayAuthorize(row)) return sendNotFound(deps, response);

    const { email = "", replaces } = form;
    const refuse = (fault: string) =>
      sendPage(response, 422, authorizePage(deps.settings, signedIn, row, { email, fault }));
    if (email.trim() === "") return refuse(texts.emailMissing);
    try {
      const started = await startAuthorizeLibraries(deps.libraries, signedIn, {
        libraries: [row.library],
        email,
        replaces: replaces === undefined ? [] : [replaces],
      });
      leaveForImanage(deps, response, started, librariesAddress(server));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.code === "upstream_user_mismatch") return refuse(emailFault(signedIn));
      if (error.code !== "upstream_user_changed") throw error;
      sendPage(response, 409, anotherOwnerPage(deps.settings, signedIn, row, error));
    }
  };
}

export const emailFault = ({ session: { user } }: SignedIn): string =>
  texts.emailMismatch(user.name ?? user.userId);

interface Refused {
  readonly email: string;
  readonly fault: string;
}

function authorizePage(
  settings: PageSettings,
  signedIn: SignedIn,
  row: LibraryView,
  refused?: Refused,
): Html {
  const { server, formToken } = signedIn;
  const name = libraryName(row);
  const replaced = ownerToReplace(row, signedIn);
  const title =
    replaced !== undefined
      ? texts.replaceTitle(name)
      : row.state === "authorized"
        ? texts.renewTitle(name)
        : texts.title(name);
  return layout(settings, {
    title: refused === undefined ? title : `${texts.error}: ${title}`,
    main: html`<h1>${title}</h1>
<p class="lead">${
      replaced === undefined
        ? texts.lead(name, server.displayName)
        : texts.replaces(ownerWords(replaced), name, server.displayName)
    }</p>
${replaced !== undefined && html`<ol class="order">${texts.replaceSteps.map((step) => html`<li>${step}</li>`)}</ol>`}
<p>${lastsWords(signedIn)}</p>
<form class="card" method="post" action="${libraryAddress(server, row.library, "authorize")}">
<input type="hidden" name="csrf" value="${formToken}">
${replaced !== undefined && html`<input type="hidden" name="replaces" value="${replaced.userId}">`}
${emailField(refused?.email, refused?.fault)}
<p class="actions"><button class="button" type="submit">${replaced === undefined ? texts.button : texts.replaceButton}</button>
<a class="button plain" href="${librariesAddress(server)}">${texts.cancel}</a></p>
</form>`,
  });
}

export const lastsWords = ({ server }: SignedIn): string =>
  texts.lasts(Math.floor(server.settings.refreshTokenLifeMs / days(1)));

export const emailField = (
  value: string | undefined,
  fault: string | undefined,
): Html => html`<label for="email">${texts.email}</label>
<p class="hint" id="email-hint">${texts.emailHint}</p>
<div id="email-fault" role="alert">${fault !== undefined && html`<p class="fault">${texts.error}: ${fault}</p>`}</div>
<input type="text" id="email" name="email" value="${value}" maxlength="254" autocomplete="username" autocapitalize="none" spellcheck="false" inputmode="email" aria-required="true" aria-describedby="email-hint email-fault" aria-invalid="${fault === undefined ? "false" : "true"}">`;
