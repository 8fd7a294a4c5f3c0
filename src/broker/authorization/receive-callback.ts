import { completionWindowMs } from "../../domain/access-policy.ts";
import type { ConnectSession } from "../../domain/connect-session.ts";
import type { ConnectSessionId } from "../../domain/id.ts";
import { checkIssuer } from "../../domain/issuer.ts";
import { Problem } from "../../domain/problem.ts";
import type { ProblemCode } from "../../domain/problem-catalogue.ts";
import { redirectUriOf } from "../../domain/registration.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import { codeLifeOf } from "../../domain/server-profile.ts";
import { remember, rememberFailure } from "../diagnosis/remember.ts";
import { codeContext } from "../seal-contexts.ts";
import type { AuthorizationPorts } from "./connect-ports.ts";
import type { AuthorizationRequest, PagePurpose } from "./ports.ts";
import { cookieSuffixOf } from "./start-authorization.ts";

/** What came to the redirect URI (RFC 6749 §4.1.2), unread and untrusted. */
export interface AuthorizationResponse {
  readonly registration: string;
  readonly state: Secret;
  readonly code: Secret | undefined;
  readonly error: string | undefined;
  readonly issuer: string | undefined;
  /** Reads the browser's cookie with this suffix. */
  readonly cookie: (suffix: string) => Secret | undefined;
}

export type CallbackOutcome =
  /** Back to the client, which says who finished. */
  | { readonly kind: "return"; readonly redirectTo: string }
  /** A connect session failed: its page says why. */
  | { readonly kind: "failed"; readonly session: ConnectSessionId; readonly code: ProblemCode }
  /** Began on *My integrations* for an iManage user that the client named: this browser finishes, if it is he. */
  | {
      readonly kind: "portal";
      readonly session: ConnectSession;
      readonly upstreamUser: string;
      readonly request: AuthorizationRequest;
      readonly server: Server;
      readonly code: Secret;
      readonly issuer: string | undefined;
    }
  /** A page of ours goes on in this browser, with a code that is still to be redeemed. */
  | {
      readonly kind: "page";
      readonly request: AuthorizationRequest;
      readonly server: Server;
      readonly purpose: PagePurpose;
      readonly code: Secret;
      readonly issuer: string | undefined;
    };

/**
 * The browser is back from iManage. Nothing is redeemed here for a client: the code is sealed and waits for the one who
 * started to say that he finished (T02).
 * @throws Problem authorization_response_invalid | authorization_server_mismatch, or on a page's sign-in what iManage
 *   answered; a client's session keeps it instead
 */
export async function receiveCallback(
  ports: AuthorizationPorts,
  response: AuthorizationResponse,
): Promise<CallbackOutcome> {
  const request = await takeRequest(ports, response);
  // What began under one of our addresses ends under it (T01): a redirect URI of another was never asked for.
  if (request.redirectUri !== redirectUriOf(ports.publicBaseUrl, request.registration))
    throw new Problem("authorization_response_invalid");
  const server = await ports.servers.findServer(request.server);
  if (server === undefined) throw new Problem("not_found");

  const problem = problemOf(server, response);
  await remember(ports.signIns.noteBack(server.id));
  if (problem !== undefined) await rememberFailure(ports.signIns, server.id, new Problem(problem));
  if (request.confirm.by === "page") {
    if (problem !== undefined) throw new Problem(problem);
    const { purpose } = request.confirm;
    return { kind: "page", request, server, purpose, code: response.code!, issuer: response.issuer };
  }

  const id = request.confirm.session;
  if (problem !== undefined) {
    await ports.authorizations.advanceConnectSession(id, ["created", "started"], {
      state: "failed",
      problem,
    });
    return { kind: "failed", session: id, code: problem };
  }
  return awaitCompletion(ports, request, server, id, response);
}

async function takeRequest(
  ports: AuthorizationPorts,
  response: AuthorizationResponse,
): Promise<AuthorizationRequest> {
  const route = ports.handles.findRoute(response.state);
  if (route === undefined) throw new Problem("authorization_response_invalid");
  const stateDigest = ports.handles.digest(response.state);
  const cookie = response.cookie(cookieSuffixOf(stateDigest));
  const request = await ports.authorizations.takeAuthorizationRequest(route, stateDigest, {
    cookieDigests: cookie === undefined ? [] : [ports.handles.digest(cookie)],
    registration: response.registration,
  });
  if (request === "other_registration") throw new Problem("authorization_server_mismatch");
  if (typeof request === "string") throw new Problem("authorization_response_invalid");
  return request;
}

/** Reads the error *code* only: its description is prose, and not ours (T09). */
function problemOf(server: Server, response: AuthorizationResponse): ProblemCode | undefined {
  if (checkIssuer(server, response.issuer) !== "ok") return "authorization_server_mismatch";
  switch (response.error) {
    case undefined:
      return response.code === undefined ? "authorization_response_invalid" : undefined;
    case "access_denied":
      return "authorization_denied";
    case "server_error":
    case "temporarily_unavailable":
      return "imanage_unavailable";
    default:
      return "authorization_refused";
  }
}

async function awaitCompletion(
  ports: AuthorizationPorts,
  request: AuthorizationRequest,
  server: Server,
  id: ConnectSessionId,
  response: AuthorizationResponse,
): Promise<CallbackOutcome> {
  const now = ports.clock.now();
  const begun = await ports.authorizations.findConnectSession(id);
  if (begun === undefined || begun.expiresAt <= now) throw new Problem("connect_session_expired");
  const profile = await ports.profiles.findProfile(server.id);
  const windowMs = completionWindowMs(codeLifeOf(server.settings, profile, now));
  const { moved, session } = await ports.authorizations.advanceConnectSession(id, ["started"], {
    state: "returned",
    returnedAt: now,
    windowMs,
  });
  if (!moved || session === undefined) throw new Problem("connect_session_expired");
  const upstreamUser = session.portal?.upstreamUser;
  if (upstreamUser !== undefined) {
    const { issuer } = response;
    return { kind: "portal", session, upstreamUser, request, server, code: response.code!, issuer };
  }

  const route = ports.handles.findRoute(response.state)!;
  const completion = ports.handles.make(route);
  await ports.authorizations.insertPendingCompletion(
    route,
    ports.handles.digest(completion),
    {
      v: 1,
      session: id,
      server: server.id,
      registration: request.registration,
      redirectUri: request.redirectUri,
      code: await ports.sealer.seal(response.code!, codeContext(server, id)),
      codeVerifier: request.codeVerifier,
      issuer: response.issuer,
      receivedAt: now,
    },
    windowMs,
  );
  return {
    kind: "return",
    redirectTo: withQuery(session.returnUrl, { connect_session: id, completion: completion.reveal() }),
  };
}

/**
 * The registered URL with members added; everything else of it stays letter by letter as it was registered (T06). It has
 * no fragment and none of these members itself: such a one cannot be registered.
 */
export function withQuery(registered: string, members: Readonly<Record<string, string>>): string {
  const separator = !registered.includes("?") ? "?" : /[?&]$/.test(registered) ? "" : "&";
  return `${registered}${separator}${new URLSearchParams(members)}`;
}
