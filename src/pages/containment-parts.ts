import type { PartPage, Reauthorization } from "../broker/containment/managed.ts";
import type { ContainmentImpact } from "../broker/containment/preview.ts";
import {
  type Containment,
  type ContainmentProgress,
  type ContainmentTarget,
  HANDED_OUT_LIVES,
  isFinished,
  targetInWords,
  tokensToDo,
} from "../domain/containment.ts";
import { maskedUser } from "../domain/masked.ts";
import { choice, textField } from "./form-field.ts";
import { type Hole, type Html, html } from "./html.ts";
import type { ContainForm } from "./operator-containments.ts";
import { statusIcon } from "./status-icon.ts";
import { en } from "./texts.en.ts";
import { timeWords } from "./time-words.ts";

const texts = en.containments;

export interface NamesOf {
  readonly name: (id: string) => string;
  /** Who looks knows these people by less than their names. */
  readonly masked: boolean;
}

const person = ({ masked }: NamesOf, name: string): string =>
  masked ? maskedUser({ userId: name, email: undefined }) : name;

const wordsOf = (target: ContainmentTarget, names: NamesOf): string =>
  targetInWords(target, names.name, (name) => person(names, name));

export const listPage = (
  all: readonly Containment[],
  names: NamesOf,
  mayChange: boolean,
): Html => html`<h1>${texts.title}</h1>
<p class="lead">${texts.lead}</p>
${mayChange ? html`<p><a class="button" href="/operators/containments/new">${texts.begin}</a></p>` : html`<p class="card note">${texts.lookOnly}</p>`}
<section class="card"><h2>${texts.list}</h2>
${all.length === 0 && html`<p>${texts.none}</p>`}
${all.map(
  (
    one,
  ) => html`<p>${standing(one)} <a href="/operators/containments/${one.id}"><bdi>${wordsOf(one.target, names)}</bdi></a>
<span class="quiet">${timeWords(one.since)} · <bdi>${one.reason}</bdi></span></p>`,
)}
</section>`;

const standing = ({ lifted }: Containment): Html =>
  lifted === undefined
    ? html`<span class="status warn">${statusIcon("warn")} ${texts.stopped}</span>`
    : html`<span class="status good">${statusIcon("good")} ${texts.lifted}</span>`;

export function formPage(form: ContainForm, csrf: string, fault?: string): Html {
  const kinds = Object.entries(texts.kinds);
  return html`<h1>${texts.begin}</h1>
${fault !== undefined && html`<section class="card note warn" role="alert"><p>${fault}</p></section>`}
<form class="card" method="post" action="/operators/containments/new">
<input type="hidden" name="csrf" value="${csrf}">
${choice({ name: "kind", label: texts.kind, value: form.kind }, kinds)}
${textField({ name: "what", label: texts.what, hint: texts.whatHint, value: form.what })}
${textField({ name: "server", label: texts.server, hint: texts.serverHint, value: form.server })}
${textField({ name: "organisation", label: texts.organisation, hint: texts.organisationHint, value: form.organisation })}
${textField({ name: "client", label: texts.client, hint: texts.clientHint, value: form.client })}
${textField({ name: "from", label: texts.from, hint: texts.timeHint, value: form.from })}
${textField({ name: "to", label: texts.to, value: form.to })}
${choice({ name: "effect", label: texts.effect, value: form.effect }, Object.entries(texts.effects))}
${textField({ name: "reason", label: texts.reason, hint: texts.reasonHint, value: form.reason, required: true })}
<p class="actions"><button class="button" type="submit">${texts.count}</button></p>
</form>`;
}

export function reviewPage(
  form: ContainForm,
  target: ContainmentTarget,
  impact: ContainmentImpact,
  names: NamesOf,
  csrf: string,
): Html {
  const { confirm: _, ...held } = form;
  return html`<h1>${texts.review}</h1>
<p class="lead"><bdi>${texts.reviewLead(wordsOf(target, names))}</bdi></p>
<section class="card">
${facts(Object.entries(texts.counts).map(([field, label]) => [label, impact[field as keyof typeof texts.counts]]))}
<p>${HANDED_OUT_LIVES}</p>
${impact.handedOutKnownSince !== undefined && html`<p>${texts.knownSince(timeWords(impact.handedOutKnownSince))}</p>`}
<p>${texts.effects[form.effect]}.</p>
<form method="post" action="/operators/containments/new">
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="confirm" value="yes">
${Object.entries(held).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
<p class="actions"><button class="button" type="submit">${texts.confirm[form.effect]}</button> <a class="button plain" href="/operators/containments/new">${texts.change}</a></p>
</form></section>`;
}

export interface ContainmentParts {
  readonly containment: Containment;
  readonly progress: ContainmentProgress;
  readonly refusals: readonly { readonly why: string; readonly tokens: number }[];
  readonly people: PartPage<Reauthorization>;
  readonly names: NamesOf;
  readonly mayChange: boolean;
  readonly formToken: string;
}

export function containmentPage(parts: ContainmentParts): Html {
  const { containment, names, mayChange, formToken } = parts;
  const { lifted, id } = containment;
  return html`<h1><bdi>${wordsOf(containment.target, names)}</bdi></h1>
<section class="card"><p>${standing(containment)} ${texts.effects[containment.effect]}.</p>
${facts([
  [texts.reason, html`<bdi>${containment.reason}</bdi>`],
  [texts.since, timeWords(containment.since)],
  [texts.by, html`<bdi>${containment.by}</bdi>`],
  ...(lifted === undefined
    ? []
    : [
        [
          texts.lifted,
          html`${timeWords(lifted.at)} · <bdi>${lifted.by}</bdi> · <bdi>${lifted.reason}</bdi>`,
        ] as const,
      ]),
])}
${
  lifted === undefined &&
  mayChange &&
  html`<form method="post" action="/operators/containments/${id}/lift"><input type="hidden" name="csrf" value="${formToken}">
${textField({ name: "reason", label: texts.liftReason, hint: texts.liftHint, required: true })}
<p class="actions"><button class="button" type="submit">${texts.lift}</button></p></form>`
}
</section>
${progressCard(parts)}
${peopleCard(parts)}`;
}

function progressCard({ containment, progress, refusals }: ContainmentParts): Html {
  const { grants, clients, users, libraries } = progress;
  const rows: [string, number][] = [
    [texts.counts.grants, grants],
    [texts.counts.clients, clients],
    [texts.counts.users, users],
    [texts.counts.libraries, libraries],
  ];
  const revoking: [string, number][] = [
    [texts.tokens.all, progress.tokens],
    [texts.tokens.toDo, tokensToDo(progress)],
    [texts.tokens.revoked, progress.revoked],
    [texts.tokens.alreadyDead, progress.alreadyDead],
    [texts.tokens.refused, progress.refused],
    [texts.tokens.givenUp, progress.givenUp],
  ];
  const revokes = containment.effect === "revoke";
  const state = !progress.counted ? texts.counting : isFinished(progress) ? texts.finished : texts.working;
  return html`<section class="card"><h2>${texts.progress}</h2>
<p role="status">${state}</p>
${facts(revokes ? [...rows, ...revoking] : rows)}
${refusals.length > 0 && html`<ul>${refusals.map(({ why, tokens }) => html`<li><bdi>${texts.saidBy(why, tokens)}</bdi></li>`)}</ul>`}
</section>`;
}

function peopleCard({ containment: { id }, people, names }: ContainmentParts): Html {
  return html`<section class="card"><h2>${texts.again}</h2>
${people.items.length === 0 && people.next === undefined && html`<p>${texts.againNone}</p>`}
${
  people.items.length > 0 &&
  html`<table><thead><tr><th scope="col">${texts.who}</th><th scope="col">${texts.usedBy}</th><th scope="col">${texts.where}</th><th scope="col">${texts.progress}</th></tr></thead>
<tbody>${people.items.map(
    ({
      grant,
      bindings,
      state,
    }) => html`<tr><td><bdi>${names.masked ? maskedUser(grant.owner) : grant.owner.userId}</bdi></td>
<td>${bindings.map((one) =>
      one.type === "library"
        ? html`<p><bdi>${one.library}</bdi></p>`
        : html`<p><bdi>${names.name(one.client)}</bdi> <bdi>${person(names, one.subject.id)}</bdi></p>`,
    )}</td>
<td><p><bdi>${names.name(grant.server)}</bdi></p>${
      bindings.some(({ type }) => type === "library")
        ? html`<p><a href="/servers/${grant.server}/libraries">${en.operators.libraries}</a></p>`
        : html`<p class="quiet">${texts.inApplication}</p>`
    }</td>
<td>${texts.state[state]}</td></tr>`,
  )}</tbody></table>`
}
<p><a href="/operators/containments/${id}/reauthorizations.csv">${texts.csv}</a>${people.next !== undefined && html` · <a href="/operators/containments/${id}?after=${people.next}">${texts.more}</a>`}</p>
</section>`;
}

const facts = (rows: readonly (readonly [string, Hole])[]): Html =>
  html`<dl>${rows.map(([label, value]) => html`<dt>${label}</dt><dd>${value}</dd>`)}</dl>`;
