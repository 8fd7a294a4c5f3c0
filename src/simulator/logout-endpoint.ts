import { type Answer, page } from "./answers.ts";
import { cookieName, sessionCookie } from "./authorize-endpoint.ts";
import { errorPage } from "./authorize-page.ts";
import type { Call } from "./calls.ts";
import type { Context } from "./context.ts";
import { presentedToken } from "./presented-token.ts";

/** GET or POST /auth/logout (1): ends the access token presented and the browser's session. */
export function logoutEndpoint(in_: Context, call: Call): Answer {
  const token = presentedToken(in_, call);
  const family = token === undefined ? undefined : in_.families.endAccessToken(token);
  in_.sessions.end(sessionCookie(call));
  in_.events.emit({ type: "logged_out", ...(family && { family: family.id, user: family.user_id }) });
  return page(200, errorPage("Signed out", "You are signed out of the iManage Work simulator."), {
    "set-cookie": `${cookieName(call)}=; Path=/auth; Max-Age=0; HttpOnly; SameSite=Lax`,
  });
}
