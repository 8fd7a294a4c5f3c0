import express, {
  type Express,
  type Request,
  type RequestHandler,
  type Response,
  type Router,
} from "express";
import { z } from "zod";
import { Problem } from "../domain/problem.ts";
import { apiHeaders } from "./api-headers.ts";
import { authenticate } from "./authenticate.ts";
import type { HttpDeps } from "./deps.ts";
import { docsRouter } from "./docs.ts";
import { notFound, problemHandler } from "./error-response.ts";
import { auditKeys, authorizationServerMetadata } from "./metadata.ts";
import { OAUTH_HEADERS, postAlone, postOauth2Token, readFormBody } from "./post-oauth2-token.ts";
import { type CertificateSource, takeCertificate } from "./presented-certificate.ts";
import { BODY_BYTES_MAX } from "./read-plain-json.ts";
import { readBody } from "./read-request.ts";
import { parseQuery, requestHygiene } from "./request-hygiene.ts";
import { Content, giveRequestId, type Route, type RouteCall, requestIdOf } from "./route.ts";
import { routes } from "./routes.ts";
import { sendLines, wantsLines } from "./send-lines.ts";

const nothing = z.strictObject({});

/**
 * The public listener; without pages and `docs`, the one for machines that have certificates.
 * @param extras what `main` mounts beside the API: the access log in front, the pages behind
 */
export function buildApp(
  deps: HttpDeps,
  extras: {
    readonly before?: readonly RequestHandler[];
    readonly pages?: Router;
    readonly docs?: boolean;
    readonly certificates?: CertificateSource;
  } = {},
): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.set("query parser", parseQuery);
  app.set("trust proxy", [...deps.settings.trustedProxyCidrs]);

  app.use((_request, response, next) => {
    giveRequestId(response, deps.newRequestId());
    next();
  });
  app.use(takeCertificate(extras.certificates ?? "none"));
  for (const handler of extras.before ?? []) app.use(handler);
  app.use(requestHygiene);

  app.use(["/v1", "/oauth2/token", "/.well-known"], apiHeaders);
  app.use("/oauth2/token", (_request, response, next) => {
    response.set(OAUTH_HEADERS);
    next();
  });
  app.post("/oauth2/token", readFormBody, postOauth2Token(deps));
  app.all("/oauth2/token", postAlone(deps));
  app.get("/.well-known/oauth-authorization-server", authorizationServerMetadata(deps));
  app.get("/.well-known/audit-keys", auditKeys(deps));

  const json = express.json({ limit: BODY_BYTES_MAX, strict: true });
  for (const route of routes) {
    app[route.method](expressPath(route), json, handlerOf(deps, route));
  }
  if (extras.docs !== false) app.use(docsRouter(deps));
  if (extras.pages !== undefined) app.use(extras.pages);
  app.use(notFound);
  app.use(problemHandler(deps));
  return app;
}

export const expressPath = (route: Pick<Route, "path">): string => route.path.replaceAll(/\{(\w+)\}/g, ":$1");

function handlerOf(deps: HttpDeps, route: Route): RequestHandler {
  return async (request, response) => {
    const { record, ...proven } = await authenticate(deps.clients, request, response);
    const client = proven.id;
    response.locals.client = client;
    const call: RouteCall<unknown, unknown, unknown> = {
      deps,
      client,
      caller: { client, address: request.ip ?? "" },
      proven,
      // An id of the wrong shape names nothing, and is not told apart from one that names nothing.
      params: route.params && readParams(route.params, request.params),
      query: route.query
        ? readBody(route.query, { ...request.query })
        : readBody(nothing, { ...request.query }),
      body: route.body && readBody(route.body, request.body),
      note: { actor: `client:${client}`, requestId: requestIdOf(response), address: request.ip ?? "" },
      streamed:
        route.answer.lines !== undefined && (route.answer.schema === undefined || wantsLines(request)),
      idempotencyKey: route.idempotent && readIdempotencyKey(request),
      prefers: (...types) => {
        response.vary("Accept");
        return (request.accepts([...types]) || types[0]) as (typeof types)[number];
      },
      untilGone: () => untilGone(response),
      record: async () => record ?? (await deps.clients.clients.findClient(client)) ?? refuse(),
    };
    const answer = await route.handle(call as never);
    response.set("Cache-Control", "no-store");
    if (call.streamed) return sendLines(deps, response, answer as AsyncIterator<unknown>);
    if (route.answer.status === 204) response.status(204).end();
    else if (answer instanceof Content) sendContent(response.status(route.answer.status), answer);
    else response.status(route.answer.status).json(answer);
  };
}

function sendContent(response: Response, { type, body, headers }: Content): void {
  response.set({ ...headers, "Content-Type": type, "X-Content-Type-Options": "nosniff" });
  // `end`, since `send` would add a charset to a zip.
  response.end(body);
}

function readParams(schema: NonNullable<Route["params"]>, params: unknown): unknown {
  const read = schema.safeParse({ ...(params as object) });
  if (!read.success) throw new Problem("not_found");
  return read.data;
}

/** Made only where a route waits: an abort costs an error object with its stack. */
function untilGone(response: Response): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  return gone.signal;
}

function readIdempotencyKey(request: Request): string | undefined {
  const key = request.get("Idempotency-Key");
  if (key !== undefined && !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Problem("invalid_request", {
      faults: [{ field: "Idempotency-Key", message: "has 1 to 255 printable characters" }],
    });
  }
  return key;
}

function refuse(): never {
  throw new Problem("invalid_client");
}
