import { timing } from "../../domain/access-policy.ts";
import type { Client } from "../../domain/client.ts";
import { makeId, type OrganisationId, routeOf } from "../../domain/id.ts";
import { mustAllow } from "../../domain/policy-refusal.ts";
import {
  type PortalPage,
  type PortalRole,
  type PortalSession,
  pagesOf,
  portalRequest,
} from "../../domain/portal-session.ts";
import { Problem } from "../../domain/problem.ts";
import type { UserSubject } from "../../domain/subject.ts";
import type { PortalPorts } from "./ports.ts";

export interface AskedPortal {
  readonly organisation: OrganisationId;
  readonly subject: UserSubject;
  readonly role: PortalRole;
  readonly displayName: string | undefined;
  readonly upstreamUser: string | undefined;
  readonly returnUrl: string;
  readonly page: PortalPage | undefined;
  /** Where the client calls from. */
  readonly address: string;
}

/**
 * A client opens the pages for its signed-in person. Also for one who is no member, or while iManage is switched off for
 * the firm: he cannot authorize then, but what he authorized before he may still take back.
 * @throws Problem not_found | not_allowed | return_url_not_registered | invalid_request
 */
export async function openPortal(
  ports: PortalPorts,
  client: Client,
  asked: AskedPortal,
): Promise<{ readonly session: PortalSession; readonly url: string }> {
  const { organisation, role, page = pagesOf(role)[0] } = asked;
  const { policy } = await ports.clients.findPolicy(client.id, organisation);
  const { address, subject } = asked;
  mustAllow(policy, { ...portalRequest(role, subject), server: undefined, address }, ports.clock.now());
  if ((await ports.organisations.findOrganisation(organisation)) === undefined)
    throw new Problem("not_found");
  if (!pagesOf(role).includes(page))
    throw new Problem("invalid_request", {
      faults: [{ field: "page", message: `is one of ${pagesOf(role).join(", ")} for this role` }],
    });
  const returnUrl = client.returnUrls.find((registered) => registered === asked.returnUrl);
  if (returnUrl === undefined) throw new Problem("return_url_not_registered");

  const route = routeOf(organisation);
  const now = ports.clock.now();
  const session: PortalSession = {
    v: 1,
    id: makeId("pts", route, now, ports.random.bytes(16)),
    client: client.id,
    organisation,
    subject: asked.subject,
    role,
    displayName: asked.displayName,
    upstreamUser: asked.upstreamUser,
    returnUrl,
    page,
    createdAt: now,
    expiresAt: now + timing.portalLinkMs,
  };
  const link = ports.handles.make(route);
  await ports.portal.insertPortalLink(route, ports.handles.digest(link), session, timing.portalLinkMs);
  return { session, url: `${ports.publicBaseUrl}/portal/open/${link.reveal()}` };
}
