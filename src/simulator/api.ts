import { type Answer, json } from "./answers.ts";
import { ApiRefusal, apiRefusalAnswer } from "./api-refusal.ts";
import type { Call } from "./calls.ts";
import { type Context, findLibrary, findRegistration, findUser, whyRefused } from "./context.ts";
import { isMember, type Library } from "./libraries.ts";
import { presentedToken } from "./presented-token.ts";
import type { User } from "./users.ts";

/** The user behind a live token, and for what. */
export interface Caller {
  user: User;
  scope: string;
  client_id: string;
}

/** Wraps a resource of the REST API: 401 without a live token, 403 at another customer's door, 429 by switch. */
export function resource(of: (in_: Context, call: Call, caller: Caller) => unknown) {
  return (in_: Context, call: Call): Answer => {
    let limits: Record<string, string> = {};
    try {
      const caller = findCaller(in_, call);
      if (caller === undefined)
        throw new ApiRefusal(401, "NRC_UNAUTHORIZED", "The token is missing, ended or expired.");
      if (barred(in_, caller))
        throw new ApiRefusal(403, "NRC_FORBIDDEN", "The user may not use this application.");
      const { concurrent_calls: most, missing_resources: missing } = in_.state.switches;
      if (missing?.includes(call.resource))
        throw new ApiRefusal(404, "NRC_NOT_FOUND", "There is no such resource.");
      if (most !== null && in_.concurrency.inside("api") > most.calls)
        throw new ApiRefusal(most.status === "429" ? 429 : 503, "NRC_TOO_BUSY", "Too many requests at once.");
      const use = in_.rateLimit.use(`${caller.client_id} ${caller.user.customer_id}`);
      limits = use.headers;
      if (!use.allowed) throw new ApiRefusal(429, "NRC_RATE_LIMITED", "Too many requests.");
      if (call.params.customer !== undefined && call.params.customer !== String(caller.user.customer_id))
        throw new ApiRefusal(403, "NRC_FORBIDDEN", "The user does not belong to this customer.");
      return json(200, of(in_, call, caller), { "cache-control": "no-store", ...limits });
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error;
      const answer = apiRefusalAnswer(error);
      return { ...answer, headers: { ...answer.headers, ...limits } };
    }
  };
}

/** Asking counts as use: it starts the inactivity timeout anew (C). A token of a locked user is dead. */
export function findCaller(in_: Context, call: Call): Caller | undefined {
  const token = presentedToken(in_, call);
  const family = token === undefined ? undefined : in_.families.use(token);
  if (family === undefined) return undefined;
  const user = findUser(in_, family.customer_id, family.user_id);
  if (user === undefined || user.locked) return undefined;
  if (findRegistration(in_, family.client_id)?.enable_application !== true) return undefined;
  return { user, scope: family.scope, client_id: family.client_id };
}

/** By switch it is the API that looks at Access. */
export function barred(in_: Context, { user, client_id }: Caller): boolean {
  const registration = findRegistration(in_, client_id);
  return (
    in_.state.switches.not_in_access === "api_403" &&
    registration !== undefined &&
    whyRefused(user, registration) === "not_in_access"
  );
}

/** The library of the path, if the caller is let in. */
export function libraryOf(in_: Context, call: Call, caller: Caller): Library {
  const found = findLibrary(in_, caller.user.customer_id, call.params.library ?? "");
  if (found === undefined) throw new ApiRefusal(404, "NRC_NOT_FOUND", "There is no such library.");
  if (!isMember(found, caller.user.id))
    throw new ApiRefusal(403, "NRC_FORBIDDEN", "The user has no access to this library.");
  return found;
}
