import type { RequestHandler } from "express";
import type { Tracer } from "../broker/tracer.ts";
import { methodOf, routePattern } from "./access-log.ts";

/** A span per request, named by its route. @param acceptParent whether a caller's `traceparent` is gone on from */
export function traceRequests(tracer: Tracer, acceptParent: boolean): RequestHandler {
  return (request, response, next) => {
    // Not by Express' `get`: token requests come without it.
    const { traceparent } = request.headers;
    const parent = acceptParent && typeof traceparent === "string" ? traceparent : undefined;
    const method = methodOf(request);
    void tracer.span(
      method,
      { method },
      (span) =>
        new Promise<void>((resolve) => {
          response.once("close", () => {
            const route = routePattern(request);
            const requestId: unknown = response.locals.requestId;
            span.note(
              {
                route,
                status: response.statusCode,
                ...(typeof requestId === "string" && { requestId }),
                ...(!response.writableFinished && { outcome: "aborted" }),
              },
              `${method} ${route}`,
            );
            resolve();
          });
          next();
        }),
      { kind: "server", parent },
    );
  };
}
