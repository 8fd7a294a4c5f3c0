import type { GrantId, OrganisationId, ServerId } from "../../domain/id.ts";
import type { UserSubject } from "../../domain/subject.ts";
import { allow } from "../clients/policies.ts";
import type { Caller } from "../clients/ports.ts";
import type { AuditNote } from "../ports.ts";
import type { SubjectPorts } from "./ports.ts";

/**
 * Somebody has left: every use that this client made of his authorizations ends, at every server of the organisation; where it was the
 * last use, iManage is told. May be repeated.
 */
export async function endSubject(
  ports: SubjectPorts,
  caller: Caller,
  organisation: OrganisationId,
  subject: UserSubject,
  note: AuditNote,
): Promise<readonly { readonly server: ServerId; readonly grant: GrantId }[]> {
  await allow(ports, caller, organisation, { action: "revoke", subject });
  const ended: { server: ServerId; grant: GrantId }[] = [];
  for (const { id: server } of await ports.servers.listServers(organisation)) {
    const bound = await ports.grants.findUserGrant(server, caller.client, subject);
    if (bound === undefined) continue;
    await allow(ports, caller, organisation, { action: "revoke", server, subject });
    const grant = await ports.grants.unbindUser(server, caller.client, subject, note);
    if (grant !== undefined) ended.push({ server, grant });
  }
  if (ended.length > 0) ports.revoker.revokeSoon(organisation);
  return ended;
}
