import type { Request, RequestHandler } from "express";
import type { HttpSurface, Meters } from "../broker/meter-ports.ts";
import type { Clock } from "../broker/ports.ts";
import { systemClock } from "./clock.ts";
import { inRequest, type OperatorLog } from "./log.ts";

/**
 * One line per request, when it is over. Of the address only the route's pattern is written: paths and queries hold
 * states, codes and handles (T36).
 * The request's id is read from `res.locals.requestId`, where whoever makes it puts it; so is who proved to be calling (`client`),
 * and with which problem it was answered (`code`). What is logged on the way has the same id.
 */
export function accessLog(
  log: Pick<OperatorLog, "request">,
  clock: Pick<Clock, "monotonicMs"> = systemClock(),
  meters?: Pick<Meters, "httpRequest">,
): RequestHandler {
  return (req, res, next) => {
    const startedAtMs = clock.monotonicMs();
    const method = methodOf(req);
    // `close` comes once, after the answer or instead of it.
    res.once("close", () => {
      const { requestId, client, code }: Record<string, unknown> = res.locals;
      const route = routePattern(req);
      const elapsedMs = clock.monotonicMs() - startedAtMs;
      meters?.httpRequest(surfaceOf(route), res.writableFinished ? res.statusCode : "aborted", elapsedMs);
      log.request({
        method,
        route,
        status: res.statusCode,
        elapsedMs,
        ...(typeof requestId === "string" && { requestId }),
        ...(typeof client === "string" && { client }),
        ...(typeof code === "string" && { code }),
        ...(!res.writableFinished && { outcome: "aborted" }),
      });
    });
    const { requestId } = res.locals;
    if (typeof requestId === "string") inRequest(requestId, next);
    else next();
  };
}

const KNOWN_METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

export const methodOf = ({ method }: Pick<Request, "method">): string =>
  KNOWN_METHODS.has(method) ? method : "other";

const TOKEN_ROUTES: ReadonlySet<string> = new Set(["/v1/access-tokens", "/oauth2/token"]);

/** Of a route's pattern: four words, whatever was asked for. */
const surfaceOf = (route: string): HttpSurface =>
  TOKEN_ROUTES.has(route)
    ? "token"
    : route === "unmatched"
      ? route
      : route.startsWith("/v1/")
        ? "api"
        : "pages";

/** The pattern that answered, or `unmatched`. Where routers are mounted, the address in front of it counts as a pattern only where it is plain words. */
export function routePattern(req: Pick<Request, "route" | "baseUrl">): string {
  const path: unknown = (req.route as { path?: unknown } | undefined)?.path;
  if (path === undefined) return "unmatched";
  const pattern = Array.isArray(path) ? path.map(String).join("|") : String(path);
  const base = req.baseUrl
    .split("/")
    .map((segment) => (segment === "" || PLAIN_SEGMENT.test(segment) ? segment : ":"))
    .join("/");
  return `${base}${pattern === "/" && base !== "" ? "" : pattern}`;
}

/** `v1`, `oauth2`, `.well-known`, `connect-sessions`: a name that we gave, and no id, digest or handle. */
const PLAIN_SEGMENT = /^\.?[a-z]{1,16}(?:-[a-z]{1,16}){0,3}\d?$/;
