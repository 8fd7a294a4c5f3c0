import { type Client, type ClientAction, evaluatePolicy } from "../../domain/client.ts";
import type { Grant } from "../../domain/grant.ts";
import {
  type ClientId,
  type GrantId,
  type OrganisationId,
  organisationOf,
  type ServerId,
} from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import type { ClientStore } from "../clients/ports.ts";
import type { AuditNote } from "../ports.ts";
import type { GrantBinding, GrantPosition, GrantStore, TimelineEntry } from "./ports.ts";
import type { Revoker } from "./revoke-pending.ts";

export interface GrantPorts {
  readonly grants: GrantStore;
  readonly clients: Pick<ClientStore, "findPolicy" | "organisationsOf">;
  readonly revoker: Pick<Revoker, "revokeSoon">;
}

export interface GrantView {
  readonly grant: Grant;
  readonly bindings: readonly GrantBinding[];
}

/**
 * What a client may see of an organisation: grants of the servers its policy names. Unknown and foreign are the same 404.
 * @throws Problem not_found | not_allowed
 */
export async function allowed(
  ports: Pick<GrantPorts, "clients">,
  client: ClientId,
  organisation: OrganisationId,
  action: ClientAction,
  server?: ServerId,
): Promise<void> {
  const { policy } = await ports.clients.findPolicy(client, organisation);
  const verdict = evaluatePolicy(policy, server === undefined ? { action } : { action, server });
  if (!verdict.allowed) throw new Problem(verdict.because === "action" ? "not_allowed" : "not_found");
}

/** Grants that this client uses, in one organisation, oldest first. */
export async function listGrants(
  ports: GrantPorts,
  client: Client["id"],
  organisation: OrganisationId,
  after: GrantPosition | undefined,
  limit: number,
): Promise<{ readonly items: readonly GrantView[]; readonly next: GrantPosition | undefined }> {
  await allowed(ports, client, organisation, "status");
  const { policy } = await ports.clients.findPolicy(client, organisation);
  const grants = await ports.grants.listGrants(organisation, after, limit);
  const visible = grants.filter(({ server }) => policy?.servers?.includes(server) ?? true);
  const items = await Promise.all(
    visible.map(async (grant) => ({
      grant,
      bindings: seenBy(client, await ports.grants.listBindings(grant.id)),
    })),
  );
  const last = grants.length === limit ? grants.at(-1) : undefined;
  return { items, next: last && { createdAt: last.createdAt, id: last.id } };
}

export async function getGrant(ports: GrantPorts, client: ClientId, id: GrantId): Promise<GrantView> {
  const grant = await findVisible(ports, client, id, "status");
  return { grant, bindings: seenBy(client, await ports.grants.listBindings(id)) };
}

/** What happened to a grant, oldest first: why did it break. */
export async function readTimeline(
  ports: GrantPorts,
  client: ClientId,
  id: GrantId,
): Promise<readonly TimelineEntry[]> {
  await findVisible(ports, client, id, "status");
  return ports.grants.timeline(id);
}

/**
 * Ends a grant: from the moment this returns no replica hands its token out. iManage is told at once, and again by the
 * worker until it has answered.
 */
export async function deleteGrant(
  ports: GrantPorts,
  client: ClientId,
  id: GrantId,
  note: AuditNote,
): Promise<void> {
  await findVisible(ports, client, id, "revoke");
  await ports.grants.deleteGrant(id, note);
  ports.revoker.revokeSoon(organisationOf(id));
}

async function findVisible(
  ports: GrantPorts,
  client: ClientId,
  id: GrantId,
  action: ClientAction,
): Promise<Grant> {
  await allowed(ports, client, organisationOf(id), action);
  const grant = await ports.grants.findGrant(id);
  if (grant === undefined) throw new Problem("not_found");
  await allowed(ports, client, organisationOf(id), action, grant.server);
  return grant;
}

/** Of other clients' users a client learns that they are there, not who they are. */
const seenBy = (client: ClientId, bindings: readonly GrantBinding[]): readonly GrantBinding[] =>
  bindings.map((binding) =>
    binding.type === "library" || binding.client === client
      ? binding
      : { ...binding, subject: { type: "user", issuer: "", id: "" } },
  );
