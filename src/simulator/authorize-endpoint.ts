import { type Answer, page, redirect } from "./answers.ts";
import { consentPage, errorPage, signInPage } from "./authorize-page.ts";
import type { Call } from "./calls.ts";
import { type Context, findRegistration, findUser, whyRefused } from "./context.ts";
import type { Registration } from "./registrations.ts";
import type { User } from "./users.ts";

/** GET /auth/oauth2/authorize (C). */
export function authorizeEndpoint(in_: Context, call: Call): Answer {
  const request = readRequest(in_, call);
  if ("answer" in request) return request.answer;

  const user = signedInUser(in_, call);
  if (user === undefined) return signIn(request, call, { username: call.query.get("login_hint") ?? "" });
  if (in_.state.switches.silent_sso === "on") return finish(in_, request, user);
  return page(
    200,
    consentPage({
      application: request.registration.name,
      action: call.url,
      userName: user.name,
      email: user.email,
    }),
  );
}

/** POST of either form, to the address it was shown at. */
export function signInEndpoint(in_: Context, call: Call): Answer {
  const request = readRequest(in_, call);
  if ("answer" in request) return request.answer;

  switch (call.form.get("action")) {
    case "cancel":
      in_.events.emit({ type: "denied", client_id: request.registration.client_id, error: "access_denied" });
      return sendBack(in_, request, { error: "access_denied", error_description: "The user cancelled." });
    case "switch":
      in_.sessions.end(sessionCookie(call));
      return signIn(request, call, { username: "" });
    case "continue": {
      const user = signedInUser(in_, call);
      return user === undefined ? signIn(request, call, { username: "" }) : finish(in_, request, user);
    }
    default:
      return signInWithPassword(in_, request, call);
  }
}

interface Request {
  registration: Registration;
  redirectUri: string;
  state: string | null;
  scope: string;
  codeChallenge: string | null;
  /** Ours, for `iss`. */
  issuer: string;
}

/**
 * Who asks and where to return is settled first: as long as it is not, nobody is redirected (RFC 6749
 * §4.1.2.1). What is wrong with the rest is told to the application.
 */
function readRequest(in_: Context, { query, origin, method, url }: Call): Request | { answer: Answer } {
  const { authorize_errors, pkce } = in_.state.switches;
  const unknown = (title: string, text: string) => {
    if (authorize_errors === "one_page") return stop(400, "Sign-in failed", "The request is not valid.");
    // Whoever signs in then is told so; the simulator needs no more than the form.
    return authorize_errors === "after_sign_in" && method === "GET"
      ? { answer: page(200, signInPage({ application: "iManage Work", action: url, username: "" })) }
      : stop(400, title, text);
  };
  const registration = findRegistration(in_, query.get("client_id"));
  if (registration === undefined)
    return unknown("Unknown application", "No application is registered under this Client ID.");
  const redirectUri = query.get("redirect_uri");
  if (redirectUri === null || !registration.redirect_urls.includes(redirectUri))
    return unknown(
      "Redirect URL not registered",
      `The Redirect URL sent is not one of ${registration.name}.`,
    );
  if (!registration.enable_application)
    return stop(403, "Application not enabled", `An administrator has to enable ${registration.name} first.`);

  const codeChallenge = query.get("code_challenge");
  const request: Request = {
    registration,
    redirectUri,
    state: query.get("state"),
    scope: query.get("scope") || "user",
    codeChallenge,
    issuer: origin,
  };
  const tell = (error: string, error_description: string) => ({
    answer: sendBack(in_, request, { error, error_description }),
  });
  if (query.get("response_type") !== "code")
    return tell("unsupported_response_type", "response_type must be code.");
  if (!request.scope.split(" ").every((scope) => registration.scopes.includes(scope)))
    return tell("invalid_scope", "The application may not ask for this scope.");
  if (codeChallenge !== null && query.get("code_challenge_method") !== "S256" && pkce !== "ignored")
    return tell("invalid_request", "code_challenge_method must be S256.");
  if (codeChallenge === null && pkce === "enforced")
    return tell("invalid_request", "code_challenge is missing.");
  return request;
}

function signInWithPassword(in_: Context, request: Request, call: Call): Answer {
  const username = call.form.get("username") ?? "";
  const user = in_.state.world.users.find(
    (candidate) =>
      candidate.password === call.form.get("password") &&
      [candidate.id, candidate.email].some(
        (name) => name !== "" && name.toLowerCase() === username.toLowerCase(),
      ),
  );
  if (user === undefined)
    return signIn(request, call, { username, problem: "User name or password is wrong." }, 401);
  if (user.locked)
    return signIn(
      request,
      call,
      { username, problem: "This account is locked. Ask your administrator." },
      403,
    );

  const session = in_.sessions.open(user);
  in_.events.emit({ type: "signed_in", user: user.id, client_id: request.registration.client_id });
  return finish(in_, request, user, {
    "set-cookie": `${cookieName(call)}=${session.id}; Path=/auth; HttpOnly; SameSite=Lax`,
  });
}

/** The user agreed, or was not asked. */
function finish(in_: Context, request: Request, user: User, headers: Record<string, string> = {}): Answer {
  const refused = whyRefused(user, request.registration);
  const { not_in_access } = in_.state.switches;
  if (refused === "not_in_access" && not_in_access === "access_denied") {
    return sendBack(
      in_,
      request,
      { error: "access_denied", error_description: "The user may not use this application." },
      headers,
    );
  }
  if (refused !== undefined && !(refused === "not_in_access" && not_in_access === "api_403")) {
    const text = {
      locked: "This account is locked. Ask your administrator.",
      not_in_access: `You are not among the users who may use ${request.registration.name}.`,
      not_enabled_for_customer: `Your organisation has not enabled ${request.registration.name}.`,
    }[refused];
    return page(403, errorPage("Access refused", text), headers);
  }
  const owner = {
    client_id: request.registration.client_id,
    customer_id: user.customer_id,
    user_id: user.id,
  };
  if (in_.state.switches.new_consent_ends_at === "sign_in") in_.families.endEarlier(owner);
  const code = in_.codes.issue({
    ...owner,
    redirect_uri: request.redirectUri,
    scope: request.scope,
    code_challenge: request.codeChallenge,
  });
  in_.events.emit({ type: "code_issued", user: user.id, client_id: owner.client_id });
  return sendBack(in_, request, { code: code.value }, headers);
}

function sendBack(
  in_: Context,
  request: Request,
  parameters: Record<string, string>,
  headers: Record<string, string> = {},
): Answer {
  const url = new URL(request.redirectUri);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  if (request.state !== null) url.searchParams.set("state", request.state);
  // RFC 9207; whether iManage sends it is unknown (?).
  if (in_.state.switches.iss === "sent") url.searchParams.set("iss", request.issuer);
  if (in_.state.switches.iss === "wrong") url.searchParams.set("iss", "https://another-server.example");
  return redirect(url.href, headers);
}

const signIn = (
  request: Request,
  call: Call,
  of: { username: string; problem?: string },
  status = 200,
): Answer => page(status, signInPage({ application: request.registration.name, action: call.url, ...of }));

const stop = (status: number, title: string, text: string) => ({
  answer: page(status, errorPage(title, text)),
});

export function signedInUser(in_: Context, call: Call): User | undefined {
  const session = in_.sessions.find(sessionCookie(call));
  return session && findUser(in_, session.customer_id, session.user_id);
}

export const sessionCookie = (call: Call): string | undefined =>
  call.headers.cookie
    ?.split(/; */)
    .find((pair) => pair.startsWith(`${cookieName(call)}=`))
    ?.slice(cookieName(call).length + 1);

/** Named by port: browsers share cookies between the ports of one host, and several simulators may run. */
export const cookieName = (call: Call): string => `sim_imanage_${new URL(call.origin).port || "default"}`;
