import { type Visit, WalkingBrowser } from "./browser.ts";
import { type Person, signInAt } from "./connect.ts";

/**
 * A library admin signs in on *Background service authorization* and lends a library: Authorize, e-mail id, *Use my
 * credentials & authorize*. @param page the page's address @returns the page he ends on
 */
export async function lendLibrary(
  page: string,
  library: string,
  admin: Pick<Person, "username" | "password"> & { readonly email: string },
  browser = new WalkingBrowser(),
): Promise<Visit> {
  const form = `${page}/${encodeURIComponent(library)}/authorize`;
  const csrf = await signInFor(form, page, admin, browser);
  const toConsent = await browser.post(form, { csrf, email: admin.email });
  return browser.get(await signInAt(browser, new URL(page).origin, leadsTo(toConsent), admin));
}

/** He takes it back there. */
export async function withdrawLibrary(
  page: string,
  library: string,
  admin: Pick<Person, "username" | "password">,
  browser = new WalkingBrowser(),
): Promise<Visit> {
  const form = `${page}/${encodeURIComponent(library)}/withdraw`;
  return browser.post(form, { csrf: await signInFor(form, page, admin, browser) });
}

/** @returns what goes back with the form */
async function signInFor(
  form: string,
  page: string,
  admin: Pick<Person, "username" | "password">,
  browser: WalkingBrowser,
): Promise<string> {
  const toSignIn = await browser.post(`${page}/sign-in`, {});
  await signInAt(browser, new URL(page).origin, leadsTo(toSignIn), admin);
  const shown = await browser.get(form);
  const csrf = /name="csrf" value="([^"]+)"/.exec(shown.body)?.[1];
  if (csrf === undefined)
    throw new Error(`${form} answered ${shown.status}, and without the form: ${titleOf(shown)}`);
  return csrf;
}

/** The page between a form and iManage leads on by `meta refresh`. */
function leadsTo(visit: Visit): string {
  const url = /<meta http-equiv="refresh" content="0;url=([^"]+)">/.exec(visit.body)?.[1];
  if (url === undefined)
    throw new Error(`${visit.url} answered ${visit.status} and leads nowhere: ${titleOf(visit)}`);
  return url.replaceAll("&amp;", "&");
}

const titleOf = ({ body }: Visit): string => /<title>([^<]*)/.exec(body)?.[1]?.trim() ?? body.slice(0, 100);
