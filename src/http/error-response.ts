import type { ErrorRequestHandler, RequestHandler } from "express";
import { Problem } from "../domain/problem.ts";
import { PROBLEMS, type ProblemCode } from "../domain/problem-catalogue.ts";
import type { HttpDeps } from "./deps.ts";
import { requestIdOf } from "./route.ts";

/** The body of every refusal under `/v1` (RFC 9457), and the extension members of the token endpoint's. */
export function problemBody(
  deps: Pick<HttpDeps, "settings">,
  requestId: string,
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
    request_id: requestId,
    support: deps.settings.supportContact,
  };
}

/** RFC 6749 §5.2: `error` is the standard's word, everything else an extension member. */
export function oauthErrorBody(
  deps: Pick<HttpDeps, "settings">,
  requestId: string,
  problem: Problem,
): Record<string, unknown> {
  const { type, title, status: _, ...rest } = problemBody(deps, requestId, problem);
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

const wholeSeconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1_000));

/** What a caller is told of whatever was thrown. What is not a `Problem` is ours: logged by its name, answered opaquely. */
export interface ProblemAnswer {
  readonly status: number;
  readonly code: ProblemCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** @param to `oauth`: asked at the token endpoint; `authorization`: that header of the request */
export function problemAnswer(
  deps: Pick<HttpDeps, "settings" | "log">,
  error: unknown,
  to: { readonly requestId: string; readonly oauth: boolean; readonly authorization: string | undefined },
): ProblemAnswer {
  const { requestId, oauth } = to;
  const problem = asProblem(deps, requestId, error);
  const { code } = problem;
  const { retryAfterMs } = problem.details;
  const body = oauth ? oauthErrorBody(deps, requestId, problem) : problemBody(deps, requestId, problem);
  return {
    status: oauth ? oauthErrorStatus(code) : PROBLEMS[code].status,
    code,
    headers: {
      ...(retryAfterMs !== undefined && { "Retry-After": String(wholeSeconds(retryAfterMs)) }),
      "Cache-Control": "no-store",
      ...(code === "invalid_client" && {
        "WWW-Authenticate": oauth ? BASIC : `${bearerChallenge(to.authorization)}, ${BASIC}`,
      }),
      "Content-Type": oauth ? "application/json; charset=utf-8" : "application/problem+json; charset=utf-8",
    },
    body: JSON.stringify(body),
  };
}

/** Everything a route threw, told once. */
export function problemHandler(deps: HttpDeps): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) return next(error);
    const { status, code, headers, body } = problemAnswer(deps, error, {
      requestId: requestIdOf(response),
      oauth: /^\/oauth2\/token\/?$/i.test(request.path),
      authorization: request.headers.authorization,
    });
    response.locals.code = code;
    response.status(status).set(headers).send(body);
  };
}

const BASIC = 'Basic realm="token broker", charset="UTF-8"';

/** RFC 6750 §3.1: `invalid_token` to whoever brought one; no error code to whoever brought nothing. */
const bearerChallenge = (authorization = ""): string =>
  /^bearer /i.test(authorization)
    ? 'Bearer realm="token broker", error="invalid_token"'
    : 'Bearer realm="token broker"';

export const notFound: RequestHandler = () => {
  throw new Problem("not_found");
};

function asProblem(deps: Pick<HttpDeps, "log">, requestId: string, error: unknown): Problem {
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
