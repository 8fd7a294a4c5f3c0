import type { Request, RequestHandler, Response } from "express";
import { z } from "zod";
import type { LibraryOutcome } from "../broker/authorization/ports.ts";
import { type AuthorizationResponse, receiveCallback } from "../broker/authorization/receive-callback.ts";
import { finishPageAuthorization } from "../broker/libraries/authorize-libraries.ts";
import { finishPortalAuthorization } from "../broker/portal/finish-portal.ts";
import { parseId, type ServerId } from "../domain/id.ts";
import { Problem } from "../domain/problem.ts";
import { Secret } from "../domain/secret.ts";
import { librariesAddress, libraryAddress } from "./addresses.ts";
import { clearCookie, connectCookie, readCookie, setPageCookie } from "./cookies.ts";
import { errorAddress, problemOf } from "./error-page.ts";
import type { PageDeps } from "./page-deps.ts";
import { auditNote, endPageSession } from "./page-session.ts";
import { queryValues } from "./query.ts";
import { seeOther } from "./send-page.ts";

/**
 * `GET /oauth2/callback/:registration`: the browser is back from iManage (RFC 6749 §4.1.2). Whatever happens, the answer
 * is a 303 to an address without code and state, so that neither stays in the address bar, the history or a referrer (T08).
 */
export function getOauth2Callback(deps: PageDeps): RequestHandler<{ registration: string }> {
  return async (request, response) => {
    const seen: Seen = {};
    try {
      seeOther(response, await follow(deps, request, response, seen));
    } catch (error) {
      const problem = problemOf(deps, response, error);
      const { server, library } = seen;
      // Somebody lent it while he was at iManage: the form says so, and whose place he would take now (T11).
      if (problem.code === "upstream_user_changed" && server !== undefined && library !== undefined)
        return seeOther(response, libraryAddress({ id: server }, library, "authorize"));
      seeOther(
        response,
        errorAddress(problem.code, server, deps.requestIdOf(response), problem.details.members),
      );
    }
  };
}

/** What is known by the time that something goes wrong. */
interface Seen {
  server?: ServerId;
  /** The one library that it was for. */
  library?: string | undefined;
}

/** @returns where to send the browser */
async function follow(
  deps: PageDeps,
  request: Request<{ registration: string }>,
  response: Response,
  seen: Seen,
): Promise<string> {
  const { settings } = deps;
  let connect: string | undefined;
  const outcome = await receiveCallback(deps.authorization, {
    ...readAuthorizationResponse(request),
    cookie: (suffix) => {
      const secret = readCookie(request, connectCookie(settings, suffix));
      if (secret !== undefined) connect = connectCookie(settings, suffix);
      return secret;
    },
  });
  // Only now: an answer that took nothing leaves the cookie to the one that is still to come (T03).
  if (connect !== undefined) clearCookie(response, settings, connect);

  switch (outcome.kind) {
    case "return":
      return outcome.redirectTo;
    case "failed":
      return `/connect/result/${outcome.session}`;
    case "portal": {
      seen.server = outcome.server.id;
      const note = auditNote(deps, request, response);
      const ended = await finishPortalAuthorization(deps.authorization, outcome, note);
      return ended === "connected"
        ? `/my-integrations?${new URLSearchParams({ connected: outcome.server.id })}`
        : `/connect/result/${outcome.session.id}`;
    }
    case "page": {
      seen.server = outcome.server.id;
      const { purpose } = outcome;
      if (purpose.act === "authorize-libraries" && purpose.libraries.length === 1)
        seen.library = purpose.libraries[0]?.library;
      const note = auditNote(deps, request, response);
      const { sessionCookie, libraries } = await finishPageAuthorization(deps.libraries, outcome, note);
      // A new sign-in is a new session; the one before ends with it (session fixation).
      await endPageSession(deps, request);
      setPageCookie(response, settings, sessionCookie);
      const page = librariesAddress(outcome.server);
      if (libraries.length === 0) return page;
      // Of several the session knows: hundreds of names are too long for an address.
      const [{ library }] = libraries as [LibraryOutcome];
      return `${page}?${new URLSearchParams({ authorized: libraries.length === 1 ? library : "" })}`;
    }
  }
}

/**
 * Each at most once (RFC 6749 §3.1), and no longer than what it may be; one without a value counts as left out (ibid.).
 * Parameters we do not know are ignored (§4.1.2), `error_description` among them: it is prose, and not ours (T09).
 */
const parameter = (max: number) =>
  z
    .array(z.string().max(max))
    .max(1)
    .transform(([value]) => (value === "" ? undefined : value));

const responseSchema = z.object({
  registration: z.string().refine((id) => parseId("reg", id) !== undefined),
  state: parameter(200),
  code: parameter(4_096),
  error: parameter(256),
  iss: parameter(2_048),
});

function readAuthorizationResponse(
  request: Request<{ registration: string }>,
): Omit<AuthorizationResponse, "cookie"> {
  const { success, data } = responseSchema.safeParse({
    registration: request.params.registration,
    state: queryValues(request, "state"),
    code: queryValues(request, "code"),
    error: queryValues(request, "error"),
    iss: queryValues(request, "iss"),
  });
  if (!success || data.state === undefined) throw new Problem("authorization_response_invalid");
  return {
    registration: data.registration,
    state: new Secret(data.state),
    code: data.code === undefined ? undefined : new Secret(data.code),
    error: data.error,
    issuer: data.iss,
  };
}
