import { z } from "zod";
import { type Hole, type Html, html, words } from "./html.ts";
import { en } from "./texts.en.ts";

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly value?: string | undefined;
  readonly fault?: string | undefined;
  readonly required?: boolean;
}

/** A labelled field with its hint and its fault, each tied to it for whoever hears the page. */
export function textField(field: Field & { readonly secret?: boolean }): Html {
  const { name, value, fault, required = false, secret = false } = field;
  return framed(
    field,
    html`<input type="${secret ? "password" : "text"}" id="${name}" name="${name}" value="${value}" maxlength="500" autocomplete="off" autocapitalize="none" spellcheck="false" aria-required="${String(required)}" aria-describedby="${describedBy(field)}" aria-invalid="${String(fault !== undefined)}">`,
  );
}

export function linesField(field: Field): Html {
  const { name, value, fault } = field;
  // The line end behind the tag is dropped by browsers; without it they would drop the value's first one.
  return framed(
    field,
    html`<textarea id="${name}" name="${name}" rows="5" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="${describedBy(field)}" aria-invalid="${String(fault !== undefined)}">
${value}</textarea>`,
  );
}

/**
 * What a `linesField` sends. Browsers end lines with CR LF; on a page a CR would be shown as what has no business there.
 * `max`: longer than any form that is read, since a list that was cut short would shut people out.
 */
export const linesOf = (max: number) =>
  z
    .string()
    .max(max)
    .transform((text) => text.replaceAll("\r\n", "\n"))
    .catch("");

/** One of many, for a list that is too long to be read before. */
export function selectField(
  field: Field,
  options: readonly (readonly [value: string, label: string])[],
): Html {
  const { name, value } = field;
  return framed(
    field,
    html`<select id="${name}" name="${name}" aria-describedby="${describedBy(field)}">${options.map(
      ([each, text]) =>
        each === value
          ? html`<option value="${each}" selected>${text}</option>`
          : html`<option value="${each}">${text}</option>`,
    )}</select>`,
  );
}

/** A day, as browsers let people choose one; typed as 2026-03-04 where they do not. */
export function dateField(field: Field): Html {
  const { name, value } = field;
  return framed(
    field,
    html`<input type="date" id="${name}" name="${name}" value="${value}" aria-describedby="${describedBy(field)}">`,
  );
}

/** One of several, by radio buttons: every choice is read before one is made. */
export function choice(
  field: Omit<Field, "required">,
  options: readonly (readonly [value: string, label: string])[],
): Html {
  const { name, label, value } = field;
  return html`<fieldset aria-describedby="${describedBy(field)}"><legend>${label}</legend>
${toldOf(field)}
${options.map(([each, text]) =>
  each === value
    ? html`<label class="choice"><input type="radio" name="${name}" value="${each}" checked> ${text}</label>`
    : html`<label class="choice"><input type="radio" name="${name}" value="${each}"> ${text}</label>`,
)}
</fieldset>`;
}

const describedBy = ({ name, hint }: Field): string =>
  [hint === undefined ? "" : `${name}-hint`, `${name}-fault`].join(" ").trim();

const framed = (field: Field, input: Hole): Html =>
  html`<div class="field"><label for="${field.name}">${field.label}</label>
${toldOf(field)}
${input}</div>`;

/** What `describedBy` names. */
const toldOf = ({ name, hint, fault }: Omit<Field, "label">): Html =>
  html`${hint !== undefined && html`<p class="hint" id="${`${name}-hint`}">${words(hint)}</p>`}
<div id="${`${name}-fault`}">${fault !== undefined && html`<p class="fault">${en.settings.error}: ${fault}</p>`}</div>`;
