import type { Client } from "../../domain/client.ts";
import type { ClientId, OrganisationId } from "../../domain/id.ts";
import type { Organisation } from "../../domain/organisation.ts";
import type { Policy } from "../../domain/policy.ts";
import { Problem } from "../../domain/problem.ts";
import type { Server } from "../../domain/server.ts";
import { policySchema, ruleWords, toPolicy } from "../organisations/desired-policies.ts";
import type { Change } from "../organisations/plan.ts";
import { planPolicy } from "../organisations/plan-clients.ts";
import type { ConfigurationStore } from "../organisations/ports.ts";
import { ClientWriter, type ClientWriterPorts } from "../organisations/write-clients.ts";
import type { AuditNote } from "../ports.ts";
import { findClient } from "./manage-clients.ts";
import { mustManage, mustSee, type Viewer } from "./viewer.ts";

export interface ManagePolicyPorts extends Omit<ClientWriterPorts, "store"> {
  readonly store: ConfigurationStore;
}

/** A policy with those it is about, since what it names are names. */
export interface PolicyView {
  readonly policy: Policy;
  readonly client: Client;
  readonly organisation: Organisation;
  readonly servers: readonly Server[];
}

export interface PolicyPlace {
  readonly client: ClientId;
  readonly organisation: OrganisationId;
}

interface ChangeOptions {
  readonly dryRun: boolean;
  readonly note: AuditNote;
}

/** One page of policies, by client and then by organisation; of one client, one organisation, or all. */
export async function listPolicies(
  ports: Pick<ManagePolicyPorts, "store">,
  viewer: Viewer,
  of: Partial<PolicyPlace>,
  after: PolicyPlace | undefined,
  limit: number,
): Promise<{ readonly items: readonly PolicyView[]; readonly next: PolicyPlace | undefined }> {
  const { store } = ports;
  const only = of.client ?? (viewer === "operator" ? undefined : viewer.client);
  if (only !== undefined) mustSee(viewer, only);
  const clients = only === undefined ? await store.listClients() : [await findClient(ports, viewer, only)];
  const items: PolicyView[] = [];
  for (const client of clients.filter(({ id }) => after === undefined || id >= after.client)) {
    for (const id of of.organisation === undefined
      ? await store.organisationsOf(client.id)
      : [of.organisation]) {
      if (after?.client === client.id && id <= after.organisation) continue;
      const found = await find(store, client, id);
      if (found === undefined) continue;
      if (items.length === limit) {
        const { policy } = items.at(-1)!;
        return { items, next: { client: policy.client, organisation: policy.organisation } };
      }
      items.push(found);
    }
  }
  // What a client may not see of an organisation it may not learn from an empty list either.
  if (of.organisation !== undefined && items.length === 0 && after === undefined) {
    const exists = viewer === "operator" && (await store.findOrganisation(of.organisation)) !== undefined;
    if (!exists) throw new Problem("not_found");
  }
  return { items, next: undefined };
}

/** @throws Problem("not_found") */
export async function findPolicy(
  ports: Pick<ManagePolicyPorts, "store">,
  viewer: Viewer,
  { client, organisation }: PolicyPlace,
): Promise<PolicyView> {
  const found = await find(ports.store, await findClient(ports, viewer, client), organisation);
  if (found === undefined) throw new Problem("not_found");
  return found;
}

/**
 * What one client may do in one organisation from now on, in the words of a file. All of it: what is not told is the default.
 * @throws Problem not_found | not_allowed | invalid_request | configuration_conflict
 */
export async function putPolicy(
  ports: ManagePolicyPorts,
  viewer: Viewer,
  place: PolicyPlace,
  told: object,
  { dryRun, note }: ChangeOptions,
): Promise<{ readonly changes: readonly Change[]; readonly view: PolicyView | undefined }> {
  await mustManagePolicy(ports, viewer, place);
  const { store } = ports;
  const client = await findClient(ports, viewer, place.client);
  const organisation = await store.findOrganisation(place.organisation);
  if (organisation === undefined) throw new Problem("not_found");
  const servers = await store.listServers(organisation.id);
  const desired = readTold(told, organisation, servers);
  const { policy: stored } = await store.findPolicy(client.id, organisation.id);
  const step = planPolicy(client.name, desired, stored, { record: organisation, servers, registrations: [] });
  if (!dryRun && step.act !== "keep") {
    const ids = {
      clients: new Map([[client.name, client.id]]),
      organisations: new Map([[organisation.name, organisation.id]]),
      servers: new Map(servers.map((one) => [`${organisation.name}/${one.name}`, one])),
      registrations: new Map(),
    };
    await new ClientWriter(ports, new Map(), ids, note).putPolicy(step);
  }
  return { changes: step.changes, view: await find(store, client, organisation.id) };
}

/**
 * Takes a policy away: the organisation does not exist for that client any more. Authorizations stay.
 * @throws Problem not_found | not_allowed | configuration_conflict
 */
export async function deletePolicy(
  ports: Pick<ManagePolicyPorts, "store">,
  viewer: Viewer,
  place: PolicyPlace,
  { dryRun, note }: ChangeOptions,
): Promise<PolicyView> {
  await mustManagePolicy(ports, viewer, place);
  const found = await findPolicy(ports, viewer, place);
  const { policy } = found;
  if (!dryRun) await ports.store.deletePolicy(policy, { before: policy, fields: ["policy"], note });
  return found;
}

/** Where it has no policy a client is not told that it may not change one: the organisation does not exist for it. */
async function mustManagePolicy(
  ports: Pick<ManagePolicyPorts, "store">,
  viewer: Viewer,
  place: PolicyPlace,
): Promise<void> {
  if (viewer !== "operator") await findPolicy(ports, viewer, place);
  mustManage(viewer, place.client);
}

/** A policy in the words of a file. */
export function policyWords({ policy, servers }: PolicyView) {
  const nameOf = (id: string) => servers.find((server) => server.id === id)?.name ?? id;
  return {
    tokens_per_minute: policy.tokensPerMinute,
    ...(policy.grantsPerHour !== undefined && { grants_per_hour: policy.grantsPerHour }),
    rules: policy.rules.map((rule) => ruleWords(rule, nameOf)),
  };
}

async function find(
  store: ConfigurationStore,
  client: Client,
  id: OrganisationId,
): Promise<PolicyView | undefined> {
  const { policy } = await store.findPolicy(client.id, id);
  const organisation = policy && (await store.findOrganisation(id));
  return policy && organisation && { policy, client, organisation, servers: await store.listServers(id) };
}

function readTold(told: object, organisation: Organisation, servers: readonly Server[]) {
  const read = policySchema.safeParse({ ...told, organisation: organisation.name });
  const faults = (read.error?.issues ?? []).map(({ path, message }) => ({ field: path.join("."), message }));
  if (!read.success) throw new Problem("invalid_request", { faults });
  const desired = toPolicy(read.data);
  const named = desired.rules.flatMap((rule) => rule.servers ?? []);
  const unknown = named.filter((name) => !servers.some((server) => server.name === name));
  if (unknown.length > 0) {
    const message = `names ${unknown.join(", ")}, and ${organisation.name} has no such server`;
    throw new Problem("invalid_request", { faults: [{ field: "servers", message }] });
  }
  return desired;
}
