import { timing } from "../../domain/access-policy.ts";
import type { Client } from "../../domain/client.ts";
import type { ConnectSession } from "../../domain/connect-session.ts";
import { makeId, organisationOf, routeOf, type ServerId } from "../../domain/id.ts";
import { isMember } from "../../domain/members.ts";
import { mustAllow } from "../../domain/policy-refusal.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { UserSubject } from "../../domain/subject.ts";
import { refuseContained } from "../containment/refuse-contained.ts";
import type { AuthorizationPorts } from "./connect-ports.ts";

export interface BegunConnect {
  readonly session: ConnectSession;
  /** Where to send the browser, once. */
  readonly startUrl: string;
}

export interface AskedConnect {
  readonly server: ServerId;
  readonly subject: UserSubject;
  readonly returnUrl: string;
  readonly loginHint: string | undefined;
  /** Where the client calls from; undefined: it does not, the person is on a page of ours. */
  readonly address: string | undefined;
  /** Spend the sign-in on a check of PKCE: for who may configure the organisation. */
  readonly checksPkce?: boolean;
  readonly portal?: NonNullable<ConnectSession["portal"]>;
}

/**
 * A client begins to get a person's authorisation.
 * @throws Problem not_found | not_allowed | organisation_disabled | not_a_member | contained | return_url_not_registered
 */
export async function beginConnect(
  ports: AuthorizationPorts,
  client: Client,
  asked: AskedConnect,
): Promise<BegunConnect> {
  const { session, start } = await openConnectSession(ports, client, asked);
  return { session, startUrl: `${ports.publicBaseUrl}/connect/start/${start.reveal()}` };
}

/** The same where the browser is here already: with the start itself in the place of a link. */
export async function openConnectSession(
  ports: AuthorizationPorts,
  client: Client,
  asked: AskedConnect,
): Promise<{ readonly session: ConnectSession; readonly start: Secret }> {
  const organisation = organisationOf(asked.server);
  const { policy } = await ports.clients.findPolicy(client.id, organisation);
  const now = ports.clock.now();
  const wanted = { server: asked.server, subject: asked.subject, address: asked.address };
  mustAllow(policy, { action: "connect", ...wanted }, now);
  if (asked.checksPkce === true)
    mustAllow(policy, { action: "configure", ...wanted, subject: undefined }, now);
  const server = await ports.servers.findServer(asked.server);
  const firm = await ports.organisations.findOrganisation(organisation);
  if (server === undefined || firm === undefined) throw new Problem("not_found");
  if (!firm.enabled) throw new Problem("organisation_disabled");
  const { claims = [], ...person } = asked.subject;
  if (!isMember(firm.members, { id: person.id, claims })) throw new Problem("not_a_member");
  await refuseContained(ports, organisation, { client: client.id, server: server.id, subject: person });
  // Letter by letter, and what is used later is the registered string, not the one that was sent (T06).
  const returnUrl = client.returnUrls.find((registered) => registered === asked.returnUrl);
  if (returnUrl === undefined) throw new Problem("return_url_not_registered");

  const route = routeOf(organisation);
  const session: ConnectSession = {
    v: 1,
    id: makeId("cns", route, now, ports.random.bytes(16)),
    client: client.id,
    organisation,
    server: server.id,
    subject: person,
    returnUrl,
    loginHint: asked.loginHint,
    state: "created",
    grant: undefined,
    problem: undefined,
    createdAt: now,
    returnedAt: undefined,
    expiresAt: now + timing.connectSessionMs,
    ...(asked.checksPkce === true && { checksPkce: true }),
    ...(asked.portal && { portal: asked.portal }),
  };
  const start = ports.handles.make(route);
  await ports.authorizations.insertConnectSession(session, ports.handles.digest(start), {
    startMs: timing.connectSessionMs,
    recordMs: timing.connectRecordMs,
  });
  return { session, start };
}
