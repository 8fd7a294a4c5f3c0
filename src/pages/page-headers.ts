import type { RequestHandler } from "express";
import helmet from "helmet";
import { STYLE_HASH } from "./style.ts";

/**
 * On every answer of a browser route, redirects and errors included (T08): no script, no foreign resource, no frame, no
 * referrer, nothing kept. `form-action 'self'` also forbids a POST that *redirects* to iManage, so those answer with a
 * page whose link leads there.
 */
export const pageHeaders: readonly RequestHandler[] = [
  helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        "default-src": ["'none'"],
        "style-src": [`'${STYLE_HASH}'`],
        "img-src": ["'self'", "data:"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
      },
    },
    referrerPolicy: { policy: "no-referrer" },
    frameguard: { action: "deny" },
  }),
  (_request, response, next) => {
    response.set({ "Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow" });
    next();
  },
];
