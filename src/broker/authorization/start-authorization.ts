import { timing } from "../../domain/access-policy.ts";
import { routeOf } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import { redirectUriOf } from "../../domain/registration.ts";
import { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import { remember } from "../diagnosis/remember.ts";
import { codeVerifierContext } from "../seal-contexts.ts";
import type { AuthorizationPorts } from "./connect-ports.ts";
import type { AuthorizationRequest } from "./ports.ts";

/** A redirect to iManage, with the cookie that ties it to this browser. */
export interface StartedAuthorization {
  readonly redirectTo: string;
  /** Goes into a cookie of this browser; the callback wants it back (T03). */
  readonly browserSecret: Secret;
  /** Names the cookie, so that two sign-ins in one browser do not disturb each other. */
  readonly cookieSuffix: string;
}

/** Takes a client's start link. One use: a link that somebody followed before is over. */
export async function startConnect(ports: AuthorizationPorts, start: Secret): Promise<StartedAuthorization> {
  const route = ports.handles.findRoute(start);
  const session = route && (await ports.authorizations.takeStart(route, ports.handles.digest(start)));
  if (session === undefined) throw new Problem("connect_session_expired");
  const server = await ports.servers.findServer(session.server);
  if (server === undefined) throw new Problem("not_found");
  await ports.authorizations.advanceConnectSession(session.id, ["created"], { state: "started" });
  return startAuthorization(ports, server, { by: "client", session: session.id }, session.loginHint);
}

/** Leaves for iManage: state, PKCE S256 and the registration's own redirect URI (RFC 6749 §4.1.1, RFC 7636, T01). */
export async function startAuthorization(
  ports: AuthorizationPorts,
  server: Server,
  confirm: AuthorizationRequest["confirm"],
  loginHint: string | undefined,
): Promise<StartedAuthorization> {
  const registration = await ports.servers.findRegistration(server.registration);
  if (registration === undefined)
    throw new Problem("internal_error", { detail: "The server's registration is gone." });

  const route = routeOf(server.organisation);
  const state = ports.handles.make(route);
  const browserSecret = ports.handles.make(route);
  const codeVerifier = new Secret(Buffer.from(ports.random.bytes(32)).toString("base64url"));
  const redirectUri = redirectUriOf(ports.publicBaseUrl, registration.id);
  const stateDigest = ports.handles.digest(state);
  const record = confirm.by === "client" ? confirm.session : registration.id;

  await ports.authorizations.insertAuthorizationRequest(
    route,
    stateDigest,
    {
      v: 1,
      server: server.id,
      registration: registration.id,
      redirectUri,
      codeVerifier: await ports.sealer.seal(codeVerifier, codeVerifierContext(server, record)),
      cookieDigest: ports.handles.digest(browserSecret),
      confirm,
      createdAt: ports.clock.now(),
    },
    timing.authorizationRequestMs,
  );
  await remember(ports.signIns.noteLeft(server.id));
  const redirectTo = await ports.authorizationServer.authorizationUrl({
    server,
    clientId: registration.clientId,
    redirectUri,
    state,
    codeVerifier,
    loginHint,
  });
  return { redirectTo, browserSecret, cookieSuffix: cookieSuffixOf(stateDigest) };
}

export const cookieSuffixOf = (stateDigest: string): string => stateDigest.slice(0, 8);
