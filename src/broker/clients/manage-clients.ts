import type { Client } from "../../domain/client.ts";
import { secretId, withNewSecret } from "../../domain/client-secrets.ts";
import type { ClientId } from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { DesiredClient } from "../organisations/desired.ts";
import { clientSchema, toClient } from "../organisations/desired-clients.ts";
import { planClient } from "../organisations/plan-clients.ts";
import type { AddressRules } from "../organisations/server-address.ts";
import { ClientWriter } from "../organisations/write-clients.ts";
import type { AuditNote, Clock, Random } from "../ports.ts";
import type { ClientConfigurationStore, ClientSecrets } from "./ports.ts";
import { mustManage, mustSee, sees, type Viewer } from "./viewer.ts";

export interface ManageClientPorts {
  readonly store: ClientConfigurationStore;
  readonly clientSecrets: ClientSecrets;
  readonly addressRules: AddressRules;
  readonly clock: Clock;
  readonly random: Random;
}

/** What people and programs say of a client, in the words of a file. Its role and its secrets are said otherwise. */
export interface ToldClient {
  readonly display_name?: string | undefined;
  readonly state?: "active" | "stopped" | undefined;
  readonly return_urls?: readonly string[] | undefined;
}

/** One page of clients in the order of their ids, which is that of their making. */
export async function listClients(
  ports: Pick<ManageClientPorts, "store">,
  viewer: Viewer,
  after: ClientId | undefined,
  limit: number,
): Promise<{ readonly items: readonly Client[]; readonly next: ClientId | undefined }> {
  const all =
    viewer === "operator"
      ? await ports.store.listClients()
      : [await findClient(ports, viewer, viewer.client)];
  const rest = all.filter(({ id }) => sees(viewer, id) && (after === undefined || id > after));
  const items = rest.slice(0, limit);
  return { items, next: rest.length > limit ? items.at(-1)?.id : undefined };
}

/** @throws Problem("not_found") */
export async function findClient(
  { store }: Pick<ManageClientPorts, "store">,
  viewer: Viewer,
  id: ClientId,
): Promise<Client> {
  mustSee(viewer, id);
  const client = await store.findClient(id);
  if (client === undefined) throw new Problem("not_found");
  return client;
}

/**
 * A new client with its first secret, which is shown once. It may do nothing until a policy says so.
 * @throws Problem not_allowed | invalid_request | configuration_conflict, where the name is another's
 */
export async function createClient(
  ports: ManageClientPorts,
  viewer: Viewer,
  { name, ...told }: ToldClient & { readonly name: string },
  note: AuditNote,
): Promise<{ readonly client: Client; readonly secret: Secret }> {
  mustManage(viewer, undefined);
  const desired = readTold(ports, { name, ...told });
  if ((await ports.store.findClientByName(name)) !== undefined) {
    throw new Problem("configuration_conflict", { detail: `There is a client named ${name} already.` });
  }
  const writer = writerOf(ports, note);
  await writer.putClient(planClient(desired, undefined, "not given"));
  const { id, secret } = writer.newSecrets[0]!;
  return { client: await findClient(ports, viewer, id), secret };
}

/**
 * Changes what is told; what is not told stays. Stopped, it gets no token from then on, and broker tokens are void.
 * @throws Problem not_found | not_allowed | invalid_request | configuration_conflict
 */
export async function changeClient(
  ports: ManageClientPorts,
  viewer: Viewer,
  id: ClientId,
  told: ToldClient,
  note: AuditNote,
): Promise<Client> {
  mustManage(viewer, id);
  const stored = await findClient(ports, viewer, id);
  const desired = readTold(ports, {
    name: stored.name,
    display_name: told.display_name ?? stored.displayName,
    state: told.state ?? stored.state,
    return_urls: told.return_urls ?? stored.returnUrls,
  });
  const step = planClient(desired, stored, "not given");
  if (step.act === "keep") return stored;
  await writerOf(ports, note).putClient(step);
  return findClient(ports, viewer, id);
}

/** A secret as it may be shown: which one it is, and how long it counts. */
export interface SecretView {
  readonly id: string;
  readonly addedAt: Instant;
  readonly expiresAt: Instant | undefined;
}

export const secretViews = ({ secrets }: Client): readonly SecretView[] =>
  secrets.map((secret) => ({ id: secretId(secret), addedAt: secret.addedAt, expiresAt: secret.expiresAt }));

/**
 * A further secret, shown once; the one before stays valid beside it, the oldest of three for a day.
 * @throws Problem not_found | not_allowed | invalid_request | configuration_conflict
 */
export async function addSecret(
  ports: ManageClientPorts,
  viewer: Viewer,
  id: ClientId,
  expiresAt: Instant | undefined,
  note: AuditNote,
): Promise<{ readonly client: Client; readonly view: SecretView; readonly secret: Secret }> {
  mustManage(viewer, id);
  const now = ports.clock.now();
  if (expiresAt !== undefined && expiresAt <= now) {
    throw new Problem("invalid_request", { faults: [{ field: "expires_at", message: "is over already" }] });
  }
  const before = await findClient(ports, viewer, id);
  const secret = ports.clientSecrets.make();
  const made = { hmac: ports.clientSecrets.hmac(secret), expiresAt };
  const secrets = withNewSecret(before.secrets, made, now);
  const client = { ...before, secrets, generation: before.generation + 1 };
  await ports.store.putClient(client, { before, fields: ["secret"], act: "secret_added", note });
  return { client, view: secretViews(client)[0]!, secret };
}

/**
 * Makes a secret void at once. The last one may go: a client may prove itself otherwise, or not at all.
 * @throws Problem not_found | not_allowed | configuration_conflict
 */
export async function removeSecret(
  ports: Pick<ManageClientPorts, "store">,
  viewer: Viewer,
  id: ClientId,
  secret: string,
  { dryRun, note }: { readonly dryRun: boolean; readonly note: AuditNote },
): Promise<Client> {
  mustManage(viewer, id);
  const before = await findClient(ports, viewer, id);
  const secrets = before.secrets.filter((one) => secretId(one) !== secret);
  if (secrets.length === before.secrets.length) throw new Problem("not_found");
  const client = { ...before, secrets, generation: before.generation + 1 };
  if (!dryRun)
    await ports.store.putClient(client, { before, fields: ["secret"], act: "secret_removed", note });
  return client;
}

/** One schema judges whatever comes from people, by whichever door. */
function readTold({ addressRules }: ManageClientPorts, told: object): DesiredClient {
  const read = clientSchema(addressRules, undefined).safeParse(told);
  if (read.success) return toClient(read.data);
  const faults = read.error.issues.map(({ path, message }) => ({ field: path.join("."), message }));
  throw new Problem("invalid_request", { faults });
}

const writerOf = (ports: ManageClientPorts, note: AuditNote): ClientWriter =>
  new ClientWriter(
    ports,
    new Map(),
    { organisations: new Map(), servers: new Map(), registrations: new Map(), clients: new Map() },
    note,
  );
