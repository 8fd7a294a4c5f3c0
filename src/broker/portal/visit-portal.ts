import { timing } from "../../domain/access-policy.ts";
import { type Client, evaluatePolicy, type Policy } from "../../domain/client.ts";
import { isMember } from "../../domain/members.ts";
import type { Organisation } from "../../domain/organisation.ts";
import { type PortalSession, portalAction } from "../../domain/portal-session.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
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
  readonly policy: Policy;
  /** Of his firm, those that the client's policy names. */
  readonly servers: readonly Server[];
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
  if (client?.state !== "active" || firm === undefined || policy === undefined) return undefined;
  if (!evaluatePolicy(policy, { action: portalAction(session.role) }).allowed) return undefined;
  const named = servers.filter((server) => policy.servers?.includes(server.id) ?? true);
  const formToken = ports.handles.derive(cookie!, "form");
  return { session, formToken, client, firm, policy, servers: named };
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
