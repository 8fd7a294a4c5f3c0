import type { RequestHandler } from "express";
import { type SignedIn, withdrawLibrary } from "../broker/libraries/library-pages.ts";
import type { LibraryView } from "../broker/libraries/library-view.ts";
import type { Instant } from "../domain/instant.ts";
import { librariesAddress, libraryAddress } from "./addresses.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { type Html, html } from "./html.ts";
import { layout } from "./layout.ts";
import { dependents, libraryName, ownerWords } from "./library-parts.ts";
import { type LibraryParams, libraryVisit } from "./library-visit.ts";
import type { PageDeps, PageSettings } from "./page-deps.ts";
import { auditNote, readForm, signedInVisit } from "./page-session.ts";
import { seeOther, sendPage } from "./send-page.ts";
import { en } from "./texts.en.ts";

const texts = en.withdrawLibrary;

/** `GET /servers/:id/libraries/:library/withdraw`: asked once more, since a background service stops. */
export function getWithdrawLibrary(deps: PageDeps): RequestHandler<LibraryParams> {
  return async (request, response) => {
    const at = await libraryVisit(deps, request, response);
    if (at === undefined) return;
    const { signedIn, row } = at;
    if (row.state === "unauthorized") return seeOther(response, librariesAddress(signedIn.server));
    sendPage(response, 200, withdrawPage(deps.settings, signedIn, row, deps.libraries.clock.now()));
  };
}

/** `POST` there. Withdrawing what is not lent is no fault: the page then shows that it is so. */
export function postWithdrawLibrary(deps: PageDeps): RequestHandler<LibraryParams> {
  return async (request, response) => {
    const signedIn = await signedInVisit(deps, request, response);
    if (signedIn === undefined) return;
    const { server } = signedIn;
    if (readForm(request, signedIn) === undefined)
      return sendPage(response, 403, formOutdatedPage(deps.settings, librariesAddress(server)));
    const { library } = request.params;
    await withdrawLibrary(deps.libraries, signedIn, library, auditNote(deps, request, response));
    seeOther(response, `${librariesAddress(server)}?${new URLSearchParams({ withdrawn: library })}`);
  };
}

function withdrawPage(
  settings: PageSettings,
  { server, formToken }: SignedIn,
  row: LibraryView,
  now: Instant,
): Html {
  const name = libraryName(row);
  const { lentBy } = row;
  return layout(settings, {
    title: texts.title(name),
    main: html`<h1>${texts.title(name)}</h1>
<p class="lead">${texts.lead(name, server.displayName)}</p>
<p>${lentBy !== undefined && texts.owner(ownerWords(lentBy))} ${texts.last}</p>
<section class="card" aria-labelledby="depends"><h2 id="depends">${row.usedBy.length === 0 ? texts.dependsNone : texts.depends(row.usedBy.length)}</h2>
${row.usedBy.length > 0 && dependents(row, now)}</section>
<form method="post" action="${libraryAddress(server, row.library, "withdraw")}">
<input type="hidden" name="csrf" value="${formToken}">
<p class="actions"><button class="button danger" type="submit">${texts.button}</button>
<a class="button plain" href="${librariesAddress(server)}">${texts.cancel}</a></p>
</form>`,
  });
}
