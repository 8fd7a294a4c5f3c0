import type { ConfigurationStore } from "../broker/organisations/ports.ts";
import type { RecordWrite } from "../broker/ports.ts";
import type { OrganisationId, RegistrationId, ServerId } from "../domain/id.ts";
import type { Organisation } from "../domain/organisation.ts";
import { Problem } from "../domain/problem.ts";
import type { Registration } from "../domain/registration.ts";
import type { Server } from "../domain/server.ts";
import {
  claimDigest,
  gateKey,
  memberDigest,
  membersKey,
  organisationKey,
  organisationNamesKey,
  registrationKey,
  registrationNamesKey,
  serverKey,
  serverNamesKey,
} from "./keys.ts";
import { optional, readOrganisation, readRegistration, readServer } from "./records.ts";
import { RedisClientStore } from "./redis-client-store.ts";
import type { RedisStore } from "./redis-store.ts";
import { allNamed, idNamed, storedText, writeRecord } from "./write-record.ts";

/** Records that operators manage. Clients and policies are the other class's; who changes configuration changes both. */
export class RedisConfigurationStore extends RedisClientStore implements ConfigurationStore {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    super(store);
    this.#store = store;
  }

  async findOrganisation(id: OrganisationId): Promise<Organisation | undefined> {
    return optional(readOrganisation)(await this.#store.readJson(organisationKey(id)));
  }

  async findOrganisationByName(name: string): Promise<Organisation | undefined> {
    const id = await idNamed(this.#store, organisationNamesKey(), name);
    return id === undefined ? undefined : this.findOrganisation(id as OrganisationId);
  }

  async listOrganisations(): Promise<readonly Organisation[]> {
    return allNamed(this.#store, organisationNamesKey(), (id) => this.findOrganisation(id as OrganisationId));
  }

  async putOrganisation(organisation: Organisation, write: RecordWrite<Organisation>): Promise<void> {
    const { id, name, enabled, members } = organisation;
    const known = members.everyone
      ? []
      : [...members.subjects.map(memberDigest), ...members.claims.map(claimDigest)];
    const key = organisationKey(id);
    // Names of organisations lie in another slot, so the record comes first: who loses the name leaves a record nobody finds.
    await writeRecord(this.#store, "put-organisation", [key, gateKey(id), membersKey(id)], write, {
      stored: await storedText(this.#store, key),
      read: readOrganisation,
      record: organisation,
      more: [enabled ? 1 : 0, members.everyone ? "" : "some", known.join(" ")],
      audited: ["organisation", { name }],
    });
    if ((await idNamed(this.#store, organisationNamesKey(), name)) === undefined)
      await this.#store.call((redis) => redis.hsetnx(organisationNamesKey(), name, id));
    if ((await idNamed(this.#store, organisationNamesKey(), name)) !== id)
      throw new Problem("configuration_conflict");
  }

  async findServer(id: ServerId): Promise<Server | undefined> {
    return optional(readServer)(await this.#store.readJson(serverKey(id)));
  }

  async findServerByName(organisation: OrganisationId, name: string): Promise<Server | undefined> {
    const id = await idNamed(this.#store, serverNamesKey(organisation), name);
    return id === undefined ? undefined : this.findServer(id as ServerId);
  }

  async listServers(organisation: OrganisationId): Promise<readonly Server[]> {
    return allNamed(this.#store, serverNamesKey(organisation), (id) => this.findServer(id as ServerId));
  }

  async putServer(server: Server, write: RecordWrite<Server>): Promise<void> {
    const { id, name, organisation } = server;
    const key = serverKey(id);
    await writeRecord(this.#store, "put-record", [key, serverNamesKey(organisation)], write, {
      stored: await storedText(this.#store, key),
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
    const id = await idNamed(this.#store, registrationNamesKey(organisation), name);
    return id === undefined ? undefined : this.findRegistration(id as RegistrationId);
  }

  async listSharedRegistrations(): Promise<readonly Registration[]> {
    return allNamed(this.#store, registrationNamesKey(undefined), (id) =>
      this.findRegistration(id as RegistrationId),
    );
  }

  async putRegistration(registration: Registration, write: RecordWrite<Registration>): Promise<void> {
    const { id, name, organisation } = registration;
    const key = registrationKey(id);
    await writeRecord(this.#store, "put-record", [key, registrationNamesKey(organisation)], write, {
      stored: await storedText(this.#store, key),
      read: readRegistration,
      record: registration,
      more: [name, id],
      audited: ["registration", { registration: id, name }],
    });
  }
}
