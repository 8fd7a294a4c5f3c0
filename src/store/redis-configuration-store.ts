import type { ClientStore } from "../broker/clients/ports.ts";
import type { ConfigurationStore } from "../broker/organisations/ports.ts";
import type { Client, Policy } from "../domain/client.ts";
import type { ClientId, OrganisationId, RegistrationId, ServerId } from "../domain/id.ts";
import type { Organisation } from "../domain/organisation.ts";
import type { Registration } from "../domain/registration.ts";
import type { Server } from "../domain/server.ts";
import {
  claimDigest,
  clientKey,
  clientNamesKey,
  clientOrganisationsKey,
  gateKey,
  memberDigest,
  membersKey,
  organisationKey,
  organisationNamesKey,
  policyKey,
  registrationKey,
  registrationNamesKey,
  serverKey,
  serverNamesKey,
} from "./keys.ts";
import {
  optional,
  readClient,
  readOrganisation,
  readPolicy,
  readRegistration,
  readServer,
} from "./records.ts";
import type { RedisStore } from "./redis-store.ts";

/**
 * Records that operators manage. The record is written before its name, so a name never points at nothing; a writer that
 * dies in between is repaired by writing again.
 */
export class RedisConfigurationStore implements ConfigurationStore, ClientStore {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async findOrganisation(id: OrganisationId): Promise<Organisation | undefined> {
    return optional(readOrganisation)(await this.#store.readJson(organisationKey(id)));
  }

  async findOrganisationByName(name: string): Promise<Organisation | undefined> {
    const id = await this.#named(organisationNamesKey(), name);
    return id === undefined ? undefined : this.findOrganisation(id as OrganisationId);
  }

  async listOrganisations(): Promise<readonly Organisation[]> {
    return this.#all(organisationNamesKey(), (id) => this.findOrganisation(id as OrganisationId));
  }

  async putOrganisation(organisation: Organisation): Promise<void> {
    const { id, enabled, members } = organisation;
    const known = members.everyone
      ? []
      : [...members.subjects.map(memberDigest), ...members.claims.map(claimDigest)];
    // What token requests read changes in one step with the record: nobody slips through a list that is half written.
    await this.#store.call(async (redis) => {
      const change = redis
        .multi()
        .set(organisationKey(id), JSON.stringify(organisation))
        .hset(gateKey(id), "enabled", enabled ? 1 : 0, "members", members.everyone ? "" : "some")
        .del(membersKey(id));
      if (known.length > 0) change.sadd(membersKey(id), ...known);
      await change.exec();
    });
    await this.#name(organisationNamesKey(), organisation.name, organisation.id);
  }

  async findServer(id: ServerId): Promise<Server | undefined> {
    return optional(readServer)(await this.#store.readJson(serverKey(id)));
  }

  async findServerByName(organisation: OrganisationId, name: string): Promise<Server | undefined> {
    const id = await this.#named(serverNamesKey(organisation), name);
    return id === undefined ? undefined : this.findServer(id as ServerId);
  }

  async listServers(organisation: OrganisationId): Promise<readonly Server[]> {
    return this.#all(serverNamesKey(organisation), (id) => this.findServer(id as ServerId));
  }

  async putServer(server: Server): Promise<void> {
    await this.#put(serverKey(server.id), server);
    await this.#name(serverNamesKey(server.organisation), server.name, server.id);
  }

  async findRegistration(id: RegistrationId): Promise<Registration | undefined> {
    return optional(readRegistration)(await this.#store.readJson(registrationKey(id)));
  }

  async findRegistrationByName(
    organisation: OrganisationId | undefined,
    name: string,
  ): Promise<Registration | undefined> {
    const id = await this.#named(registrationNamesKey(organisation), name);
    return id === undefined ? undefined : this.findRegistration(id as RegistrationId);
  }

  async putRegistration(registration: Registration): Promise<void> {
    await this.#put(registrationKey(registration.id), registration);
    await this.#name(registrationNamesKey(registration.organisation), registration.name, registration.id);
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
    const id = await this.#named(clientNamesKey(), name);
    return id === undefined ? undefined : this.findClient(id as ClientId);
  }

  async listClients(): Promise<readonly Client[]> {
    return this.#all(clientNamesKey(), (id) => this.findClient(id as ClientId));
  }

  async putClient(client: Client): Promise<void> {
    await this.#store.call((redis) =>
      redis.hset(clientKey(client.id), {
        record: JSON.stringify(client),
        state: client.state,
        generation: client.generation,
      }),
    );
    await this.#name(clientNamesKey(), client.name, client.id);
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

  async putPolicy(policy: Policy): Promise<void> {
    await this.#store.run(
      "put-policy",
      [policyKey(policy.organisation, policy.client), gateKey(policy.organisation)],
      [JSON.stringify(policy)],
    );
    await this.#store.call((redis) => redis.sadd(clientOrganisationsKey(policy.client), policy.organisation));
  }

  async organisationsOf(client: ClientId): Promise<readonly OrganisationId[]> {
    const ids = await this.#store.call((redis) => redis.smembers(clientOrganisationsKey(client)));
    return ids.sort() as OrganisationId[];
  }

  async #put(key: string, record: object): Promise<void> {
    await this.#store.call((redis) => redis.set(key, JSON.stringify(record)));
  }

  async #named(names: string, name: string): Promise<string | undefined> {
    return (await this.#store.call((redis) => redis.hget(names, name))) ?? undefined;
  }

  async #name(names: string, name: string, id: string): Promise<void> {
    await this.#store.call((redis) => redis.hset(names, name, id));
  }

  async #all<T>(names: string, find: (id: string) => Promise<T | undefined>): Promise<readonly T[]> {
    const ids = await this.#store.call((redis) => redis.hvals(names));
    const records = await Promise.all(ids.sort().map(find));
    return records.filter((record) => record !== undefined);
  }
}
