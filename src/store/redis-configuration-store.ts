import type { ConfigurationStore } from "../broker/organisations/ports.ts";
import type { RecordWrite } from "../broker/ports.ts";
import type { OrganisationId, RegistrationId, ServerId } from "../domain/id.ts";
import type { Organisation } from "../domain/organisation.ts";
import { Problem } from "../domain/problem.ts";
import type { Registration } from "../domain/registration.ts";
import type { Server } from "../domain/server.ts";
import {
  gateKey,
  membersKey,
  organisationKey,
  organisationNamesKey,
  registrationKey,
  registrationNamesKey,
  serverKey,
  serverNamesKey,
} from "./keys.ts";
import { gateWords } from "./places.ts";
import { readOrganisation, readRegistration, readServer } from "./records.ts";
import { RedisClientStore } from "./redis-client-store.ts";
import type { RedisStore } from "./redis-store.ts";
import type { SealedRecords } from "./sealed-records.ts";
import { allNamed, findNamed, type RecordPlaces, storedText, writeRecord } from "./write-record.ts";

/** Records that operators manage. Clients and policies are the other class's; who changes configuration changes both. */
export class RedisConfigurationStore extends RedisClientStore implements ConfigurationStore {
  readonly #store: RedisStore;
  readonly #sealed: SealedRecords;
  readonly #places: RecordPlaces;

  constructor(store: RedisStore, sealed: SealedRecords, wroteClient?: () => void) {
    super(store, sealed, wroteClient);
    this.#store = store;
    this.#sealed = sealed;
    this.#places = { store, sealed };
  }

  async findOrganisation(id: OrganisationId): Promise<Organisation | undefined> {
    return this.#find(organisationKey(id), readOrganisation);
  }

  async findOrganisationByName(name: string): Promise<Organisation | undefined> {
    return findNamed(this.#places, organisationNamesKey(), name, (id) =>
      this.findOrganisation(id as OrganisationId),
    );
  }

  async listOrganisations(): Promise<readonly Organisation[]> {
    return allNamed(this.#places, organisationNamesKey(), (id) =>
      this.findOrganisation(id as OrganisationId),
    );
  }

  async putOrganisation(organisation: Organisation, write: RecordWrite<Organisation>): Promise<void> {
    const { id, name } = organisation;
    const key = organisationKey(id);
    // Names of organisations lie in another slot, so the record comes first: who loses the name leaves a record nobody finds.
    await writeRecord(this.#places, "put-organisation", [key, gateKey(id), membersKey(id)], write, {
      stored: await storedText(this.#store, key),
      read: readOrganisation,
      record: organisation,
      more: gateWords(organisation),
      audited: ["organisation", { name }],
    });
    const holder = () => this.#store.call((redis) => redis.hget(organisationNamesKey(), name));
    if ((await holder()) === null)
      await this.#store.change(organisationNamesKey(), (redis) =>
        redis.hsetnx(organisationNamesKey(), name, id),
      );
    if ((await holder()) !== id) throw new Problem("configuration_conflict");
  }

  async findServer(id: ServerId): Promise<Server | undefined> {
    return this.#find(serverKey(id), readServer);
  }

  async findServerByName(organisation: OrganisationId, name: string): Promise<Server | undefined> {
    return findNamed(
      this.#places,
      serverNamesKey(organisation),
      name,
      (id) => this.findServer(id as ServerId),
      (server) => server.organisation === organisation,
    );
  }

  async listServers(organisation: OrganisationId): Promise<readonly Server[]> {
    return allNamed(
      this.#places,
      serverNamesKey(organisation),
      (id) => this.findServer(id as ServerId),
      (server) => server.organisation === organisation,
      // A wrong keyset is noticed with the organisations already; one firm's only server must not be in the way of others.
      { mayBeNone: true },
    );
  }

  async putServer(server: Server, write: RecordWrite<Server>): Promise<void> {
    const { id, name, organisation } = server;
    const key = serverKey(id);
    await writeRecord(this.#places, "put-record", [key, serverNamesKey(organisation)], write, {
      stored: await storedText(this.#store, key),
      read: readServer,
      record: server,
      more: [name, id],
      audited: ["server", { server: id, name }],
    });
  }

  async findRegistration(id: RegistrationId): Promise<Registration | undefined> {
    return this.#find(registrationKey(id), readRegistration);
  }

  async findRegistrationByName(
    organisation: OrganisationId | undefined,
    name: string,
  ): Promise<Registration | undefined> {
    return findNamed(
      this.#places,
      registrationNamesKey(organisation),
      name,
      (id) => this.findRegistration(id as RegistrationId),
      (registration) => registration.organisation === organisation,
    );
  }

  async listSharedRegistrations(): Promise<readonly Registration[]> {
    return allNamed(
      this.#places,
      registrationNamesKey(undefined),
      (id) => this.findRegistration(id as RegistrationId),
      (registration) => registration.organisation === undefined,
    );
  }

  async putRegistration(registration: Registration, write: RecordWrite<Registration>): Promise<void> {
    const { id, name, organisation } = registration;
    const key = registrationKey(id);
    await writeRecord(this.#places, "put-record", [key, registrationNamesKey(organisation)], write, {
      stored: await storedText(this.#store, key),
      read: readRegistration,
      record: registration,
      more: [name, id],
      audited: ["registration", { registration: id, name }],
    });
  }

  /** Names and ids as they are listed, without a look at the records: what a wrong root keyset does not open. */
  async listOrganisationNames(): Promise<readonly Pick<Organisation, "id" | "name">[]> {
    const names = await this.#store.call((redis) => redis.hgetall(organisationNamesKey()));
    return Object.entries(names).map(([name, id]) => ({ name, id: id as OrganisationId }));
  }

  async listSharedRegistrationNames(): Promise<readonly Pick<Registration, "id" | "name">[]> {
    const names = await this.#store.call((redis) => redis.hgetall(registrationNamesKey(undefined)));
    return Object.entries(names).map(([name, id]) => ({ name, id: id as RegistrationId }));
  }

  async #find<T>(key: string, read: (stored: unknown) => T): Promise<T | undefined> {
    return this.#sealed.read(key, await storedText(this.#store, key), read);
  }
}
