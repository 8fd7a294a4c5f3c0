import type { Request, Response } from "express";
import type { Answer } from "./answers.ts";
import type { Call, Route } from "./calls.ts";
import type { Context } from "./context.ts";
import { count } from "./counts.ts";
import type { FaultActions, FaultSubject, LoadedFault } from "./faults.ts";
import { presentedToken } from "./presented-token.ts";
import type { LoggedRequest } from "./request-log.ts";
import { type Delivery, sendAnswer } from "./send-answer.ts";

/** What an endpoint does: all of it in one step, so that nothing can come between. */
export type Act = (in_: Context, call: Call) => Answer;

/**
 * The story of every request: it arrives, a fault may befall it before the server acts, the server acts
 * and what it did is written down, a fault may befall it afterwards, and it is answered.
 */
export function serveCall(in_: Context, route: Route, act: Act, publicOrigin?: string, resource = "") {
  return async (req: Request, res: Response): Promise<void> => {
    const call = readCall(route, req, publicOrigin, resource);
    const subject = subjectOf(in_, call);
    const aborted = new AbortController();
    res.once("close", () => {
      if (!res.writableFinished) aborted.abort();
    });

    const leave = countArrival(in_, call, subject);
    const fault = in_.faults.take(subject);
    if (fault !== undefined) {
      count(in_.state.counts.faults_fired, fault.id);
      in_.events.emit({ type: "fault_fired", fault: fault.id, ...described(subject) });
    }
    const told: Pick<LoggedRequest, "status" | "ended"> = { status: null, ended: "dropped" };
    try {
      Object.assign(told, await story(in_, call, subject, act, fault, res, aborted.signal));
    } finally {
      leave();
      if (told.ended.startsWith("aborted")) in_.state.counts.aborted += 1;
      if (told.status !== null) count(in_.state.counts.statuses, String(told.status));
      in_.requests.add({
        at: new Date(in_.now()).toISOString(),
        route,
        method: call.method,
        path: call.path,
        url: call.url,
        ...told,
        fault: fault?.id ?? null,
      });
      in_.events.emit({
        type: told.ended.startsWith("aborted") ? "aborted" : "answered",
        ...described(subject),
        ...(told.status !== null && { status: told.status }),
        ...(fault && { fault: fault.id }),
      });
    }
  };
}

async function story(
  in_: Context,
  call: Call,
  subject: FaultSubject,
  act: Act,
  fault: LoadedFault | undefined,
  res: Response,
  aborted: AbortSignal,
): Promise<Delivery> {
  const todo: FaultActions = fault?.do ?? {};

  // A server that has not noticed the hang-up goes on waiting, and acts.
  const noticed = in_.state.switches.aborted_before_acting === "not_acted_on" ? aborted : undefined;
  const before = await standStill(in_, "before", subject, fault, todo, noticed);
  if (before === "closing") return drop(res, "close");
  if (before === "aborted" || noticed?.aborted) return { status: null, ended: "aborted_before_acting" };
  if (todo.drop_before !== undefined) return drop(res, todo.drop_before);

  const answer = answerWith(todo, () => act(in_, call));
  // Written down before anything is said: a simulator that is killed here and started again has rotated.
  // Reading the API only renews an inactivity timeout; that may wait for the next write.
  const isApi = call.route === "api" || call.route === "discovery";
  const reads = isApi && (call.method === "GET" || call.resource === "documents/search");
  if (!reads) await in_.save();

  const after = await standStill(in_, "after", subject, fault, todo, aborted);
  if (after === "closing") return drop(res, "close");
  if (aborted.aborted) return { status: null, ended: "aborted_after_acting" };
  if (todo.drop_after !== undefined) return drop(res, todo.drop_after);
  return sendAnswer(in_.pauses, res, altered(dated(in_, answer), todo), todo, aborted);
}

async function standStill(
  in_: Context,
  stage: "before" | "after",
  subject: FaultSubject,
  fault: LoadedFault | undefined,
  todo: FaultActions,
  aborted: AbortSignal | undefined,
): Promise<"over" | "aborted" | "closing"> {
  if (fault === undefined) return "over";
  const about = { fault: fault.id, stage, ...described(subject) };

  const delayMs = stage === "before" ? todo.delay_before_ms : todo.delay_after_ms;
  if (delayMs !== undefined) {
    const delay = in_.pauses.delay(delayMs, aborted);
    in_.events.emit({ type: "delayed", ...about });
    const how = await delay;
    if (how !== "over") return how;
  }
  const hold = stage === "before" ? todo.hold_before : todo.hold_after;
  if (!hold) return "over";
  const how = await in_.pauses.hold(
    about,
    (held) => in_.events.emit({ type: "held", ...about, hold: held.id }),
    aborted,
  );
  if (how === "over") in_.events.emit({ type: "released", ...about });
  return how;
}

/** RFC 9110 §6.6.1, by the clock that everything here goes by, and as wrong as the switch says. */
function dated(in_: Context, answer: Answer): Answer {
  const at = in_.now() + in_.state.switches.clock_ahead_seconds * 1000;
  return { ...answer, headers: { date: new Date(at).toUTCString(), ...answer.headers } };
}

const PLACEHOLDER = /\{\{(access_token|refresh_token)\}\}/g;

/** A scripted answer stands in for the server's own; whether the server acts all the same is part of the script. */
function answerWith(todo: FaultActions, act: () => Answer): Answer {
  if (todo.answer === undefined) return act();
  const { status, headers, body, acts } = todo.answer;
  const isText = typeof body === "string";
  const template = isText ? body : JSON.stringify(body);
  const issued = (acts ?? template.search(PLACEHOLDER) >= 0) ? jsonObject(act()) : undefined;
  return {
    status,
    headers: {
      "content-type": isText ? "text/html; charset=utf-8" : "application/json; charset=utf-8",
      ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    },
    body: template.replaceAll(PLACEHOLDER, (_, name: string) => String(issued?.[name] ?? "")),
  };
}

function altered(answer: Answer, todo: FaultActions): Answer {
  let { body } = answer;
  if (todo.set !== undefined || todo.omit !== undefined) {
    const object = jsonObject(answer);
    if (object !== undefined) {
      const changed: Record<string, unknown> = { ...object, ...todo.set };
      for (const name of todo.omit ?? []) delete changed[name];
      body = JSON.stringify(changed);
    }
  }
  if (todo.pad_body_bytes !== undefined) body += " ".repeat(todo.pad_body_bytes);
  return { ...answer, headers: { ...answer.headers, ...todo.set_headers }, body };
}

function jsonObject({ body }: Answer): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === "object" && parsed !== null ? { ...parsed } : undefined;
  } catch {
    return undefined;
  }
}

/** reset: the peer sees ECONNRESET. close: it sees the connection end without an answer. */
function drop(res: Response, how: "reset" | "close"): Delivery {
  if (how === "reset") res.socket?.resetAndDestroy();
  else res.socket?.destroy();
  return { status: null, ended: "dropped" };
}

function readCall(route: Route, req: Request, publicOrigin: string | undefined, resource: string): Call {
  const origin = publicOrigin ?? `http://${req.headers.host ?? "localhost"}`;
  const url = new URL(req.originalUrl, "http://simulator");
  const body = typeof req.body === "string" ? req.body : "";
  return {
    route,
    method: req.method,
    resource,
    url: req.originalUrl,
    path: url.pathname,
    params: Object.fromEntries(Object.entries(req.params).map(([name, value]) => [name, String(value)])),
    query: url.searchParams,
    form: new URLSearchParams(body),
    body,
    headers: req.headers,
    origin,
  };
}

/** Whom and what the call is about, as far as can be told before acting. */
function subjectOf(in_: Context, call: Call): FaultSubject {
  const grantType = call.route === "token" ? call.form.get("grant_type") : null;
  const token = call.form.get("refresh_token") ?? call.form.get("access_token") ?? presentedToken(in_, call);
  const owner = in_.codes.find(call.form.get("code") ?? "") ?? in_.families.familyOf(token ?? "");
  const clientId = call.form.get("client_id") ?? call.query.get("client_id") ?? owner?.client_id;
  return {
    route: call.route,
    method: call.method,
    path: call.path,
    ...(grantType !== null && { grant_type: grantType }),
    ...(clientId !== undefined && { client_id: clientId }),
    ...(call.params.library !== undefined && { library: call.params.library }),
    ...(owner && { user: { customer_id: owner.customer_id, user_id: owner.user_id } }),
  };
}

const described = (subject: FaultSubject) => ({
  route: subject.route,
  ...(subject.grant_type !== undefined && { grant_type: subject.grant_type }),
  ...(subject.client_id !== undefined && { client_id: subject.client_id }),
  ...(subject.library !== undefined && { library: subject.library }),
  ...(subject.user && { user: subject.user.user_id }),
});

/** Counts the call in; what is returned counts it out. */
function countArrival(in_: Context, call: Call, subject: FaultSubject): () => void {
  const { counts } = in_.state;
  count(counts.routes, call.route);
  in_.events.emit({ type: "arrived", ...described(subject) });
  if (call.route === "api") {
    count(counts.resources, `${call.method} ${call.resource}`);
    if (call.params.library !== undefined) count(counts.calls_by_library, call.params.library);
    return in_.concurrency.enter("api", (inside) => {
      counts.concurrent_calls_max = Math.max(counts.concurrent_calls_max, inside);
    });
  }
  if (subject.grant_type === undefined) return () => {};
  count(counts.grant_types, subject.grant_type);
  if (subject.grant_type !== "refresh_token") return () => {};

  const family = in_.families.familyOf(call.form.get("refresh_token") ?? "");
  if (family === undefined) return () => {};
  count(counts.refreshes_by_family, family.id);
  count(counts.refreshes_by_user, family.user_id);
  return in_.concurrency.enter(family.id, (most) => {
    const known = counts.concurrent_refreshes_max_by_family[family.id] ?? 0;
    counts.concurrent_refreshes_max_by_family[family.id] = Math.max(known, most);
  });
}
