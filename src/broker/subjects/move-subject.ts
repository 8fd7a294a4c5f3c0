import type { GrantId, ServerId } from "../../domain/id.ts";
import { organisationOf } from "../../domain/id.ts";
import { isAssertedUser } from "../../domain/portal-session.ts";
import { Problem } from "../../domain/problem.ts";
import type { UserSubject } from "../../domain/subject.ts";
import { allow } from "../clients/policies.ts";
import type { Caller } from "../clients/ports.ts";
import type { AuditNote } from "../ports.ts";
import type { SubjectPorts } from "./ports.ts";

export interface SubjectMove {
  readonly server: ServerId;
  readonly from: UserSubject;
  readonly to: UserSubject;
  /** Who he is at iManage, by user id or e-mail, as the client knows him under his new id. */
  readonly upstreamUser: string;
}

/**
 * A client knows one of its users by another id from now on; he has authorised, and does not again. Only where the client can say who he
 * is at iManage: a mistake in its own merge must not show one person another's matters (T11). May be repeated.
 * @throws Problem not_found | not_allowed | authorization_required | upstream_user_changed | contained
 */
export async function moveSubject(
  ports: SubjectPorts,
  caller: Caller,
  { server, from, to, upstreamUser }: SubjectMove,
  note: AuditNote,
): Promise<{ readonly grant: GrantId; readonly moved: boolean }> {
  const organisation = organisationOf(server);
  await allow(ports, caller, organisation, { action: "revoke", server, subject: from });
  await allow(ports, caller, organisation, { action: "connect", server, subject: to });
  if ((await ports.servers.findServer(server)) === undefined) throw new Problem("not_found");
  const id =
    (await ports.grants.findUserGrant(server, caller.client, from)) ??
    (await ports.grants.findUserGrant(server, caller.client, to));
  const grant = id && (await ports.grants.findGrant(id));
  if (grant === undefined || grant.server !== server)
    throw new Problem("authorization_required", { members: { server, connect: "/v1/connect-sessions" } });
  if (!isAssertedUser(upstreamUser, grant.owner)) throw new Problem("upstream_user_changed");
  const said = await ports.grants.moveUser(server, caller.client, { from, to, grant: grant.id }, note);
  switch (said) {
    case "moved":
    case "already":
      return { grant: grant.id, moved: said === "moved" };
    case "unbound":
      throw new Problem("authorization_required", { members: { server, connect: "/v1/connect-sessions" } });
    case "bound_to_another":
      throw new Problem("upstream_user_changed");
    case "contained":
      throw new Problem("contained");
  }
}
