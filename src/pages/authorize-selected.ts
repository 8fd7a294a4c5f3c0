import type { RequestHandler } from "express";
import { z } from "zod";
import { startAuthorizeLibraries } from "../broker/libraries/authorize-libraries.ts";
import { listLibraryViews, type SignedIn } from "../broker/libraries/library-pages.ts";
import type { LibraryView } from "../broker/libraries/library-view.ts";
import { Problem } from "../domain/problem.ts";
import { librariesAddress } from "./addresses.ts";
import { anotherOwnerPage } from "./another-owner.ts";
import { emailFault, emailField, lastsWords } from "./authorize-library.ts";
import { formOutdatedPage } from "./form-outdated.ts";
import { type Hole, type Html, html } from "./html.ts";
import { layout } from "./layout.ts";
import { leaveForImanage } from "./leave-for-imanage.ts";
import { collator, libraryName, mayAuthorize, ownerToReplace, ownerWords } from "./library-parts.ts";
import type { PageDeps, PageSettings } from "./page-deps.ts";
import { isOurForm, signedInVisit } from "./page-session.ts";
import { sendPage } from "./send-page.ts";
import { en } from "./texts.en.ts";

const texts = en.authorizeLibrary;

/** Of one name that a form may hold many times. */
const listed = z
  .union([z.string(), z.array(z.string())])
  .optional()
  .transform((value) => (value === undefined ? [] : [value].flat()));

const selectionSchema = z.object({
  library: listed,
  /** User ids of the owners whose place he agreed to take, one tick each. */
  replaces: listed,
  /** Absent where it comes from the list: then it is asked first. */
  email: z.string().max(254).optional(),
});
type Form = z.infer<typeof selectionSchema>;

/** What is wrong with the form, and beside what it is said. */
interface Fault {
  readonly of: "email" | "selection";
  readonly fault: string;
}

/** What of a selection can be authorized, and what not without more. */
interface Selection {
  readonly free: readonly LibraryView[];
  /** By the owner's user id. */
  readonly lentByOthers: ReadonlyMap<string, readonly LibraryView[]>;
  readonly notHis: readonly LibraryView[];
}

/** `POST /servers/:id/libraries/authorize-selected`: asked for the e-mail id once, then one sign-in for all of them. */
export function postAuthorizeSelected(deps: PageDeps): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const signedIn = await signedInVisit(deps, request, response);
    if (signedIn === undefined) return;
    const { server } = signedIn;
    const { data: form } = selectionSchema.safeParse(request.body);
    if (form === undefined || !isOurForm(request, signedIn))
      return sendPage(response, 403, formOutdatedPage(deps.settings, librariesAddress(server)));

    const rows = await listLibraryViews(deps.libraries, signedIn);
    const selection = select(rows, signedIn, new Set(form.library));
    const show = (status: number, refused?: Fault) =>
      sendPage(response, status, selectionPage(deps.settings, signedIn, selection, form, refused));
    if (selection.free.length + selection.lentByOthers.size === 0)
      return sendPage(response, 422, nothingPage(deps.settings, signedIn, selection));
    if (form.email === undefined) return show(200);

    const { email } = form;
    const refuse = (of: Fault["of"], fault: string) => show(422, { fault, of });
    if (email.trim() === "") return refuse("email", texts.emailMissing);
    const replaced = form.replaces.flatMap((owner) => selection.lentByOthers.get(owner) ?? []);
    if (selection.free.length + replaced.length === 0) return refuse("selection", texts.many.none);
    // What is his no more since the form was shown goes along, so that it is refused by name.
    const listedNow = new Set(rows.map(({ library }) => library));
    const notListed = form.library.filter((library) => !listedNow.has(library));
    const libraries = [...selection.free, ...replaced].map(idOf);
    try {
      const started = await startAuthorizeLibraries(deps.libraries, signedIn, {
        libraries,
        email,
        replaces: form.replaces,
        notListed,
      });
      leaveForImanage(deps, response, started, librariesAddress(server));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.code === "upstream_user_mismatch") return refuse("email", emailFault(signedIn));
      if (error.code !== "upstream_user_changed") throw error;
      const library = String(error.details.members?.library);
      const row = rows.find((each) => each.library === library) ?? { library, displayName: undefined };
      sendPage(response, 409, anotherOwnerPage(deps.settings, signedIn, row, error));
    }
  };
}

const idOf = ({ library }: LibraryView): string => library;

function select(rows: readonly LibraryView[], signedIn: SignedIn, libraries: ReadonlySet<string>): Selection {
  const selected = rows
    .filter(({ library }) => libraries.has(library))
    .toSorted((a, b) => collator.compare(libraryName(a), libraryName(b)));
  const his = selected.filter(mayAuthorize);
  return {
    free: his.filter((row) => ownerToReplace(row, signedIn) === undefined),
    lentByOthers: Map.groupBy(
      his.filter((row) => ownerToReplace(row, signedIn) !== undefined),
      (row) => row.lentBy!.userId,
    ),
    notHis: selected.filter((row) => !mayAuthorize(row)),
  };
}

const names = (rows: readonly LibraryView[]): Hole =>
  html`<ul class="names">${rows.map((row) => html`<li><bdi>${libraryName(row)}</bdi>${row.displayName !== undefined && html` <span class="quiet"><bdi>${row.library}</bdi></span>`}</li>`)}</ul>`;

function selectionPage(
  settings: PageSettings,
  signedIn: SignedIn,
  selection: Selection,
  form: Form,
  refused: Fault | undefined,
): Html {
  const { server, formToken } = signedIn;
  const { many } = texts;
  const { free, lentByOthers, notHis } = selection;
  const owners = [...lentByOthers.values()];
  const all = [...free, ...owners.flat()];
  const title = many.title(all.length);
  const ofSelection = refused?.of === "selection" && refused;
  return layout(settings, {
    title: refused === undefined ? title : `${texts.error}: ${title}`,
    main: html`<h1>${title}</h1>
<p class="lead">${many.lead(all.length, server.displayName)}</p>
<p>${lastsWords(signedIn)}</p>
${notHis.length > 0 && html`<section class="card note warn"><h2>${many.notYours}</h2>${names(notHis)}</section>`}
<form class="card" method="post" action="${`${librariesAddress(server)}/authorize-selected`}">
<input type="hidden" name="csrf" value="${formToken}">
${all.map(({ library }) => html`<input type="hidden" name="library" value="${library}">`)}
${free.length > 0 && html`<h2>${many.list(free.length)}</h2>${names(free)}`}
${
  owners.length > 0 &&
  html`<fieldset aria-describedby="replaces-hint replaces-fault"><legend>${many.replaces}</legend>
<p class="hint" id="replaces-hint">${many.replacesHint}</p>
<div id="replaces-fault" role="alert">${ofSelection && html`<p class="fault">${texts.error}: ${ofSelection.fault}</p>`}</div>
${owners.map((rows) => replaceChoice(rows, form.replaces))}</fieldset>`
}
${emailField(form.email, refused?.of === "email" ? refused.fault : undefined)}
<p class="actions"><button class="button" type="submit">${texts.button}</button>
<a class="button plain" href="${librariesAddress(server)}">${texts.cancel}</a></p>
</form>`,
  });
}

function replaceChoice(rows: readonly LibraryView[], agreed: readonly string[]): Html {
  const owner = rows[0]!.lentBy!;
  const label = html`<bdi>${texts.many.replace(ownerWords(owner), rows.length)}</bdi>`;
  const box = agreed.includes(owner.userId)
    ? html`<input type="checkbox" name="replaces" value="${owner.userId}" checked>`
    : html`<input type="checkbox" name="replaces" value="${owner.userId}">`;
  return html`<label class="choice">${box} ${label}</label>${names(rows)}`;
}

function nothingPage(settings: PageSettings, { server }: SignedIn, { notHis }: Selection): Html {
  const { many } = texts;
  return layout(settings, {
    title: en.libraries.authorizeSelected,
    main: html`<h1>${en.libraries.authorizeSelected}</h1>
<section class="card note warn"><p>${many.none}</p>
${notHis.length > 0 && html`<h2>${many.notYours}</h2>${names(notHis)}`}
<p class="actions"><a class="button" href="${librariesAddress(server)}">${en.libraries.back}</a></p></section>`,
  });
}
