import type { ClientConfigurationStore, ClientStore } from "../broker/clients/ports.ts";
import type { RecordWrite } from "../broker/ports.ts";
import type { Client, Policy } from "../domain/client.ts";
import type { ClientId, OrganisationId } from "../domain/id.ts";
import { clientKey, clientNamesKey, clientOrganisationsKey, gateKey, policyKey } from "./keys.ts";
import { optional, readClient, readPolicy } from "./records.ts";
import type { RedisStore } from "./redis-store.ts";
import { allNamed, idNamed, storedText, writeRecord } from "./write-record.ts";

/** Downstream clients, and what each may do in an organisation. */
export class RedisClientStore implements ClientStore, ClientConfigurationStore {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async findClient(id: ClientId): Promise<Client | undefined> {
    const text = await this.#store.call((redis) => redis.hget(clientKey(id), "record"));
    return text === null ? undefined : readClient(JSON.parse(text));
  }

  async findStanding(id: ClientId): Promise<{ state: Client["state"]; generation: number } | undefined> {
    const [state, generation] = await this.#store.call((redis) =>
      redis.hmget(clientKey(id), "state", "generation"),
    );
    if (state === null || state === undefined) return undefined;
    return { state: state as Client["state"], generation: Number(generation) };
  }

  async findClientByName(name: string): Promise<Client | undefined> {
    const id = await idNamed(this.#store, clientNamesKey(), name);
    return id === undefined ? undefined : this.findClient(id as ClientId);
  }

  async listClients(): Promise<readonly Client[]> {
    return allNamed(this.#store, clientNamesKey(), (id) => this.findClient(id as ClientId));
  }

  async putClient(client: Client, write: RecordWrite<Client>): Promise<void> {
    const { id, name, state, generation } = client;
    const key = clientKey(id);
    await writeRecord(this.#store, "put-client", [key, clientNamesKey()], write, {
      stored: (await this.#store.call((redis) => redis.hget(key, "record"))) ?? "",
      read: readClient,
      record: client,
      more: [name, id, state, generation],
      audited: ["client", { client: id, name }],
    });
  }

  async findPolicy(
    client: ClientId,
    organisation: OrganisationId,
  ): Promise<{ policy: Policy | undefined; generation: number }> {
    // The generation first: a policy that changes in between is then believed older than it is, and read again.
    const generation = await this.#store.call((redis) => redis.hget(gateKey(organisation), "policies"));
    const policy = optional(readPolicy)(await this.#store.readJson(policyKey(organisation, client)));
    return { policy, generation: Number(generation ?? 0) };
  }

  async putPolicy(policy: Policy, write: RecordWrite<Policy>): Promise<void> {
    const { client, organisation } = policy;
    const key = policyKey(organisation, client);
    await writeRecord(this.#store, "put-policy", [key, gateKey(organisation)], write, {
      stored: await storedText(this.#store, key),
      read: readPolicy,
      record: policy,
      more: [],
      audited: ["policy", { client }],
    });
    await this.#store.call((redis) => redis.sadd(clientOrganisationsKey(client), organisation));
  }

  async organisationsOf(client: ClientId): Promise<readonly OrganisationId[]> {
    const ids = await this.#store.call((redis) => redis.smembers(clientOrganisationsKey(client)));
    return ids.sort() as OrganisationId[];
  }
}
