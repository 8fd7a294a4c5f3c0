import { createRequire } from "node:module";
import { dirname } from "node:path";
import express, { Router } from "express";
import helmet from "helmet";
import { PROBLEMS } from "../domain/problem-catalogue.ts";
import type { HttpDeps } from "./deps.ts";

const assets = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));

/** The OpenAPI document, a page that reads it out, and every problem code with its remedy. No third-party resource. */
export function docsRouter({ settings }: Pick<HttpDeps, "settings">): Router {
  const router = Router();
  // Made when it is first asked for: it costs a tenth of what a start may take.
  let document: Promise<string> | undefined;
  router.get("/openapi.json", async (_request, response) => {
    document ??= import("./openapi.ts").then(({ openApiDocument }) =>
      JSON.stringify(openApiDocument(settings.publicBaseUrl)),
    );
    response.type("application/json").send(await document);
  });

  // Swagger UI styles itself by attributes: a named exception of the pages' policy, for these pages alone (design §7).
  const policy = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
      },
    },
    referrerPolicy: { policy: "no-referrer" },
  });
  router.get("/docs", policy, (_request, response) => void response.type("html").send(page));
  router.get(
    "/docs/start.js",
    policy,
    (_request, response) => void response.type("text/javascript").send(start),
  );
  router.get("/docs/problems", policy, (_request, response) => void response.type("html").send(problems));
  router.use(
    "/docs/assets",
    policy,
    express.static(assets, { index: false, fallthrough: true, maxAge: "1h" }),
  );
  return router;
}

const start = `SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", deepLinking: true, supportedSubmitMethods: [], validatorUrl: null });`;

const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Token broker for iManage Work: interface</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css"></head>
<body><div id="api"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>`;

const encode = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

const problems = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Problem codes</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}dt{margin-top:1.5rem}code{font-size:1.05em}</style></head>
<body><h1>Problem codes</h1><p>A code is stable and never reused. The remedy says who must act before the same request can succeed.</p><dl>
${Object.entries(PROBLEMS)
  .map(
    ([code, { status, remedy, title, action }]) =>
      `<dt id="${code}"><code>${code}</code> · ${status} · ${remedy}</dt><dd>${encode(title)} ${encode(action)}</dd>`,
  )
  .join("\n")}
</dl></body></html>`;
