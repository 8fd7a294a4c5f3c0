import { timing } from "../../domain/access-policy.ts";
import type { Client } from "../../domain/client.ts";
import type { ServerId } from "../../domain/id.ts";
import { isMember } from "../../domain/members.ts";
import type { Organisation } from "../../domain/organisation.ts";
import { evaluatePolicy, UNLISTED_SERVER } from "../../domain/policy.ts";
import { type PortalSession, portalRequest } from "../../domain/portal-session.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import { type AuditSight, sightOf } from "../audit/read-audit.ts";
import type { PortalPorts } from "./ports.ts";

/**
 * The browser that opens the link is where the person is: it gets a cookie of its own, and the link is over.
 * @throws Problem portal_link_used
 */
export async function enterPortal(
  ports: PortalPorts,
  link: Secret,
): Promise<{ readonly session: PortalSession; readonly cookie: Secret }> {
  const route = ports.handles.findRoute(link);
  const opened = route && (await ports.portal.takePortalLink(route, ports.handles.digest(link)));
  if (route === undefined || opened === undefined) throw new Problem("portal_link_used");
  const session = { ...opened, expiresAt: ports.clock.now() + timing.pageSessionMs };
  const cookie = ports.handles.make(route);
  await ports.portal.insertPortalVisit(route, ports.handles.digest(cookie), session, timing.pageSessionMs);
  return { session, cookie };
}

/** Somebody on the portal's pages, and everything that says what he may see there. */
export interface Visitor {
  readonly session: PortalSession;
  /** What his forms carry (CSRF). Made from the cookie, so that whoever reads the store learns none. */
  readonly formToken: string;
  readonly client: Client;
  readonly firm: Organisation;
  /** Of his firm, those that the client's policy names. */
  readonly servers: readonly Server[];
  /** Also those that are yet to be added. */
  readonly everyServer: boolean;
  /** What of the audit the client may read, and he on its behalf. */
  readonly readsAudit: AuditSight;
  /** Whether the policy lets him authorize anywhere. */
  readonly mayConnect: boolean;
}

/** Looked at anew at every request: a client that is stopped, or that a policy no longer lets in, has no visitors. */
export async function findVisitor(
  ports: PortalPorts,
  cookie: Secret | undefined,
): Promise<Visitor | undefined> {
  const route = cookie && ports.handles.findRoute(cookie);
  if (route === undefined) return undefined;
  const session = await ports.portal.findPortalVisit(route, ports.handles.digest(cookie!));
  if (session === undefined || session.expiresAt <= ports.clock.now()) return undefined;
  const { client: id, organisation } = session;
  const [client, firm, { policy }, servers] = await Promise.all([
    ports.clients.findClient(id),
    ports.organisations.findOrganisation(organisation),
    ports.clients.findPolicy(id, organisation),
    ports.organisations.listServers(organisation),
  ]);
  if (client?.state !== "active" || firm === undefined) return undefined;
  const now = ports.clock.now();
  const asked = { ...portalRequest(session.role, session.subject), address: undefined };
  const allows = (server: ServerId | undefined) => evaluatePolicy(policy, { ...asked, server }, now).allowed;
  if (!allows(undefined)) return undefined;
  const named = servers.filter(({ id }) => allows(id));
  const formToken = ports.handles.derive(cookie!, "form");
  const { subject } = session;
  const connect = { action: "connect", server: undefined, subject, address: undefined } as const;
  const mayConnect = evaluatePolicy(policy, connect, now).allowed;
  const readsAudit = sightOf(policy, undefined, now);
  const everyServer = allows(UNLISTED_SERVER);
  return { session, formToken, client, firm, servers: named, everyServer, readsAudit, mayConnect };
}

/**
 * The servers whose *Background service authorization* he may open. Who administers a library is iManage's to say, so his
 * role at the client decides nothing; where iManage is switched off, or not for him, there is nothing to lend.
 */
export const libraryServersOf = ({ firm, session, servers }: Visitor): readonly Server[] =>
  firm.enabled &&
  (session.role === "organisation_admin" ||
    isMember(firm.members, { id: session.subject.id, claims: session.subject.claims ?? [] }))
    ? servers
    : [];

/** Ends a visit, whoever's it is. */
export async function leavePortal(ports: PortalPorts, cookie: Secret | undefined): Promise<void> {
  const route = cookie && ports.handles.findRoute(cookie);
  if (route !== undefined) await ports.portal.deletePortalVisit(route, ports.handles.digest(cookie!));
}
