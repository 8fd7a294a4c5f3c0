import type { ClientStore } from "../broker/clients/ports.ts";
import type { ConfigurationStore, RecordWrite } from "../broker/organisations/ports.ts";
import type { Client, Policy } from "../domain/client.ts";
import type { ClientId, OrganisationId, RegistrationId, ServerId } from "../domain/id.ts";
import type { Organisation } from "../domain/organisation.ts";
import { Problem } from "../domain/problem.ts";
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
import type { RedisStore, ScriptName } from "./redis-store.ts";

/**
 * Records that operators manage: each is written with its name and its audit entry in one script.
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

  async putOrganisation(organisation: Organisation, write: RecordWrite<Organisation>): Promise<void> {
    const { id, name, enabled, members } = organisation;
    const known = members.everyone
      ? []
      : [...members.subjects.map(memberDigest), ...members.claims.map(claimDigest)];
    const key = organisationKey(id);
    // Names of organisations lie in another slot, so the record comes first: who loses the name leaves a record nobody finds.
    await this.#write("put-organisation", [key, gateKey(id), membersKey(id)], write, {
      stored: await this.#text(key),
      read: readOrganisation,
      record: organisation,
      more: [enabled ? 1 : 0, members.everyone ? "" : "some", known.join(" ")],
      audited: ["organisation", { name }],
    });
    if ((await this.#named(organisationNamesKey(), name)) === undefined)
      await this.#store.call((redis) => redis.hsetnx(organisationNamesKey(), name, id));
    if ((await this.#named(organisationNamesKey(), name)) !== id) throw new Problem("configuration_conflict");
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

  async putServer(server: Server, write: RecordWrite<Server>): Promise<void> {
    const { id, name, organisation } = server;
    const key = serverKey(id);
    await this.#write("put-record", [key, serverNamesKey(organisation)], write, {
      stored: await this.#text(key),
      read: readServer,
      record: server,
      more: [name, id],
      audited: ["server", { server: id, name }],
    });
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

  async listSharedRegistrations(): Promise<readonly Registration[]> {
    return this.#all(registrationNamesKey(undefined), (id) => this.findRegistration(id as RegistrationId));
  }

  async putRegistration(registration: Registration, write: RecordWrite<Registration>): Promise<void> {
    const { id, name, organisation } = registration;
    const key = registrationKey(id);
    await this.#write("put-record", [key, registrationNamesKey(organisation)], write, {
      stored: await this.#text(key),
      read: readRegistration,
      record: registration,
      more: [name, id],
      audited: ["registration", { registration: id, name }],
    });
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

  async putClient(client: Client, write: RecordWrite<Client>): Promise<void> {
    const { id, name, state, generation } = client;
    const key = clientKey(id);
    await this.#write("put-client", [key, clientNamesKey()], write, {
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
    await this.#write("put-policy", [key, gateKey(organisation)], write, {
      stored: await this.#text(key),
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

  /**
   * What was read and what is stored are compared as records, since a reader adds what an older record lacks; that nothing
   * comes in between, the script sees by the text.
   */
  async #write<T>(
    script: ScriptName,
    keys: readonly string[],
    { before, fields, note }: RecordWrite<T>,
    to: {
      readonly stored: string;
      readonly read: (stored: unknown) => T;
      readonly record: T;
      readonly more: readonly (string | number)[];
      readonly audited: readonly [noun: string, named: Readonly<Record<string, string>>];
    },
  ): Promise<void> {
    const { stored, read, record, more, audited } = to;
    const found = stored === "" ? undefined : JSON.stringify(read(JSON.parse(stored)));
    const [noun, named] = audited;
    const entry = {
      action: `${noun}.${before === undefined ? "created" : "changed"}`,
      actor: note.actor,
      ...named,
      fields: fields.join(" "),
      request: note.requestId,
      address: note.address ?? "",
    };
    const outcome =
      found === (before && JSON.stringify(before)) &&
      (await this.#store.run(script, keys, [
        stored,
        JSON.stringify(record),
        ...more,
        ...Object.entries(entry).flat(),
      ]));
    if (outcome !== "stored") throw new Problem("configuration_conflict");
  }

  async #text(key: string): Promise<string> {
    return (await this.#store.call((redis) => redis.get(key))) ?? "";
  }

  async #named(names: string, name: string): Promise<string | undefined> {
    return (await this.#store.call((redis) => redis.hget(names, name))) ?? undefined;
  }

  async #all<T>(names: string, find: (id: string) => Promise<T | undefined>): Promise<readonly T[]> {
    const ids = await this.#store.call((redis) => redis.hvals(names));
    const records = await Promise.all(ids.sort().map(find));
    return records.filter((record) => record !== undefined);
  }
}
