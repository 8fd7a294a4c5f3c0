import type { RequestHandler } from "express";

/**
 * For addresses that work once: a mail scanner's HEAD or a browser's prefetch must not use them up before the person
 * comes. A browser that is refused a prefetch loads the page when it is really visited.
 */
export const onlyVisits: RequestHandler = (request, response, next) => {
  if (request.method === "HEAD") return void response.status(405).set("Allow", "GET").end();
  if (/\bprefetch\b/.test(request.get("Sec-Purpose") ?? request.get("Purpose") ?? ""))
    return void response.status(503).end();
  next();
};
