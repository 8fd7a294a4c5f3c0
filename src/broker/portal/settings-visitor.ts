import type { ClientId, OrganisationId, ServerId } from "../../domain/id.ts";
import { maySee, operatorActor } from "../../domain/operator.ts";
import type { Organisation } from "../../domain/organisation.ts";
import type { AuditSight } from "../audit/read-audit.ts";
import type { SignedInOperator } from "../operators/operator-sign-in.ts";
import { actorOf } from "./finish-portal.ts";
import type { PortalPorts } from "./ports.ts";
import type { Visitor } from "./visit-portal.ts";

/** Somebody on *iManage settings*: an organisation admin whom a client sent, or one who runs the broker or helps its users. */
export interface SettingsVisitor {
  readonly firm: Organisation;
  /** What his forms carry (CSRF). */
  readonly formToken: string;
  /** As he is named where a change is recorded. */
  readonly actor: string;
  /** The one that sent him, if one did. */
  readonly client: ClientId | undefined;
  /** Support looks, checks a server and takes a support bundle along. It changes nothing. */
  readonly mayChange: boolean;
  /** An admin if the client that sent him may read the audit itself: whom it sends, nobody but the client vouches for. */
  readonly readsAudit: AuditSight;
  /** The servers he sees; undefined: every one of the firm. */
  readonly servers: readonly ServerId[] | undefined;
}

export const adminOf = ({
  firm,
  formToken,
  session,
  servers,
  everyServer,
  readsAudit,
}: Visitor): SettingsVisitor => ({
  firm,
  formToken,
  actor: actorOf(session),
  client: session.client,
  mayChange: true,
  readsAudit,
  servers: everyServer ? undefined : servers.map(({ id }) => id),
});

/** An operator at any organisation, support at those that are named for it. Undefined: elsewhere, as if there were none. */
export async function operatorAt(
  { organisations }: Pick<PortalPorts, "organisations">,
  { session, formToken }: SignedInOperator,
  organisation: OrganisationId,
): Promise<SettingsVisitor | undefined> {
  const firm = await organisations.findOrganisation(organisation);
  if (firm === undefined || !maySee(session, firm.name)) return undefined;
  return {
    firm,
    formToken,
    actor: operatorActor(session),
    client: undefined,
    mayChange: session.role === "operator",
    readsAudit: () => true,
    servers: undefined,
  };
}
