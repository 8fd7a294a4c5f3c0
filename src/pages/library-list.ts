import type { SignedIn } from "../broker/libraries/library-pages.ts";
import type { LibraryView } from "../broker/libraries/library-view.ts";
import type { Instant } from "../domain/instant.ts";
import type { LibraryTrouble } from "../domain/library-trouble.ts";
import { librariesAddress } from "./addresses.ts";
import { type Hole, type Html, html, words } from "./html.ts";
import {
  actions,
  collator,
  date,
  detailsLink,
  isLastAdmin,
  isSoon,
  lastErrorTold,
  libraryName,
  mayAuthorize,
  moment,
  owner,
  renewBy,
  status,
} from "./library-parts.ts";
import type { PageSettings } from "./page-deps.ts";
import { statusIcon } from "./status-icon.ts";
import { en } from "./texts.en.ts";

const texts = en.libraries;

const FILTERS = ["all", "unauthorized", "authorized", "needs_attention", "renew_soon"] as const;
type Filter = (typeof FILTERS)[number];

/** What of the list is asked for, by the address. */
export interface Asked {
  readonly find: string;
  readonly show: Filter;
  /** Are the boxes of what is shown ticked? Without scripts that is a page of its own. */
  readonly selected: boolean;
}

export function readAsked(value: (name: string) => string | undefined): Asked {
  const show = value("show");
  return {
    find: (value("find") ?? "").trim().slice(0, 100),
    show: FILTERS.find((filter) => filter === show) ?? "all",
    selected: value("select") === "shown",
  };
}

interface List {
  readonly settings: PageSettings;
  readonly signedIn: SignedIn;
  readonly rows: readonly LibraryView[];
  readonly asked: Asked;
  readonly now: Instant;
  /** Told once above the rows. */
  readonly everywhere: ReadonlySet<LibraryTrouble["code"]>;
}

/** Every library in one page, whoever has two hundred: to search one's own page is quicker than to leaf through four. */
export function libraryList(of: Omit<List, "everywhere">): Html {
  const { rows, asked, now } = of;
  const causes = sharedCauses(rows);
  const list: List = { ...of, everywhere: new Set(causes.keys()) };
  const found = rows.filter((row) => fits(row, asked.find));
  const shown = found.filter((row) => passes(row, asked.show, now));
  return html`${[...causes.values()].map(sharedCause)}
${choosing(list, found)}
${shown.length === 0 ? html`<section class="card"><p>${texts.nothing}</p></section>` : selection(list, shown)}`;
}

const fits = ({ library, displayName = "" }: LibraryView, find: string): boolean =>
  [library, displayName].some((name) => name.toLowerCase().includes(find.toLowerCase()));

function passes(row: LibraryView, show: Filter, now: Instant): boolean {
  if (show === "all") return true;
  return show === "renew_soon" ? isSoon(row, now) : row.state === show;
}

/** What is no single library's: told once, for who mends it mends all of them. */
function sharedCauses(rows: readonly LibraryView[]): Map<LibraryTrouble["code"], readonly LibraryTrouble[]> {
  const causes = new Map<LibraryTrouble["code"], LibraryTrouble[]>();
  for (const { trouble } of rows) {
    if (trouble === undefined || trouble.stops) continue;
    causes.set(trouble.code, [...(causes.get(trouble.code) ?? []), trouble]);
  }
  for (const [code, troubles] of causes) if (troubles.length < 2) causes.delete(code);
  return causes;
}

function sharedCause(troubles: readonly LibraryTrouble[]): Html {
  const [{ sentence, action, who }] = troubles as [LibraryTrouble];
  return html`<section class="card note warn"><h2>${sentence}</h2>
<p>${action}</p>
<p class="small"><span class="quiet">${en.library.who}:</span> ${texts.who[who]}. ${texts.everywhere.affected(troubles.length)}</p></section>`;
}

/** Search, and filters with how many each would show. */
function choosing({ signedIn, rows, asked, now }: List, found: readonly LibraryView[]): Html {
  const page = librariesAddress(signedIn.server);
  const { find, filters } = texts;
  const count = (state: LibraryView["state"]) => rows.filter((row) => row.state === state).length;
  const filter = (show: Filter) => {
    const n = found.filter((row) => passes(row, show, now)).length;
    return html`<li><a href="${addressFor(page, { ...asked, show, selected: false })}" aria-current="${String(asked.show === show)}">${filters[show]} <span class="quiet">(${n})</span></a></li>`;
  };
  return html`<p class="quiet">${texts.counts(rows.length, count("authorized"), count("needs_attention"))} ${texts.times}</p>
<div class="choosing">
<form role="search" method="get" action="${page}">
${asked.show !== "all" && html`<input type="hidden" name="show" value="${asked.show}">`}
<label for="find">${find.label}</label>
<p class="hint" id="find-hint">${find.hint}</p>
<p class="line"><input type="text" id="find" name="find" value="${asked.find}" maxlength="100" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="find-hint">
<button class="button plain" type="submit">${find.button}</button>
${asked.find !== "" && html`<a href="${addressFor(page, { ...asked, find: "", selected: false })}">${find.clear}</a>`}</p>
</form>
<nav aria-label="${filters.label}"><ul class="pages">${FILTERS.map(filter)}</ul></nav>
</div>`;
}

function addressFor(page: string, { find, show, selected }: Asked): string {
  const query = new URLSearchParams();
  if (find !== "") query.set("find", find);
  if (show !== "all") query.set("show", show);
  if (selected) query.set("select", "shown");
  const text = query.toString();
  return text === "" ? page : `${page}?${text}`;
}

type Group = keyof typeof texts.groups;

const groupOf = (row: LibraryView): Group => {
  if (row.trouble?.code === "library_gone") return "gone";
  if (row.kind === "security_policy") return "security_policy";
  return row.hidden ? "hidden" : "ordinary";
};

/** What may be selected: the security policy library is authorized alone, by who knows what he does. */
const isSelectable = (row: LibraryView): boolean => mayAuthorize(row) && row.kind !== "security_policy";

function selection(list: List, shown: readonly LibraryView[]): Html {
  const { signedIn, rows, asked } = list;
  const page = librariesAddress(signedIn.server);
  const selectable = shown.filter(isSelectable).length;
  const groups = Map.groupBy(shown, groupOf);
  const bar = (place: string) =>
    selectable > 0 &&
    html`<div class="actions ${place}"><button class="button" type="submit">${texts.authorizeSelected}</button>
${
  asked.selected
    ? html`<a href="${addressFor(page, { ...asked, selected: false })}">${texts.selectNone}</a>`
    : html`<a href="${addressFor(page, { ...asked, selected: true })}">${texts.selectShown(selectable)}</a>`
}
<span class="quiet">${texts.shown(shown.length, rows.length)}</span></div>`;
  return html`<form method="post" action="${`${page}/authorize-selected`}">
<input type="hidden" name="csrf" value="${signedIn.formToken}">
${bar("above")}
${(Object.keys(texts.groups) as Group[]).map((group) => {
  const of = groups.get(group);
  return of !== undefined && libraryTable(list, group, of);
})}
${shown.length > 15 && bar("below")}
</form>`;
}

/** The roles are said aloud because small screens show rows as cards, and browsers then forget that it is a table. */
function libraryTable(list: List, group: Group, rows: readonly LibraryView[]): Html {
  const { title, explain } = texts.groups[group];
  const sorted = rows.toSorted((a, b) => collator.compare(libraryName(a), libraryName(b)));
  return html`<table role="table" class="libraries">
<caption><b>${title}</b> (${rows.length})${explain !== undefined && html`<span class="sub">${words(explain)}</span>`}</caption>
<thead role="rowgroup"><tr role="row">${Object.values(texts.columns).map((name) => html`<th scope="col" role="columnheader">${name}</th>`)}</tr></thead>
<tbody role="rowgroup">
${sorted.map((row) => tableRow(list, row))}
</tbody>
</table>`;
}

function tableRow(list: List, row: LibraryView): Html {
  const { signedIn, now } = list;
  const { columns } = texts;
  const cell = (label: string, shown: Hole) =>
    html`<td role="cell" data-label="${label}"><div>${shown}</div></td>`;
  return html`<tr role="row">
<th scope="row" role="rowheader">${name(list, row)}${under(row)} ${detailsLink(signedIn.server, row)}</th>
${cell(columns.status, statusCell(list, row))}
${cell(columns.owner, row.lentBy === undefined ? en.dash : html`${owner(row.lentBy, signedIn)}${since(row)}`)}
${cell(columns.last, last(row, now))}
${cell(columns.renewBy, renewBy(row, now))}
${cell(columns.usedBy, usedBy(row))}
<td role="cell"><div class="actions">${actions(signedIn, row, now, false)}</div></td>
</tr>
`;
}

function name({ asked }: List, row: LibraryView): Html {
  const shown = html`<bdi>${libraryName(row)}</bdi>`;
  if (!isSelectable(row)) return shown;
  const label = html`<span><span class="hidden">${texts.select} </span>${shown}</span>`;
  return asked.selected
    ? html`<label class="pick"><input type="checkbox" name="library" value="${row.library}" checked> ${label}</label>`
    : html`<label class="pick"><input type="checkbox" name="library" value="${row.library}"> ${label}</label>`;
}

const since = ({ since: at }: LibraryView): Html | undefined =>
  at === undefined ? undefined : html`<span class="sub">${texts.since} ${date(at)}</span>`;

function last(row: LibraryView, now: Instant): Hole {
  if (row.state === "unauthorized") return en.dash;
  const synced = row.usedBy.length > 0 && row.lastSyncAt === undefined;
  return html`<p><span class="quiet">${texts.lastRefresh}</span> ${moment(row.lastRefreshedAt, now, "time")}</p>
<p><span class="quiet">${texts.lastSync}</span> ${synced ? texts.neverSynced : moment(row.lastSyncAt, now, "time")}</p>`;
}

/** The id too where it is not the name: people know a library by either. */
function under(row: LibraryView): Html | undefined {
  const parts = [row.displayName === undefined ? undefined : row.library, row.hidden && texts.hiddenLibrary];
  const text = parts.filter((part) => typeof part === "string").join(", ");
  return text === "" ? undefined : html`<span class="sub"><bdi>${text}</bdi></span>`;
}

function statusCell({ settings, signedIn, everywhere }: List, row: LibraryView): Hole {
  const { trouble, lastError } = row;
  const error = lastErrorTold(settings, signedIn.server, row);
  return [
    status(row),
    trouble !== undefined &&
      html`<span class="sub">${trouble.sentence} ${everywhere.has(trouble.code) ? texts.seeAbove : trouble.action}</span>`,
    error !== undefined && html`<span class="sub">${texts.lastError[lastError!.of]}: ${error.title}</span>`,
    isLastAdmin(row) && html`<span class="status warn small">${statusIcon("warn")} ${texts.oneAdmin}</span>`,
  ];
}

function usedBy({ usedBy: users }: LibraryView): Hole {
  if (users.length === 0) return texts.notUsed;
  const [first] = users;
  return users.length === 1 ? html`<bdi>${first!.displayName}</bdi>` : texts.uses(users.length);
}
