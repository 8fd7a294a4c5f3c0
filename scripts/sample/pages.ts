import type { Sync } from "./follow-library.ts";
import { type Html, html } from "./html.ts";
import type { Document, Matter } from "./library-copy.ts";

export interface Viewer {
  readonly id: string;
  readonly name: string;
}

/** What every page shows. */
export interface Surroundings {
  readonly viewer: Viewer;
  readonly viewers: readonly Viewer[];
  readonly standing: Standing;
}

export interface Checklist extends Surroundings {
  /** Those with at least one document that he may see. */
  readonly matters: readonly Matter[];
  readonly shown: Matter | undefined;
  readonly reviews: ReadonlyMap<string, Review>;
}

/** A tick on the list. It is for the document as it was then: once that is edited, somebody has to look again. */
export interface Review {
  readonly by: string;
  /** When the document had last been edited. */
  readonly of: string;
}

/** How fresh the copy is, and who has to do something about it. */
export interface Standing {
  /** Undefined: the broker has not been reached yet. */
  readonly sync: Sync | undefined;
  /** Why the broker cannot be asked now. */
  readonly trouble: string | undefined;
  /** The library is being read from its beginning. */
  readonly reading: boolean;
}

export function checklistPage(of: Checklist): string {
  const { shown, matters } = of;
  return page(
    of,
    html`
<nav aria-label="Matters"><ul>${matters.map(
      ({ id, name, number }) =>
        html`<li><a href="/?matter=${encodeURIComponent(id)}" ${id === shown?.id && current}>
<span class="number">${number}</span> ${name}</a></li>`,
    )}</ul></nav>
<section aria-labelledby="matter">${shown === undefined ? nothing : table(shown, of.reviews)}</section>`,
  );
}

const current = html`aria-current="page"`;
const nothing = html`<h1 id="matter">No documents</h1><p>There is nothing here that iManage lets you see.</p>`;

function standingNote({ sync, trouble, reading }: Standing): Html {
  if (trouble !== undefined)
    return html`<p class="note bad"><b>Not up to date.</b> ${trouble} What you see is what was known before.</p>`;
  const waits = sync?.state === "parked" ? sync.waits_for : null;
  if (waits !== null)
    return html`<div class="note bad"><p><b>Parked: this list does not change until somebody acts.</b> ${waits.title}</p>
<p>${waits.action} ${waits.link !== null && html`<a href="${waits.link}">Open the page of the library</a>`}</p></div>`;
  if (reading) return html`<p class="note">Reading the library…</p>`;
  return html`<p class="note good"><b>Live.</b> What is edited in iManage appears here by itself.</p>`;
}

function table({ name, number, documents }: Matter, reviews: ReadonlyMap<string, Review>): Html {
  const done = documents.filter((document) => reviews.get(document.id)?.of === document.edited_at).length;
  return html`<h1 id="matter">${name}</h1>
<p class="quiet">Client and matter ${number}. ${done} of ${documents.length} documents reviewed.</p>
<table><thead><tr><th scope="col">Reviewed</th><th scope="col">Document</th><th scope="col">Version</th>
<th scope="col">Edited by</th><th scope="col">Edited</th></tr></thead>
<tbody>${documents.map((document) => row(document, reviews.get(document.id)))}</tbody></table>`;
}

function row(document: Document, review: Review | undefined): Html {
  const { id, number, version, name = "", extension = "", last_user = "", edited_at = "" } = document;
  const done = review?.of === edited_at;
  return html`<tr id="${id}"><td><form method="post" action="/reviews">
<input type="hidden" name="document" value="${id}"><input type="hidden" name="of" value="${edited_at}">
<button class="tick" id="tick ${id}" aria-pressed="${String(done)}" aria-label="Reviewed: ${name}">${done ? "✓" : ""}</button>
${review !== undefined && html`<span class="quiet">${done ? review.by : "edited since"}</span>`}</form></td>
<th scope="row">${name}.${extension} <span class="quiet">${number}</span></th><td>${version}</td>
<td>${last_user.toLowerCase()}</td><td><time datetime="${edited_at}">${moment(edited_at)}</time></td></tr>`;
}

/** He has not connected iManage yet, or iManage no longer takes it: without his token nobody can tell what he may see. */
export const connectPage = (of: Surroundings, title: string): string =>
  page(
    of,
    html`<section><h1>Connect iManage</h1>
<p>What you see here is what iManage lets <em>you</em> see, so it has to be asked in your name. ${title}</p>
<form method="post" action="/connect"><button>Connect iManage as ${of.viewer.name}</button></form></section>`,
  );

export const sentencePage = (of: Surroundings, title: string, text: string): string =>
  page(of, html`<section><h1>${title}</h1><p>${text} <a href="/">Matters</a></p></section>`);

function page({ viewer, viewers, standing }: Surroundings, content: Html): string {
  const { text } = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Matter checklist</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<noscript><meta http-equiv="refresh" content="15"></noscript>
<link rel="stylesheet" href="/style.css"><script type="module" src="/live.mjs"></script></head>
<body><header><p><a href="/">Matter checklist</a></p>
<form method="post" action="/viewer"><label for="viewer">You are</label>
<select id="viewer" name="viewer">${viewers.map(
    ({ id, name }) => html`<option value="${id}" ${id === viewer.id && html`selected`}>${name}</option>`,
  )}</select> <button>Switch</button></form></header>
<main><div id="standing" role="status">${standingNote(standing)}</div>
<div id="content">${content}</div></main></body></html>`;
  return text;
}

const DATE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" });
const moment = (at: string): string => (at === "" ? "" : `${DATE.format(new Date(at))} UTC`);
