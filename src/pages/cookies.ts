import type { Request, Response } from "express";
import { timing } from "../domain/access-policy.ts";
import { Secret } from "../domain/secret.ts";
import type { PageSettings } from "./page-deps.ts";

/**
 * Five cookies, all with the `__Host-` prefix, so that no other host of the firm's domain can set them (T03). SameSite
 * is Lax and not Strict: the browser comes back from iManage, and from Control Center's Extensions, by a link of another
 * site.
 */

/** Ties one sign-in at iManage to this browser. */
export const connectCookie = (settings: PageSettings, suffix: string): string =>
  prefixed(settings, `imb-connect-${suffix}`);

/** Who is signed in to our pages. */
export const pageCookie = (settings: PageSettings): string => prefixed(settings, "imb-page");

/** Who came from a client, by its portal session. Not the same as who signed in at iManage itself. */
export const portalCookie = (settings: PageSettings): string => prefixed(settings, "imb-portal");

/**
 * An operator, by the firm's own identity provider; and his sign-in while it is under way. Cookies know no ports, so the ops
 * listener's have names of their own: on loopback it shares a host with the public one.
 */
export const operatorCookie = (settings: PageSettings): string =>
  prefixed(settings, settings.ofOps ? "imb-ops" : "imb-operator");
export const operatorSignInCookie = (settings: PageSettings): string =>
  prefixed(settings, settings.ofOps ? "imb-ops-sign-in" : "imb-operator-sign-in");

/** Read by the dashboard's own script, which sends it back as `X-XSRF-TOKEN`. It alone signs nobody in. */
export function setQueuesToken(response: Response, settings: PageSettings, token: string): void {
  const secure = settings.plainCookies ? "" : "; Secure";
  response.append("Set-Cookie", `XSRF-TOKEN=${token}; Path=/queues; SameSite=Strict${secure}`);
}

export function setConnectCookie(
  response: Response,
  settings: PageSettings,
  started: { readonly cookieSuffix: string; readonly browserSecret: Secret },
): void {
  const name = connectCookie(settings, started.cookieSuffix);
  setCookie(response, settings, name, started.browserSecret.reveal(), timing.authorizationRequestMs);
}

export const setPageCookie = (response: Response, settings: PageSettings, secret: Secret): void =>
  setCookie(response, settings, pageCookie(settings), secret.reveal(), timing.pageSessionMs);

export const setPortalCookie = (response: Response, settings: PageSettings, secret: Secret): void =>
  setCookie(response, settings, portalCookie(settings), secret.reveal(), timing.pageSessionMs);

export const setOperatorCookie = (response: Response, settings: PageSettings, secret: Secret): void =>
  setCookie(response, settings, operatorCookie(settings), secret.reveal(), timing.operatorSessionMs);

export const setOperatorSignInCookie = (response: Response, settings: PageSettings, secret: Secret): void =>
  setCookie(
    response,
    settings,
    operatorSignInCookie(settings),
    secret.reveal(),
    timing.authorizationRequestMs,
  );

export const clearCookie = (response: Response, settings: PageSettings, name: string): void =>
  setCookie(response, settings, name, "", 0);

/** The cookie of this name, if there is exactly one: of two, one may have been planted. */
export function readCookie(request: Request, name: string): Secret | undefined {
  const values = (request.headers.cookie ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  const [value] = values;
  return values.length === 1 && value !== undefined && /^[\w-]{1,128}$/.test(value)
    ? new Secret(value)
    : undefined;
}

const prefixed = (settings: PageSettings, name: string): string =>
  settings.plainCookies ? name : `__Host-${name}`;

function setCookie(
  response: Response,
  settings: PageSettings,
  name: string,
  value: string,
  lifeMs: number,
): void {
  const secure = settings.plainCookies ? "" : "; Secure";
  response.append(
    "Set-Cookie",
    `${name}=${value}; Path=/; Max-Age=${lifeMs / 1_000}; HttpOnly; SameSite=Lax${secure}`,
  );
}
