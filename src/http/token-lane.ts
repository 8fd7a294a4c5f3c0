import type { IncomingMessage, OutgoingHttpHeaders, RequestListener, ServerResponse } from "node:http";
import type { Express, Request, RequestHandler, Response } from "express";
import { apiHeaderList } from "./api-headers.ts";
import { authenticateBearer, isBearer } from "./authenticate.ts";
import type { HttpDeps } from "./deps.ts";
import { problemAnswer } from "./error-response.ts";
import { postAccessTokens } from "./post-access-tokens.ts";
import { BODY_BYTES_MAX, readPlainJson } from "./read-plain-json.ts";
import { readBody } from "./read-request.ts";
import { unclearIn } from "./request-hygiene.ts";

const { path, body: schema, handle } = postAccessTokens;
const JSON_TYPE = /^application\/json(?:; ?charset=utf-8)?$/i;

/**
 * The lane of nearly all requests: `POST /v1/access-tokens` with a broker token and a plain JSON body passes by the framework, whose way
 * through ninety routes costs more than the token. Nothing is decided here: who calls, what is read, what is told and what is
 * refused are the same functions, and whatever is asked in any other way goes to Express. That both answer alike, to the header, is tested.
 * @param app the same interface, and its settings
 * @param before what sees each request go by and refuses none; it reads of a response `locals`, and of a request its route
 */
export function tokenLane(deps: HttpDeps, app: Express, before: readonly RequestHandler[]): RequestListener {
  const headers = apiHeaderList();
  const addressOf = addressReader(app);
  const fixed = {
    ...headers,
    "Cache-Control": "no-store",
    "Content-Type": "application/json; charset=utf-8",
  };

  const answer = async (request: LaneRequest, response: LaneResponse): Promise<void> => {
    const { requestId } = response.locals;
    try {
      const sent = await readPlainJson(request);
      const { id: client, generation } = await authenticateBearer(deps.clients, request, requestId);
      response.locals.client = client;
      const address = addressOf(request);
      const told = await handle({
        deps,
        client,
        proven: { id: client, generation },
        body: readBody(schema!, sent),
        note: { actor: `client:${client}`, requestId, address },
      } as never);
      send(response, 200, { ...fixed, "X-Request-Id": requestId }, JSON.stringify(told));
    } catch (error) {
      const { authorization } = request.headers;
      const told = problemAnswer(deps, error, { requestId, oauth: false, authorization });
      response.locals.code = told.code;
      if (response.headersSent || response.destroyed) return;
      send(response, told.status, { ...headers, "X-Request-Id": requestId, ...told.headers }, told.body);
    }
  };

  return (request, response) => {
    if (!isPlain(request)) return app(request, response);
    const served = Object.assign(request, { route: { path }, baseUrl: "" });
    const answering = Object.assign(response, { locals: { requestId: deps.newRequestId() } });
    pass(before, served, answering, () => void answer(served, answering));
  };
}

type LaneRequest = IncomingMessage & { readonly route: { readonly path: string }; readonly baseUrl: string };
type LaneResponse = ServerResponse & {
  readonly locals: { readonly requestId: string; client?: string; code?: string };
};

/** What the lane can read without a question; everything else is Express'. */
function isPlain(request: IncomingMessage): boolean {
  const { method, url, headers } = request;
  if (method !== "POST" || url !== path) return false;
  const length = Number(headers["content-length"]);
  return (
    length > 0 &&
    length <= BODY_BYTES_MAX &&
    headers["content-encoding"] === undefined &&
    JSON_TYPE.test(headers["content-type"] ?? "") &&
    isBearer(request) &&
    unclearIn(request.rawHeaders) === undefined
  );
}

/** Through those who watch, in their order. */
const pass = (
  [first, ...rest]: readonly RequestHandler[],
  request: LaneRequest,
  response: LaneResponse,
  go: () => void,
): unknown =>
  first === undefined
    ? go()
    : first(request as unknown as Request, response as unknown as Response, () =>
        pass(rest, request, response, go),
      );

function send(response: ServerResponse, status: number, headers: OutgoingHttpHeaders, body: string): void {
  response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body) }).end(body);
}

/** From where a request comes, as Express reads it: past the proxies that the settings name. */
function addressReader(app: Express): (request: IncomingMessage) => string {
  const { get: ipOf } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(app.request), "ip") ?? {};
  const trusted: unknown = app.get("trust proxy");
  const nobody = Array.isArray(trusted) && trusted.length === 0;
  return (request) =>
    nobody || request.headers["x-forwarded-for"] === undefined
      ? (request.socket.remoteAddress ?? "")
      : String(ipOf?.call({ app, headers: request.headers, socket: request.socket }) ?? "");
}
