import type { SignedIn } from "../broker/libraries/library-pages.ts";
import type { LibraryUser, LibraryView } from "../broker/libraries/library-view.ts";
import { sameUpstreamUser, type UpstreamUser } from "../domain/grant.ts";
import { days, type Instant } from "../domain/instant.ts";
import type { Server } from "../domain/server.ts";
import { type LibraryPage, libraryAddress } from "./addresses.ts";
import { type Hole, type Html, html } from "./html.ts";
import type { PageSettings } from "./page-deps.ts";
import { parseProblemCode, type Remedy, remedyFacts, remedyFor } from "./remedy.ts";
import { statusIcon } from "./status-icon.ts";
import { en } from "./texts.en.ts";
import { dateWords, distanceWords, timeWords } from "./time-words.ts";

const texts = en.libraries;

export const collator = new Intl.Collator(en.lang, { numeric: true, sensitivity: "base" });

export const libraryName = ({ displayName, library }: Pick<LibraryView, "displayName" | "library">): string =>
  displayName ?? library;

export const isVisitor = (user: UpstreamUser, { session }: SignedIn): boolean =>
  sameUpstreamUser(user, session.user);

/** Lent by somebody else than the one who is signed in: to authorize it is to take his place (T11). */
export const ownerToReplace = ({ lentBy }: LibraryView, signedIn: SignedIn): UpstreamUser | undefined =>
  lentBy === undefined || isVisitor(lentBy, signedIn) ? undefined : lentBy;

/** May the one who is signed in lend it? Of what iManage does not list to him he has no rights. */
export const mayAuthorize = ({ rights }: LibraryView): boolean =>
  rights !== undefined && (rights.byOperations || rights.byGroup);

export const owner = (user: UpstreamUser, signedIn: SignedIn): Html =>
  html`<bdi>${user.userId}</bdi>${isVisitor(user, signedIn) && ` (${texts.you})`}${
    user.name !== undefined && html`<span class="sub"><bdi>${user.name}</bdi></span>`
  }`;

export const ownerWords = ({ name, userId }: UpstreamUser): string =>
  name === undefined || name === userId ? userId : `${name} (${userId})`;

export const date = (at: Instant, shown = dateWords(at)): Html =>
  html`<time datetime="${new Date(at).toISOString()}">${shown}</time>`;

export function moment(at: Instant | undefined, now: Instant, precision: "date" | "time"): Html | string {
  if (at === undefined) return en.dash;
  return html`${date(at, precision === "date" ? dateWords(at) : timeWords(at))}<span class="sub">${distanceWords(at, now)}</span>`;
}

export function status(row: LibraryView): Html {
  const word = texts.status[row.state];
  switch (row.state) {
    case "authorized":
      return html`<span class="status good">${statusIcon("good")} ${word}</span>`;
    case "unauthorized":
      return html`<span class="status none">${statusIcon("none")} ${word}</span>`;
    case "needs_attention":
      return html`<span class="status warn">${statusIcon("warn")} ${word}</span>`;
  }
}

/** Time enough to find whoever lent it, holidays included. */
const RENEW_SOON_MS = days(30);

export const isSoon = (row: LibraryView, now: Instant): boolean =>
  row.state === "authorized" && row.renewBy !== undefined && row.renewBy - now < RENEW_SOON_MS;

export function renewBy(row: LibraryView, now: Instant): Hole {
  if (row.state === "unauthorized" || row.trouble?.stops) return en.dash;
  if (row.renewBy === undefined) return texts.noEnd;
  return html`${moment(row.renewBy, now, "date")}${
    isSoon(row, now) && html`<span class="status warn small">${statusIcon("warn")} ${texts.renewSoon}</span>`
  }`;
}

/** Nobody could take the one owner's place at once. */
export const isLastAdmin = ({ state, liveAdmins }: LibraryView): boolean =>
  state !== "unauthorized" && liveAdmins !== undefined && liveAdmins < 2;

/** The latest fault in words and with who mends it; undefined: there is none, or the row's trouble says more of it. */
export function lastErrorTold(
  settings: PageSettings,
  server: Server,
  { lastError, trouble }: LibraryView,
): Remedy | undefined {
  if (lastError === undefined || (trouble !== undefined && lastError.of === "refresh")) return undefined;
  const code = parseProblemCode(lastError.code) ?? "internal_error";
  return remedyFor(code, remedyFacts(settings, server));
}

const link = (server: Server, row: LibraryView, page: LibraryPage, label: string, kind: string): Html =>
  // Ten links called alike are ten riddles to whoever hears them read out.
  html`<a class="${kind}" href="${libraryAddress(server, row.library, page)}">${label}<span class="hidden"> ${libraryName(row)}</span></a>`;

export const detailsLink = (server: Server, row: LibraryView): Html =>
  link(server, row, "details", texts.details, "more");

/**
 * What the one who is signed in can do about a library.
 * @param all also what nothing presses him to
 */
export function actions(signedIn: SignedIn, row: LibraryView, now: Instant, all: boolean): readonly Html[] {
  const { server } = signedIn;
  const word = authorizeWord(signedIn, row);
  const soon = isSoon(row, now);
  // What still works and is another's is best renewed by himself.
  const pressing =
    row.state === "authorized"
      ? soon && ownerToReplace(row, signedIn) === undefined
      : (row.trouble?.stops ?? true);
  const shown: Html[] = [];
  if (mayAuthorize(row) && (pressing || soon || all))
    shown.push(link(server, row, "authorize", word, pressing ? "button" : "button plain"));
  if (row.state !== "unauthorized") shown.push(link(server, row, "withdraw", texts.withdraw, "button plain"));
  return shown;
}

function authorizeWord(signedIn: SignedIn, row: LibraryView): string {
  if (row.state === "unauthorized") return texts.authorize;
  if (ownerToReplace(row, signedIn) !== undefined) return texts.replace;
  return row.state === "authorized" ? texts.renew : texts.authorizeAgain;
}

/** Who depends on it, one by one. */
export function dependents({ usedBy }: LibraryView, now: Instant): Html {
  const told = en.library.usedBy;
  const sorted = usedBy.toSorted((a, b) => collator.compare(a.displayName, b.displayName));
  return html`<ul class="uses">${sorted.map(
    (user) =>
      html`<li><span><bdi>${user.displayName}</bdi><span class="sub">${[
        sync(user, now),
        user.lastTokenAt === undefined ? [] : [`${told.lastToken} ${distanceWords(user.lastTokenAt, now)}`],
      ]
        .flat()
        .join(", ")}</span></span></li>`,
  )}</ul>`;
}

function sync({ sync: of }: LibraryUser, now: Instant): readonly string[] {
  const told = en.library.usedBy;
  if (of === undefined) return [told.noSync];
  const complete =
    of.lastCompleteAt === undefined
      ? told.never
      : `${told.complete} ${distanceWords(of.lastCompleteAt, now)}`;
  return [told.sync[of.state], complete];
}
