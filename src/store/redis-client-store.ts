import type { ClientConfigurationStore, ClientStore } from "../broker/clients/ports.ts";
import type { RecordWrite } from "../broker/ports.ts";
import type { Client } from "../domain/client.ts";
import type { ClientId, OrganisationId } from "../domain/id.ts";
import type { Policy } from "../domain/policy.ts";
import { clientKey, clientNamesKey, clientOrganisationsKey, gateKey, policyKey } from "./keys.ts";
import { standingPlace } from "./places.ts";
import { readClient, readPolicy } from "./records.ts";
import type { RedisStore } from "./redis-store.ts";
import { markOf, type SealedRecords } from "./sealed-records.ts";
import { allNamed, findNamed, type RecordPlaces, storedText, writeRecord } from "./write-record.ts";

/** Downstream clients, and what each may do in an organisation. */
export class RedisClientStore implements ClientStore, ClientConfigurationStore {
  readonly #store: RedisStore;
  readonly #sealed: SealedRecords;
  readonly #places: RecordPlaces;
  readonly #wrote: () => void;

  /** @param wrote hears that a client was changed by this process */
  constructor(store: RedisStore, sealed: SealedRecords, wrote: () => void = () => {}) {
    this.#wrote = wrote;
    this.#store = store;
    this.#sealed = sealed;
    this.#places = { store, sealed };
  }

  async findClient(id: ClientId): Promise<Client | undefined> {
    const key = clientKey(id);
    const stored = await this.#store.call((redis) => redis.hget(key, "record"));
    return this.#sealed.read(key, stored, readClient);
  }

  async findStanding(id: ClientId): Promise<ClientStanding | undefined> {
    const key = clientKey(id);
    const stored = await this.#store.call((redis) => redis.hget(key, "standing"));
    return this.#sealed.read(standingPlace(key), stored, (standing) => standing as ClientStanding);
  }

  async findClientByName(name: string): Promise<Client | undefined> {
    return findNamed(this.#places, clientNamesKey(), name, (id) => this.findClient(id as ClientId));
  }

  async listClients(): Promise<readonly Client[]> {
    return allNamed(this.#places, clientNamesKey(), (id) => this.findClient(id as ClientId));
  }

  async putClient(client: Client, write: RecordWrite<Client>): Promise<void> {
    const { id, name, state, generation } = client;
    const key = clientKey(id);
    await writeRecord(this.#places, "put-client", [key, clientNamesKey()], write, {
      stored: await this.#store.call((redis) => redis.hget(key, "record")),
      read: readClient,
      record: client,
      more: [name, id, this.#sealed.seal(standingPlace(key), { state, generation })],
      audited: ["client", { client: id, name }],
    });
    this.#wrote();
  }

  async findPolicy(
    client: ClientId,
    organisation: OrganisationId,
  ): Promise<{ policy: Policy | undefined; generation: number; mark: string }> {
    const key = policyKey(organisation, client);
    // The generation first: a policy that changes in between is then believed older than it is, and read again.
    const generation = await this.#store.call((redis) => redis.hget(gateKey(organisation), "policies"));
    const stored = await storedText(this.#store, key);
    return {
      policy: this.#sealed.read(key, stored, readPolicy),
      generation: Number(generation ?? 0),
      mark: markOf(stored),
    };
  }

  async putPolicy(policy: Policy, write: RecordWrite<Policy>): Promise<void> {
    const { client, organisation } = policy;
    const key = policyKey(organisation, client);
    await writeRecord(this.#places, "put-policy", [key, gateKey(organisation)], write, {
      stored: await storedText(this.#store, key),
      read: readPolicy,
      record: policy,
      more: [],
      audited: ["policy", { client }],
    });
    await this.#store.call((redis) => redis.sadd(clientOrganisationsKey(client), organisation));
  }

  async deletePolicy({ client, organisation }: Policy, write: RecordWrite<Policy>): Promise<void> {
    const key = policyKey(organisation, client);
    await writeRecord(this.#places, "put-policy", [key, gateKey(organisation)], write, {
      stored: await storedText(this.#store, key),
      read: readPolicy,
      record: undefined,
      more: [],
      audited: ["policy", { client }],
    });
    await this.#store.call((redis) => redis.srem(clientOrganisationsKey(client), organisation));
  }

  async organisationsOf(client: ClientId): Promise<readonly OrganisationId[]> {
    const ids = await this.#store.call((redis) => redis.smembers(clientOrganisationsKey(client)));
    return ids.sort() as OrganisationId[];
  }
}

type ClientStanding = Pick<Client, "state" | "generation">;
