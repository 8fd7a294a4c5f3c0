import { isIP } from "node:net";
import type { Queue } from "bullmq";
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from "express";
import helmet from "helmet";
import type { Log } from "../broker/ports.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { type Finding, refuses } from "./finding.ts";
import { queueBoard } from "./queue-board.ts";
import type { Durability } from "./self-checks.ts";

export interface Readiness {
  readonly checks: readonly Finding[];
  /** What the store forgets when, as far as it is known. */
  readonly durability?: Durability;
}

const LOOPBACK: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];
const CHECKS_MAX_MS = seconds(5);

/**
 * What operators and probes look at. It has no sign-in of its own yet, so whoever runs it binds it to loopback; here a
 * request under a foreign name is refused, because a page on the internet can have its own name point at 127.0.0.1.
 * Nothing can be changed through it.
 */
export function buildOpsApp(parts: {
  readonly checks: () => Promise<Readiness>;
  /** Shown on the board at `/queues`. None: no board. */
  readonly queues: readonly Queue[];
  readonly metricsText?: () => Promise<string> | string;
  readonly log: Log;
  /** Names under which this listener may be asked, without port. */
  readonly allowedHosts?: readonly string[];
  readonly checksMaxMs?: Milliseconds;
}): Express {
  const { queues, metricsText, log, allowedHosts = LOOPBACK } = parts;
  const app = express().disable("x-powered-by").disable("etag").set("query parser", "simple");

  app.use(securityHeaders("none"));
  app.use(refuseForeignHosts(allowedHosts));
  app.use(refuseChanges);
  app.use(noStore);

  app.get("/healthz", (_req, res) => void res.json({ status: "ok" }));

  app.get("/readyz", async (_req, res) => {
    const { checks, durability } = await readinessWithin(
      parts.checksMaxMs ?? CHECKS_MAX_MS,
      parts.checks,
      log,
    );
    const ready = !checks.some(refuses);
    res.status(ready ? 200 : 503).json({
      status: ready ? "ready" : "not_ready",
      ...(durability !== undefined && { durability }),
      checks,
    });
  });

  if (metricsText !== undefined) {
    app.get("/metrics", async (_req, res) => {
      const text = await metricsText();
      res.type("text/plain; version=0.0.4; charset=utf-8").send(text);
    });
  }

  if (queues.length > 0) app.use("/queues", securityHeaders("board"), queueBoard(queues, "/queues"));

  app.use((_req, res) => void res.status(404).json({ error: "not_found" }));
  app.use(answerError(log));
  return app;
}

/** A check that throws or hangs is a process that is not ready, and is told like any other. */
async function readinessWithin(
  ms: Milliseconds,
  checks: () => Promise<Readiness>,
  log: Log,
): Promise<Readiness> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Readiness>((resolve) => {
    timer = setTimeout(resolve, ms, brokenChecks(`The checks did not end within ${ms} ms.`));
  });
  const answered = (async () => await checks())().catch((error: unknown) => {
    const code = codeOf(error);
    log.error({ code }, "readiness: the checks failed");
    return brokenChecks(`The checks failed: ${code}.`);
  });
  const readiness = await Promise.race([answered, late]);
  clearTimeout(timer);
  return readiness;
}

const brokenChecks = (sentence: string): Readiness => ({
  checks: [
    {
      check: "checks",
      ok: false,
      severity: "refuse",
      sentence,
      remedy: "See the log; most often Redis does not answer.",
    },
  ],
});

/**
 * Nothing may be loaded, framed or submitted. The board is a page: it loads its own scripts and styles, sets styles in
 * elements, and its `<base>` is its own address. Its link to a font service stays blocked.
 */
function securityHeaders(kind: "none" | "board"): RequestHandler {
  const own = ["'self'"];
  const directives = {
    "default-src": ["'none'"],
    "frame-ancestors": ["'none'"],
    "form-action": ["'none'"],
    "base-uri": kind === "board" ? own : ["'none'"],
    ...(kind === "board" && {
      "script-src": own,
      "style-src": [...own, "'unsafe-inline'"],
      "img-src": [...own, "data:"],
      "font-src": own,
      "connect-src": own,
    }),
  };
  return helmet({
    contentSecurityPolicy: { useDefaults: false, directives },
    xFrameOptions: { action: "deny" },
    // Plain http on loopback: a promise of https here would bind every other program on localhost.
    strictTransportSecurity: false,
  });
}

/** Probes and Prometheus name a replica by its address; only a name can be made to point elsewhere. */
const isAddress = (host: string): boolean => isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0;

function refuseForeignHosts(allowedHosts: readonly string[]): RequestHandler {
  const allowed = new Set(allowedHosts.map((host) => host.toLowerCase()));
  return (req, res, next) => {
    const host = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/.exec(
      (req.headers.host ?? "").toLowerCase(),
    )?.[1];
    if (host !== undefined && (allowed.has(host) || isAddress(host))) return next();
    res.status(421).json({ error: "host_not_allowed" });
  };
}

const noStore: RequestHandler = (_req, res, next) => {
  res.set("Cache-Control", "no-store");
  next();
};

/** The board is read-only by itself as well, but two of its routes then answer 200 and do nothing. */
const refuseChanges: RequestHandler = (req, res, next) => {
  if (req.method === "GET" || req.method === "HEAD") return next();
  res.status(405).set("Allow", "GET, HEAD").json({ error: "method_not_allowed" });
};

function answerError(log: Log): ErrorRequestHandler {
  return (error: unknown, _req, res, next) => {
    if (res.headersSent) return next(error);
    const status = (error as { status?: unknown } | undefined)?.status;
    // Express itself refuses malformed addresses with a 400.
    if (typeof status === "number" && status >= 400 && status < 500) {
      res.status(status).json({ error: "invalid_request" });
      return;
    }
    log.error({ code: codeOf(error) }, "ops listener: a request failed");
    res.status(500).json({ error: "internal_error" });
  };
}

/** A code or a class, never a message: those of foreign errors hold what they were given. */
function codeOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  const told = typeof code === "string" ? code : name;
  return typeof told === "string" && /^[A-Za-z][A-Za-z0-9_]{0,40}$/.test(told) ? told : "unknown";
}
