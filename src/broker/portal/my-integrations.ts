import type { Grant, UpstreamUser } from "../../domain/grant.ts";
import type { ClientId, GrantId, ServerId } from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import { isMember } from "../../domain/members.ts";
import type { Server } from "../../domain/server.ts";
import { sameUser } from "../../domain/subject.ts";
import { openConnectSession } from "../authorization/begin-connect.ts";
import { type StartedAuthorization, startConnect } from "../authorization/start-authorization.ts";
import type { GrantBinding } from "../grants/ports.ts";
import type { AuditNote } from "../ports.ts";
import { actorOf } from "./finish-portal.ts";
import type { PortalPorts } from "./ports.ts";
import type { Visitor } from "./visit-portal.ts";

/** One iManage server of the firm, as the visitor stands with it. */
export interface Integration {
  readonly server: Server;
  readonly authorization: OwnAuthorization | undefined;
}

export interface OwnAuthorization {
  readonly grant: GrantId;
  /** `needs_you`: iManage wants him to sign in again. */
  readonly state: "authorized" | "needs_you" | "paused";
  /** As whom he signed in at iManage. */
  readonly as: UpstreamUser;
  readonly since: Instant | undefined;
  readonly lastUsedAt: Instant | undefined;
  readonly renewBy: Instant | undefined;
  /** Everyone who works with this authorization: his iManage user is theirs. */
  readonly applications: readonly Application[];
  readonly libraries: readonly string[];
}

export interface Application {
  readonly client: ClientId;
  /** Undefined: no longer known here. */
  readonly name: string | undefined;
  /** The one he came from. Its binding is his own alone, whoever else of that application shares the iManage user. */
  readonly here: boolean;
  readonly since: Instant;
}

/** May the visitor authorize at all? What he authorized before is his in any case. */
export type Standing = "may_authorize" | "switched_off" | "not_a_member" | "not_allowed";

export function standingOf({ firm, session, mayConnect }: Visitor): Standing {
  const { id, claims = [] } = session.subject;
  if (!firm.enabled) return "switched_off";
  if (!isMember(firm.members, { id, claims })) return "not_a_member";
  return mayConnect ? "may_authorize" : "not_allowed";
}

/** Every server of his firm that the client's policy names, by name. */
export async function listIntegrations(
  ports: PortalPorts,
  visitor: Visitor,
): Promise<readonly Integration[]> {
  return Promise.all(visitor.servers.map((server) => integrationOf(ports, visitor, server)));
}

/** One of them; undefined for a server that the visitor does not see. */
export async function findIntegration(
  ports: PortalPorts,
  visitor: Visitor,
  id: ServerId,
): Promise<Integration | undefined> {
  const server = visitor.servers.find((one) => one.id === id);
  return server && integrationOf(ports, visitor, server);
}

async function integrationOf(ports: PortalPorts, visitor: Visitor, server: Server): Promise<Integration> {
  const { client, subject } = visitor.session;
  const id = await ports.grants.findUserGrant(server.id, client, subject);
  const grant = id && (await ports.grants.findGrant(id));
  if (grant === undefined) return { server, authorization: undefined };
  return { server, authorization: await authorizationOf(ports, visitor, grant) };
}

async function authorizationOf(
  ports: PortalPorts,
  visitor: Visitor,
  grant: Grant,
): Promise<OwnAuthorization> {
  const bindings = await ports.grants.listBindings(grant.id);
  const own = bindings.find((binding) => isOwn(visitor, binding));
  // Of another application several ids may be his; it is one application to him. Of his own, others are other people.
  const since = new Map<ClientId, Instant>();
  for (const binding of bindings) {
    if (binding.type !== "user" || (binding.client === visitor.client.id && binding !== own)) continue;
    since.set(binding.client, Math.min(binding.since, since.get(binding.client) ?? binding.since));
  }
  const applications = await Promise.all(
    [...since].map(async ([client, at]) => ({
      client,
      name: (await ports.clients.findClient(client))?.displayName,
      here: client === visitor.client.id,
      since: at,
    })),
  );
  return {
    grant: grant.id,
    state: stateOf(grant, ports.clock.now()),
    as: grant.owner,
    since: own?.since,
    lastUsedAt: grant.lastUsedAt,
    renewBy: grant.refreshTokenExpiresAt,
    applications,
    libraries: bindings.flatMap((binding) => (binding.type === "library" ? [binding.library] : [])),
  };
}

/** Without a refresh token it lives as long as its access token; and whatever is over by its own date needs him too. */
function stateOf(grant: Grant, now: Instant): OwnAuthorization["state"] {
  const endsAt = grant.refreshable ? grant.refreshTokenExpiresAt : grant.accessTokenExpiresAt;
  switch (grant.state) {
    case "active":
    case "suspect":
      return endsAt !== undefined && endsAt <= now ? "needs_you" : "authorized";
    case "paused":
      return "paused";
    case "reauthorization_required":
    case "revoked":
      return "needs_you";
  }
}

const isOwn = ({ session }: Visitor, binding: GrantBinding): boolean =>
  binding.type === "user" && binding.client === session.client && sameUser(binding.subject, session.subject);

/**
 * *Authorize*: the client's ordinary way to iManage and back. Where the client named the iManage user, this browser
 * finishes it; otherwise the client does, which knows who is signed in at its side (design §3.5).
 * @throws Problem as `beginConnect`
 */
export async function authorizeServer(
  ports: PortalPorts,
  { session, client }: Visitor,
  server: ServerId,
): Promise<StartedAuthorization> {
  const { upstreamUser } = session;
  const { start } = await openConnectSession(ports, client, {
    server,
    subject: session.subject,
    returnUrl: session.returnUrl,
    loginHint: upstreamUser,
    address: undefined,
    portal: { upstreamUser },
  });
  return startConnect(ports, start);
}

/**
 * Takes an application's use of his authorization back: his own application's, or another's that works with the same
 * iManage user. What is bound to another grant by now is another's and stays. The last use gone ends the grant.
 */
export async function switchOff(
  ports: PortalPorts,
  visitor: Visitor,
  { server, authorization }: Integration,
  client: ClientId,
  note: Omit<AuditNote, "actor">,
): Promise<void> {
  if (authorization === undefined) return;
  const audited = { ...note, actor: actorOf(visitor.session) };
  for (const binding of await ports.grants.listBindings(authorization.grant)) {
    if (binding.type !== "user" || binding.client !== client) continue;
    if (client === visitor.client.id && !isOwn(visitor, binding)) continue;
    await ports.grants.unbindUser(server.id, client, binding.subject, audited, authorization.grant);
  }
  ports.revoker.revokeSoon(visitor.firm.id);
}
