import type { ErrorRequestHandler, Request, RequestHandler, Response } from "express";
import { parseId, type ServerId } from "../domain/id.ts";
import { Problem, type ProblemDetails } from "../domain/problem.ts";
import { PROBLEMS, type ProblemCode } from "../domain/problem-catalogue.ts";
import type { Server } from "../domain/server.ts";
import { type Html, html } from "./html.ts";
import { layout } from "./layout.ts";
import type { PageDeps, PageSettings } from "./page-deps.ts";
import { problemPanel } from "./problem-panel.ts";
import { queryValue } from "./query.ts";
import { parseProblemCode, remedyFacts, remedyFor } from "./remedy.ts";
import { seeOther, sendPage } from "./send-page.ts";
import { en } from "./texts.en.ts";

export interface Back {
  readonly href: string;
  readonly label: string;
}

/** A problem as a page. `server` makes the remedy name the very switch and address (issue 2, point 4). */
export function errorPage(
  settings: PageSettings,
  code: ProblemCode,
  about: {
    readonly server?: Server | undefined;
    readonly reference?: string | undefined;
    readonly back?: Back | undefined;
    readonly people?: People | undefined;
  } = {},
): Html {
  const { server, reference, people } = about;
  const remedy = remedyFor(code, remedyFacts(settings, server));
  const to = about.back ?? (server && { href: `/servers/${server.id}/libraries`, label: en.libraries.back });
  const back =
    to !== undefined && html`<p class="actions"><a class="button" href="${to.href}">${to.label}</a></p>`;
  return layout(settings, {
    title: remedy.title,
    main: html`<h1>${remedy.title}</h1>
${
  people &&
  html`<dl class="card"><dt>${mismatch.expected}</dt><dd><bdi>${people.expected}</bdi></dd>
<dt>${mismatch.signedIn}</dt><dd><bdi>${people.signedIn}</bdi></dd></dl>`
}
${problemPanel(settings, remedy, reference, back)}`,
  });
}

const { mismatch } = en.authorizeLibrary;

/** Two whom a problem is about, masked (T11). */
interface People {
  readonly expected: string;
  readonly signedIn: string;
}

/** As `maskedUser` makes it: anybody may have written the address, and cannot say much in this shape. */
const MASKED = /^[^\s\p{C}]\*\*\*(@[\w.-]{1,190})?$/u;

function namedPeople(request: Request): People | undefined {
  const [expected = "", signedIn = ""] = ["expected", "signed_in_as"].map((name) =>
    queryValue(request, name),
  );
  return MASKED.test(expected) && MASKED.test(signedIn) ? { expected, signedIn } : undefined;
}

/**
 * Our own pages tell a fault of iManage (502) as 424: a proxy in front may put its own page in the place of a 502, and
 * with it would go the sentence that names the remedy.
 */
export const pageStatus = (code: ProblemCode): number =>
  PROBLEMS[code].status === 502 ? 424 : PROBLEMS[code].status;

/** Where a problem is told without the code and state that the address bar holds (T08). */
export function errorAddress(
  code: ProblemCode,
  server: ServerId | undefined,
  reference: string,
  members: ProblemDetails["members"] = {},
): string {
  const query = new URLSearchParams({ ...(server === undefined ? {} : { server }), reference });
  for (const name of ["expected", "signed_in_as"])
    if (members[name] !== undefined) query.set(name, String(members[name]));
  return `/connect/error/${code}?${query}`;
}

/** `GET /connect/error/:code` */
export function getConnectError(deps: PageDeps): RequestHandler<{ code: string }> {
  return async (request, response) => {
    const code = parseProblemCode(request.params.code);
    if (code === undefined)
      return sendPage(
        response,
        404,
        plainPage(deps.settings, en.unknownProblem.title, en.unknownProblem.body),
      );
    const reference = queryValue(request, "reference");
    const page = errorPage(deps.settings, code, {
      server: await findNamedServer(deps, request),
      // Somebody else may have written this address: only what looks like a request id is repeated.
      reference: reference !== undefined && /^[\w-]{4,64}$/.test(reference) ? reference : undefined,
      people: code === "upstream_user_mismatch" ? namedPeople(request) : undefined,
    });
    sendPage(response, pageStatus(code), page);
  };
}

/** The page must appear even while the store is away: then without what the server would add to it. */
async function findNamedServer(deps: PageDeps, request: Request): Promise<Server | undefined> {
  const id = parseId("srv", queryValue(request, "server") ?? "");
  if (id === undefined) return undefined;
  return deps.authorization.servers.findServer(id).catch(() => undefined);
}

/** For addresses of browsers that lead nowhere. Whoever does not ask for HTML gets the API's own answer. */
export function notFoundPage(deps: PageDeps): RequestHandler {
  return (request, response, next) => {
    if (isCallback(request))
      return seeOther(
        response,
        errorAddress("authorization_response_invalid", undefined, deps.requestIdOf(response)),
      );
    if (!isBrowserPath(request) || !request.accepts("html")) return next();
    sendNotFound(deps, response);
  };
}

export const sendNotFound = (deps: PageDeps, response: Response): void =>
  sendPage(response, 404, plainPage(deps.settings, en.notFound.title, en.notFound.body));

export const plainPage = (settings: PageSettings, title: string, body: string): Html =>
  layout(settings, { title, main: html`<h1>${title}</h1><p class="lead">${body}</p>` });

/** The one place where what a browser route threw becomes a page. */
export function errorHandler(deps: PageDeps): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent || !isBrowserPath(request)) return next(error);
    const { code, details } = problemOf(deps, response, error);
    const server: Server | undefined = response.locals.server;
    const reference = deps.requestIdOf(response);
    if (isCallback(request)) return seeOther(response, errorAddress(code, server?.id, reference));
    if (details.retryAfterMs !== undefined)
      response.set("Retry-After", String(Math.ceil(details.retryAfterMs / 1_000)));
    const back: Back | undefined = response.locals.back;
    sendPage(response, pageStatus(code), errorPage(deps.settings, code, { server, reference, back }));
  };
}

/** What is not a `Problem` is ours: logged by its name and place, told opaquely. Its message may quote what was sent. */
export function problemOf(deps: PageDeps, response: Response, error: unknown): Problem {
  const requestId = deps.requestIdOf(response);
  if (error instanceof Problem) {
    // It stands in the request's line.
    response.locals.code = error.code;
    return error;
  }
  const status = (error as { status?: unknown } | undefined)?.status;
  // Express' own refusals: a path that does not decode, a form too large.
  if (typeof status === "number" && status >= 400 && status < 500) return new Problem("invalid_request");
  const name = error instanceof Error ? error.name : typeof error;
  const place = error instanceof Error ? (error.stack?.split("\n    at ")[1]?.trim() ?? "") : "";
  deps.log.error({ requestId, code: "internal_error", detail: `${name} ${place}` }, "page failed");
  return new Problem("internal_error");
}

const isCallback = (request: Request): boolean => pathOf(request).startsWith("/oauth2/callback");

export const BROWSER_PATHS = [
  ...["/connect", "/servers", "/oauth2/callback"],
  ...["/portal", "/my-integrations", "/settings", "/operators", "/calendars", "/brand"],
] as const;

const isBrowserPath = (request: Request): boolean =>
  BROWSER_PATHS.some((prefix) => pathOf(request) === prefix || pathOf(request).startsWith(`${prefix}/`));

const pathOf = (request: Request): string => request.originalUrl.split("?")[0]!.toLowerCase();
