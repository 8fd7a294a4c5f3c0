import type { IncomingMessage, OutgoingHttpHeaders, RequestListener, ServerResponse } from "node:http";
import type { Express, Request, RequestHandler, Response } from "express";
import { apiHeaderList } from "./api-headers.ts";
import { authenticateBearer, isBearer } from "./authenticate.ts";
import type { HttpDeps } from "./deps.ts";
import { problemAnswer } from "./error-response.ts";
import { postAccessTokens } from "./post-access-tokens.ts";
import { answerForm, OAUTH_HEADERS, readFormBody } from "./post-oauth2-token.ts";
import { BODY_BYTES_MAX, readPlainJson } from "./read-plain-json.ts";
import { readBody } from "./read-request.ts";
import { unclearIn } from "./request-hygiene.ts";

/**
 * The lane of nearly all requests: those for tokens pass by the framework, whose way through ninety routes costs more than the
 * token. Nothing is decided here: who calls, what is read, what is told and what is refused are the same functions, and whatever is asked in
 * any other way goes to Express. That both answer alike, to the header, is tested.
 * @param app the same interface, and its settings
 * @param before what sees each request go by and refuses none; it reads of a response `locals`, and of a request its route
 */
export function tokenLane(deps: HttpDeps, app: Express, before: readonly RequestHandler[]): RequestListener {
  const addressOf = addressReader(app);
  const answer = async (lane: Lane, request: LaneRequest, response: LaneResponse): Promise<void> => {
    const { requestId } = response.locals;
    const headers = { ...lane.headers, "X-Request-Id": requestId };
    try {
      const told = await lane.tell(deps, request, response, addressOf(request));
      send(response, 200, { ...headers, ...ANSWER }, JSON.stringify(told));
    } catch (error) {
      const { authorization } = request.headers;
      const told = problemAnswer(deps, error, { requestId, oauth: lane === exchange, authorization });
      response.locals.code = told.code;
      if (response.headersSent || response.destroyed) return;
      send(response, told.status, { ...headers, ...told.headers }, told.body);
    }
  };
  return (request, response) => {
    const lane = request.method === "POST" ? LANES[request.url ?? ""] : undefined;
    if (!lane?.takes(request) || unclearIn(request.rawHeaders) !== undefined) return app(request, response);
    const served = Object.assign(request, { route: lane.route, baseUrl: "" });
    const answering = Object.assign(response, { locals: { requestId: deps.newRequestId() } });
    pass(before, served, answering, () => void answer(lane, served, answering));
  };
}

type LaneRequest = IncomingMessage & { readonly route: { readonly path: string }; readonly baseUrl: string };
type LaneResponse = ServerResponse & {
  readonly locals: { readonly requestId: string; client?: string; code?: string };
};

interface Lane {
  readonly route: { readonly path: string };
  readonly headers: OutgoingHttpHeaders;
  /** Whether it can read what comes without a question. */
  takes(request: IncomingMessage): boolean;
  tell(deps: HttpDeps, request: LaneRequest, response: LaneResponse, address: string): Promise<unknown>;
}

const ANSWER = { "Cache-Control": "no-store", "Content-Type": "application/json; charset=utf-8" } as const;
const JSON_TYPE = /^application\/json(?:; ?charset=utf-8)?$/i;

/** `POST /v1/access-tokens` with a broker token and a plain JSON body. */
const accessTokens: Lane = {
  route: { path: postAccessTokens.path },
  headers: apiHeaderList(),
  takes(request) {
    const { headers } = request;
    const length = Number(headers["content-length"]);
    return (
      length > 0 &&
      length <= BODY_BYTES_MAX &&
      headers["content-encoding"] === undefined &&
      JSON_TYPE.test(headers["content-type"] ?? "") &&
      isBearer(request)
    );
  },
  async tell(deps, request, { locals }, address) {
    const { requestId } = locals;
    const sent = await readPlainJson(request);
    const { id: client, generation } = await authenticateBearer(deps.clients, request, requestId);
    locals.client = client;
    return postAccessTokens.handle({
      deps,
      client,
      proven: { id: client, generation },
      body: readBody(postAccessTokens.body!, sent),
      note: { actor: `client:${client}`, requestId, address },
    } as never);
  },
};

/** `POST /oauth2/token`, with whatever proof: the form is read as Express reads it. */
const exchange: Lane = {
  route: { path: "/oauth2/token" },
  headers: { ...apiHeaderList(), ...OAUTH_HEADERS },
  takes: () => true,
  async tell(deps, request, response, address) {
    const read = request as LaneRequest & { body?: unknown };
    await new Promise<void>((resolve, reject) => {
      const read = (error?: unknown) => (error === undefined ? resolve() : reject(error));
      readFormBody(request as unknown as Request, response as unknown as Response, read);
    });
    const { locals } = response;
    return answerForm(deps, { request, requestId: locals.requestId, address, locals }, read.body);
  },
};

const LANES: Readonly<Record<string, Lane>> = Object.assign(Object.create(null), {
  [accessTokens.route.path]: accessTokens,
  [exchange.route.path]: exchange,
});

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
