import { type Html, html } from "./html.ts";
import { layout } from "./layout.ts";
import type { PageSettings } from "./page-deps.ts";
import { en } from "./texts.en.ts";

/**
 * Told where a form's token is not that of the session, or another site sent it (CSRF).
 * @param back where the form can be opened anew
 */
export const formOutdatedPage = (settings: PageSettings, back: string): Html =>
  layout(settings, {
    title: en.formOutdated.title,
    main: html`<h1>${en.formOutdated.title}</h1>
<section class="card note warn"><p>${en.formOutdated.body}</p>
<p class="actions"><a class="button" href="${back}">${en.formOutdated.back}</a></p></section>`,
  });
