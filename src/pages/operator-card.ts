import type { SignedInOperator } from "../broker/operators/operator-sign-in.ts";
import type { Organisation } from "../domain/organisation.ts";
import { type Html, html } from "./html.ts";
import { en } from "./texts.en.ts";

const texts = en.operators;

/** Who is signed in, at which organisation, and the way out. */
export const operatorCard = (
  { session, formToken }: SignedInOperator,
  at?: Organisation,
): Html => html`<section class="who" aria-label="${texts.as}">
<p><span class="quiet">${texts.as}</span> <b><bdi>${session.name}</bdi></b> <span class="quiet">${at === undefined ? texts.role[session.role] : texts.at[session.role]}${at !== undefined && html` <bdi>${at.displayName}</bdi>`}</span></p>
<form method="post" action="/operators/sign-out"><input type="hidden" name="csrf" value="${formToken}">
<button type="submit">${texts.signOut}</button></form>
</section>`;
