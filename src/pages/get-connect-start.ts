import type { RequestHandler } from "express";
import { startConnect } from "../broker/authorization/start-authorization.ts";
import { Secret } from "../domain/secret.ts";
import { setConnectCookie } from "./cookies.ts";
import type { PageDeps } from "./page-deps.ts";
import { seeOther } from "./send-page.ts";

/** `GET /connect/start/:start`: the one-use link that a client sends its user to. */
export function getConnectStart(deps: PageDeps): RequestHandler<{ start: string }> {
  return async (request, response) => {
    const started = await startConnect(deps.authorization, new Secret(request.params.start));
    setConnectCookie(response, deps.settings, started);
    seeOther(response, started.redirectTo);
  };
}
