import type { Response } from "express";
import type { StartedAuthorization } from "../broker/authorization/start-authorization.ts";
import { setConnectCookie } from "./cookies.ts";
import { html } from "./html.ts";
import { layout } from "./layout.ts";
import type { PageDeps } from "./page-deps.ts";
import { sendPage } from "./send-page.ts";
import { en } from "./texts.en.ts";

/**
 * The answer to a POST that leads to iManage: a page that leads on by itself, at once, and by a link where a browser was
 * told not to. Not a redirect: `form-action 'self'` follows a form through every redirect, so it would have to allow
 * iManage and each identity provider that a firm put behind it.
 */
export function leaveForImanage(
  deps: PageDeps,
  response: Response,
  started: StartedAuthorization,
  back: string,
): void {
  setConnectCookie(response, deps.settings, started);
  const { leaving } = en;
  const page = layout(deps.settings, {
    title: leaving.title,
    head: html`<meta http-equiv="refresh" content="0;url=${started.redirectTo}">
`,
    main: html`<h1>${leaving.title}</h1>
<p class="lead">${leaving.body(new URL(started.redirectTo).host)}</p>
<p class="actions"><a class="button" href="${started.redirectTo}">${leaving.link}</a>
<a class="button plain" href="${back}">${leaving.back}</a></p>`,
  });
  sendPage(response, 200, page);
}
