import type { ErrorRequestHandler, Request, RequestHandler, Response } from "express";
import { Problem } from "../domain/problem.ts";
import { PROBLEMS, type ProblemCode } from "../domain/problem-catalogue.ts";
import type { HttpDeps } from "./deps.ts";
import { requestIdOf } from "./route.ts";

/** The body of every refusal under `/v1` (RFC 9457), and the extension members of the token endpoint's. */
export function problemBody(
  deps: Pick<HttpDeps, "settings">,
  response: Response,
  problem: Problem,
): Record<string, unknown> {
  const kind = PROBLEMS[problem.code];
  const { detail, link, members, faults, retryAfterMs, instead } = problem.details;
  return {
    type: `${deps.settings.publicBaseUrl}/docs/problems#${problem.code}`,
    title: kind.title,
    status: kind.status,
    ...(detail === undefined || kind.status >= 500 ? {} : { detail }),
    code: problem.code,
    remedy: problem.remedy,
    action: instead?.action ?? kind.action,
    retryable: problem.remedy === "time",
    ...(retryAfterMs === undefined ? {} : { retry_after: wholeSeconds(retryAfterMs) }),
    ...(link === undefined ? {} : { link }),
    ...(faults === undefined ? {} : { faults }),
    ...members,
    request_id: requestIdOf(response),
    support: deps.settings.supportContact,
  };
}

/** RFC 6749 §5.2: `error` is the standard's word, everything else an extension member. */
export function oauthErrorBody(
  deps: Pick<HttpDeps, "settings">,
  response: Response,
  problem: Problem,
): Record<string, unknown> {
  const { type, title, status: _, ...rest } = problemBody(deps, response, problem);
  return {
    error: PROBLEMS[problem.code].oauthError ?? "invalid_request",
    error_description: describe(problem, title),
    error_uri: type,
    ...rest,
  };
}

/** Libraries show this and nothing else, so it says as much as may be said; §5.2 names the letters it may hold. */
const describe = ({ code, details: { detail } }: Problem, title: unknown): unknown =>
  code === "invalid_client" && detail !== undefined && /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/.test(detail)
    ? detail
    : title;

/** RFC 6749 §5.2 knows 400 and 401; what time cures keeps its own status, so that every client waits. */
export function oauthErrorStatus(code: ProblemCode): number {
  const { status, oauthError } = PROBLEMS[code];
  if (oauthError === "invalid_client" || status === 429 || status >= 500) return status;
  return 400;
}

export function sendRetryAfter(response: Response, problem: Problem): void {
  const { retryAfterMs } = problem.details;
  if (retryAfterMs !== undefined) response.set("Retry-After", String(wholeSeconds(retryAfterMs)));
}

const wholeSeconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1_000));

/** Everything a route threw, told once. What is not a `Problem` is ours: logged by its name, answered opaquely. */
export function problemHandler(deps: HttpDeps): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) return next(error);
    const problem = asProblem(deps, response, error);
    response.locals.code = problem.code;
    const oauth = /^\/oauth2\/token\/?$/i.test(request.path);
    sendRetryAfter(response, problem);
    response.set("Cache-Control", "no-store");
    if (problem.code === "invalid_client") {
      response.set("WWW-Authenticate", oauth ? BASIC : `${bearerChallenge(request)}, ${BASIC}`);
    }
    const status = oauth ? oauthErrorStatus(problem.code) : PROBLEMS[problem.code].status;
    const body = oauth ? oauthErrorBody(deps, response, problem) : problemBody(deps, response, problem);
    response
      .status(status)
      .type(oauth ? "application/json" : "application/problem+json")
      .send(JSON.stringify(body));
  };
}

const BASIC = 'Basic realm="token broker", charset="UTF-8"';

/** RFC 6750 §3.1: `invalid_token` to whoever brought one; no error code to whoever brought nothing. */
const bearerChallenge = (request: Request): string =>
  /^bearer /i.test(request.headers.authorization ?? "")
    ? 'Bearer realm="token broker", error="invalid_token"'
    : 'Bearer realm="token broker"';

export const notFound: RequestHandler = () => {
  throw new Problem("not_found");
};

function asProblem(deps: HttpDeps, response: Response, error: unknown): Problem {
  const requestId = requestIdOf(response);
  if (error instanceof Problem) {
    if (PROBLEMS[error.code].status >= 500 && error.remedy !== "time") {
      deps.log.error(
        {
          requestId,
          code: error.code,
          ...(error.details.detail === undefined ? {} : { detail: error.details.detail }),
        },
        "request failed",
      );
    }
    return error;
  }
  // Express' own refusals (a body too large, malformed JSON) carry a status and a type; their messages quote the body.
  const { status, type } = error as { status?: number; type?: string };
  if (status !== undefined && status >= 400 && status < 500) {
    const detail = type === "entity.too.large" ? "The body is too large." : "The body cannot be read.";
    return new Problem("invalid_request", { detail });
  }
  const name = error instanceof Error ? error.name : typeof error;
  const place = error instanceof Error ? (error.stack?.split("\n")[1]?.trim() ?? "") : "";
  deps.log.error({ requestId, code: "internal_error", detail: `${name} ${place}` }, "request failed");
  return new Problem("internal_error");
}
