import { IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { RequestHandler } from "express";
import helmet from "helmet";

/** What every answer to a machine says to a browser that shows it by mistake. */
export const apiHeaders: RequestHandler = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { "default-src": ["'none'"], "frame-ancestors": ["'none'"] },
  },
  referrerPolicy: { policy: "no-referrer" },
}) as RequestHandler;

/** The same as a list: they are no different from one answer to the next. */
export function apiHeaderList(): OutgoingHttpHeaders {
  const request = new IncomingMessage(new Socket());
  const response = new ServerResponse(request);
  apiHeaders(request as never, response as never, () => {});
  return response.getHeaders();
}
