import type { RequestHandler } from "express";
import { sendNotFound } from "./error-page.ts";
import type { PageDeps } from "./page-deps.ts";

export const LOGO_ADDRESS = "/brand/logo";

/** `GET /brand/logo`. An SVG that somebody opens by itself is a document: this policy lets nothing in it run or load. */
export function getLogo(deps: PageDeps): RequestHandler {
  return (_request, response) => {
    const { logo } = deps.settings;
    if (logo === undefined) return sendNotFound(deps, response);
    response.set({
      "Content-Type": logo.type,
      "Content-Security-Policy": "default-src 'none'; sandbox",
      "Cache-Control": "public, max-age=300",
    });
    response.status(200).end(logo.bytes);
  };
}
