import { isIP } from "node:net";
import type { Queue } from "bullmq";
import express, { type ErrorRequestHandler, type Express, type Request, type RequestHandler } from "express";
import helmet from "helmet";
import type { Log } from "../broker/ports.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { maySeeQueues } from "../domain/operator.ts";
import { type Finding, refuses } from "./finding.ts";
import { isLocal, type QueueVisitors, queueDoor, refuse, refuseChanges } from "./queue-door.ts";
import type { Durability } from "./self-checks.ts";

export interface Readiness {
  readonly checks: readonly Finding[];
  /** What the store forgets when, as far as it is known. */
  readonly durability?: Durability;
}

/** Where a process is in its life: it serves when all of its listeners answer, and until it is told to end. */
export type Phase = "starting" | "serving" | "ending";

const LOOPBACK: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];
const CHECKS_MAX_MS = seconds(5);
/** Whoever asks again within it gets the same answer: probes need no sign-in, and each look asks Redis for much. */
const READINESS_KEPT_MS = seconds(1);

/** Operators who sign in at this listener. */
export interface OpsOperators extends QueueVisitors {
  /** The pages of their sign-in, at `/operators`. */
  readonly pages: RequestHandler;
}

/**
 * What operators and probes look at. A request under a foreign name is refused, because a page on the internet can
 * have its own name point at 127.0.0.1. Health is anybody's, the rest an operator's who has signed in. Where no sign-in is
 * set up it is for whoever is on this machine, and nothing can be changed.
 */
export function buildOpsApp(parts: {
  readonly checks: () => Promise<Readiness>;
  /** Only one that serves is ready, whatever was found a moment ago. `serving` where it is left out. */
  readonly phase?: () => Phase;
  /** Shown on the board at `/queues`. None: no board. */
  readonly queues: readonly Queue[];
  readonly metricsText?: () => Promise<string> | string;
  /** Whether somebody who scrapes has shown the token. */
  readonly isMetricsToken?: (presented: string) => boolean;
  readonly operators?: OpsOperators | undefined;
  readonly newRequestId?: () => string;
  readonly log: Log;
  /** Names under which this listener may be asked, without port. */
  readonly allowedHosts?: readonly string[];
  readonly checksMaxMs?: Milliseconds;
}): Express {
  const { queues, metricsText, isMetricsToken, operators, log, allowedHosts = LOOPBACK } = parts;
  const app = express().disable("x-powered-by").disable("etag").set("query parser", "simple");

  app.use(securityHeaders("none"));
  app.use(refuseForeignHosts(allowedHosts));
  app.use(noStore);
  app.use((_req, res, next) => {
    res.locals.requestId = parts.newRequestId?.() ?? "";
    next();
  });

  const seesAll = async (req: Request): Promise<boolean> => {
    const operator = await operators?.find(req);
    return operator !== undefined && maySeeQueues(operator.session);
  };
  const showsToken = (req: Request): boolean => {
    const presented = /^Bearer ([\w.~+/=-]{1,512})$/i.exec(req.get("Authorization") ?? "")?.[1];
    return presented !== undefined && isMetricsToken?.(presented) === true;
  };
  const mayKnow = async (req: Request): Promise<boolean> =>
    isLocal(req) || showsToken(req) || (await seesAll(req));

  app.all("/healthz", refuseChanges, (_req, res) => void res.json({ status: "ok" }));

  let last: { readonly at: number; readonly phase: Phase; readonly found: Promise<Readiness> } | undefined;
  const readiness = async (phase: Phase): Promise<Readiness> => {
    if (phase === "ending") return { checks: [ENDING] };
    const now = performance.now();
    // What was found while it started says nothing of it once it serves.
    if (last === undefined || last.phase !== phase || now - last.at >= READINESS_KEPT_MS) {
      last = {
        at: now,
        phase,
        found: readinessWithin(parts.checksMaxMs ?? CHECKS_MAX_MS, parts.checks, log),
      };
    }
    const found = await last.found;
    return phase === "starting" ? { ...found, checks: [STARTING, ...found.checks] } : found;
  };
  app.all("/readyz", refuseChanges, async (req, res) => {
    const { checks, durability } = await readiness(parts.phase?.() ?? "serving");
    const ready = !checks.some(refuses);
    // A store that is away must not keep a probe waiting, or turn its answer into an error.
    const whole = await mayKnow(req).catch(() => false);
    res.status(ready ? 200 : 503).json({
      status: ready ? "ready" : "not_ready",
      ...(durability !== undefined && { durability: whole ? durability : { class: durability.class } }),
      checks: whole ? checks : checks.map(({ check, ok, severity }) => ({ check, ok, severity })),
    });
  });

  if (metricsText !== undefined) {
    app.all("/metrics", refuseChanges, async (req, res) => {
      if (!(await mayKnow(req)))
        return refuse(res.set("WWW-Authenticate", 'Bearer realm="metrics"'), 401, {
          code: "metrics_not_allowed",
          detail:
            "Metrics are for this machine, for who shows the token, and for operators who have signed in.",
          action: "Send the token of OPS_METRICS_TOKEN_FILE as a bearer token, or sign in at /operators.",
        });
      const text = await metricsText();
      res.type("text/plain; version=0.0.4; charset=utf-8").send(text);
    });
  }

  if (queues.length > 0)
    app.use("/queues", securityHeaders("board"), queueDoor(queues, "/queues", operators));

  if (operators !== undefined) app.use(operators.pages);
  app.use(refuseChanges);
  app.use((_req, res) => void res.status(404).json({ error: "not_found" }));
  app.use(answerError(log));
  return app;
}

const STARTING: Finding = {
  check: "start",
  ok: false,
  severity: "refuse",
  sentence: "This process is starting.",
  remedy: "Wait: the other checks say what it may be waiting for.",
};
const ENDING: Finding = {
  check: "shutdown",
  ok: false,
  severity: "refuse",
  sentence: "This process is ending: it finishes what is under way, and takes nothing more.",
  remedy: "Send requests to another replica.",
};

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
