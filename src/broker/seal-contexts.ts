import type { EventSubscription } from "../domain/event-subscription.ts";
import type { ConnectSessionId, GrantId, OrganisationId, RegistrationId, SyncId } from "../domain/id.ts";
import { findRoute, routeOf } from "../domain/id.ts";
import type { Registration } from "../domain/registration.ts";
import type { KeyOwner, SealContext } from "../domain/sealed.ts";
import type { Server } from "../domain/server.ts";

/**
 * Where every secret's associated data is put together, so that who seals and who opens cannot differ. The token
 * endpoint's origin always comes from the server that the secret is about to be sent to: had somebody altered that
 * record in the store, nothing opens and nothing leaves (T15).
 */

/** The part of a server that a context needs. */
type Destination = Pick<Server, "id" | "endpoints">;

/** Of a grant's tokens: which consent they belong to and which attempt brought them. */
export interface TokenOrigination {
  readonly grant: GrantId;
  readonly server: Destination;
  readonly consentGeneration: number;
  readonly attempt: number;
}

export const refreshTokenContext = (of: TokenOrigination): SealContext => tokenContext("refresh-token", of);

export const accessTokenContext = (of: TokenOrigination): SealContext => tokenContext("access-token", of);

/** Of a code that waits unredeemed. `record`: the connect session, or the registration for a page's own sign-in. */
export const codeContext = (server: Destination, record: ConnectSessionId | RegistrationId): SealContext =>
  signInContext("authorization-code", server, record);

/** Of a PKCE verifier (RFC 7636 §4.1). `record` as for the code it belongs to. */
export const codeVerifierContext = (
  server: Destination,
  record: ConnectSessionId | RegistrationId,
): SealContext => signInContext("code-verifier", server, record);

/**
 * Of a registration's client secret.
 * @param destination the server the secret is about to be sent to. It defaults to the registration's own origin for
 *   the one who stores it; whoever sends it MUST name the server.
 */
export function clientSecretContext(
  registration: Pick<Registration, "id" | "tokenOrigin">,
  destination?: Pick<Server, "endpoints">,
): SealContext {
  return {
    kind: "client-secret",
    owner: registrationOwner(registration.id),
    record: registration.id,
    server: undefined,
    tokenOrigin: destination === undefined ? registration.tokenOrigin : tokenOriginOf(destination),
    consentGeneration: 0,
    attempt: 0,
  };
}

/**
 * Of one change of a sync.
 * @param page the page that brought it. Change ids start with it, so an entry that was moved elsewhere does not open.
 */
export const changeContext = (server: Destination, sync: SyncId, page: number): SealContext => ({
  kind: "change",
  owner: serverOwner(server),
  record: sync,
  server: server.id,
  tokenOrigin: tokenOriginOf(server),
  consentGeneration: 0,
  attempt: page,
});

/**
 * Of what a subscription's deliveries are signed with: for its receiver's origin, so that whoever writes another address into the
 * record gets no signature of it (T18).
 */
export const webhookSecretContext = (of: Pick<EventSubscription, "id" | "url">): SealContext => ({
  kind: "webhook-secret",
  owner: `o:${routeOf(of.id)}`,
  record: of.id,
  server: undefined,
  tokenOrigin: new URL(of.url).origin,
  consentGeneration: 0,
  attempt: 0,
});

/** Of what an admin may do in a server's libraries, remembered for a few minutes beside his grant. */
export const libraryRightsContext = (server: Destination, grant: GrantId, part: number): SealContext => ({
  kind: "library-rights",
  owner: serverOwner(server),
  record: grant,
  server: server.id,
  tokenOrigin: tokenOriginOf(server),
  consentGeneration: 0,
  attempt: part,
});

/** Whose data key seals a registration's secrets: its organisation's, or its own where it is shared. */
export function registrationOwner(id: RegistrationId): KeyOwner {
  const route = findRoute(id);
  return route === undefined ? `s:${id}` : `o:${route}`;
}

/** Whose data key seals what belongs to a server: its organisation's. */
export const organisationOwner = (id: OrganisationId): KeyOwner => `o:${routeOf(id)}`;
export const serverOwner = (server: Pick<Server, "id">): KeyOwner => `o:${routeOf(server.id)}`;

/** Scheme, host and port of the token endpoint. */
export const tokenOriginOf = (server: Pick<Server, "endpoints">): string =>
  new URL(server.endpoints.tokenEndpoint).origin;

const tokenContext = (kind: "refresh-token" | "access-token", of: TokenOrigination): SealContext => ({
  kind,
  owner: `o:${routeOf(of.grant)}`,
  record: of.grant,
  server: of.server.id,
  tokenOrigin: tokenOriginOf(of.server),
  consentGeneration: of.consentGeneration,
  attempt: of.attempt,
});

const signInContext = (
  kind: "authorization-code" | "code-verifier",
  server: Destination,
  record: ConnectSessionId | RegistrationId,
): SealContext => ({
  kind,
  owner: serverOwner(server),
  record,
  server: server.id,
  tokenOrigin: tokenOriginOf(server),
  consentGeneration: 0,
  attempt: 0,
});
