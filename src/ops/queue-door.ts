import { AsyncLocalStorage } from "node:async_hooks";
import { STATUS_CODES } from "node:http";
import type { Queue } from "bullmq";
import type { Request, RequestHandler, Response } from "express";
import ipaddr from "ipaddr.js";
import type { SignedInOperator } from "../broker/operators/operator-sign-in.ts";
import type { QueueAct, QueueActs } from "../broker/operators/ports.ts";
import type { AuditNote } from "../broker/ports.ts";
import { mayActOnQueues, maySeeQueues, operatorActor } from "../domain/operator.ts";

/** Who comes to the queues, and how he is known. */
export interface QueueVisitors {
  readonly find: (request: Request) => Promise<SignedInOperator | undefined>;
  /** Whether a page of ours sent this, for this very session (CSRF). */
  readonly sentByHim: (request: Request, operator: SignedInOperator) => boolean;
  /** Gives the board what it has to send along. */
  readonly showToken: (response: Response, operator: SignedInOperator) => void;
  readonly acts: QueueActs;
  /** The address under which they come. */
  readonly baseUrl: string;
}

/**
 * Stands before the queues (T37). Operators who have signed in see them, those of them who are named for it act, and support
 * does neither: a queue holds jobs of every organisation side by side. Where no sign-in is set up, whoever is on this machine
 * looks.
 */
export function queueDoor(
  queues: readonly Queue[],
  path: string,
  visitors: QueueVisitors | undefined,
): RequestHandler {
  const boardOf = async (noteAct?: (act: QueueAct) => Promise<void>) =>
    (await import("./queue-board.ts")).queueBoard(queues, path, undefined, noteAct);
  const looking = whenAsked(() => boardOf());
  if (visitors === undefined) return localDoor(looking);
  const asked = new AsyncLocalStorage<AuditNote>();
  const acting = whenAsked(() =>
    boardOf(async (act) => {
      await visitors.acts.noteQueueAct(act, asked.getStore()!);
    }),
  );
  return async (request, response, next) => {
    const changes = !looks(request);
    const elsewhere = changes ? undefined : sameMachine(request, visitors.baseUrl);
    if (elsewhere !== undefined) return response.redirect(303, elsewhere);
    const operator = await visitors.find(request);
    if (operator === undefined) {
      if (changes || isData(request) || !request.accepts("html")) return refuse(response, 401, SIGN_IN);
      return response.redirect(303, "/operators");
    }
    const { session } = operator;
    if (!maySeeQueues(session)) return refuse(response, 403, ALL_ORGANISATIONS);
    if (!mayActOnQueues(session)) {
      if (changes) return refuse(response.set("Allow", "GET, HEAD"), 405, LOOK_ONLY);
      return looking(request, response, next);
    }
    if (changes && !visitors.sentByHim(request, operator)) return refuse(response, 403, NOT_FROM_HERE);
    if (!changes) visitors.showToken(response, operator);
    const address = request.ip;
    const requestId = String(response.locals.requestId ?? "");
    const note = { actor: operatorActor(session), requestId, ...(address !== undefined && { address }) };
    return asked.run(note, () => acting(request, response, next));
  };
}

/** Bull Board is loaded when somebody first looks: it costs a tenth of what a start may take. */
function whenAsked(make: () => Promise<RequestHandler>): RequestHandler {
  let made: Promise<RequestHandler> | undefined;
  return async (request, response, next) => {
    made ??= make();
    (await made)(request, response, next);
  };
}

const localDoor =
  (looking: RequestHandler): RequestHandler =>
  (request, response, next) => {
    if (!isLocal(request)) return refuse(response, 403, NO_SIGN_IN);
    if (!looks(request)) return refuse(response.set("Allow", "GET, HEAD"), 405, NO_SIGN_IN);
    looking(request, response, next);
  };

const SIGN_IN = {
  code: "operator_sign_in_needed",
  detail: "The queues are shown to operators who have signed in.",
  action: "Sign in at /operators.",
};
const ALL_ORGANISATIONS = {
  code: "all_organisations_only",
  detail: "Queues hold jobs of every organisation, and support sees those that are named for it.",
  action: "Ask an operator, or look at your organisations on the operators' pages of the broker.",
};
const LOOK_ONLY = {
  code: "look_only",
  detail: "Your role looks at the queues and does not act on them.",
  action:
    "Whoever is in a group that OPERATORS_QUEUE_VALUES names may: ask one, or have yourself added and sign in again.",
};
const NOT_FROM_HERE = {
  code: "not_from_here",
  detail: "This was not sent by the dashboard of your session.",
  action: "Load the dashboard anew and try again.",
};
const NO_SIGN_IN = {
  code: "operators_not_set_up",
  detail:
    "No sign-in of operators is set up, so the queues are shown on this machine alone, and only to look at.",
  action: "Set OPERATORS_ISSUER and its like, or come through a tunnel that ends on this machine.",
};

/** RFC 9457, in the words of this listener: its readers run the broker. */
export function refuse(
  response: Response,
  status: number,
  told: { readonly code: string; readonly detail: string; readonly action: string },
): void {
  response
    .status(status)
    .type("application/problem+json")
    .send(JSON.stringify({ title: STATUS_CODES[status], status, ...told }));
}

const looks = ({ method }: Request): boolean => method === "GET" || method === "HEAD";

/** What the board's script asks for: a redirect to a page would be no answer to it. */
const isData = ({ path }: Request): boolean => path.startsWith("/api/");

export const refuseChanges: RequestHandler = (request, response, next) => {
  if (looks(request)) return next();
  response.status(405).set("Allow", "GET, HEAD").json({ error: "method_not_allowed" });
};

/**
 * Whether somebody on this machine asks, and not through a proxy on it: then the connection comes from loopback as well, but
 * not under a loopback name, or with a word of whom it is for.
 */
export function isLocal(request: Request): boolean {
  const { remoteAddress } = request.socket;
  if (["forwarded", "via", "x-forwarded-for", "x-real-ip"].some((name) => name in request.headers))
    return false;
  if (remoteAddress === undefined || !ipaddr.isValid(remoteAddress)) return false;
  return ipaddr.process(remoteAddress).range() === "loopback" && isLoopbackName(hostOf(request));
}

const hostOf = ({ headers }: Request): string => (headers.host ?? "").toLowerCase().replace(/:\d+$/, "");
const isLoopbackName = (name: string): boolean =>
  name === "localhost" || name === "[::1]" || /^127(\.\d{1,3}){3}$/.test(name);

/** Cookies know names and no addresses: whoever comes by another loopback name than that of the sign-in is led there. */
function sameMachine(request: Request, baseUrl: string): string | undefined {
  const { hostname, origin } = new URL(baseUrl);
  const name = hostOf(request);
  return name !== hostname && isLoopbackName(name) && isLoopbackName(hostname)
    ? `${origin}${request.originalUrl}`
    : undefined;
}
