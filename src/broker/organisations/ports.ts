import type { Client, Policy } from "../../domain/client.ts";
import type { ClientId, OrganisationId, RegistrationId, ServerId } from "../../domain/id.ts";
import type { Organisation } from "../../domain/organisation.ts";
import type { Registration } from "../../domain/registration.ts";
import type { Server } from "../../domain/server.ts";
import type { AuditNote } from "../ports.ts";

/** What a record was when its change was planned, and who changes it. */
export interface RecordWrite<T> {
  /** As it was read. Undefined: there is none of this name yet. */
  readonly before: T | undefined;
  /** What changes, by name: values may be secrets, or persons. */
  readonly fields: readonly string[];
  readonly note: AuditNote;
}

/**
 * Records an operator manages, by id and by their stable names. Writers MUST replace nothing but what was read, MUST leave
 * an audit entry in the step that stores the record, and are idempotent.
 * @throws Problem configuration_conflict where something else is stored by now
 */
export interface ConfigurationStore {
  findOrganisationByName(name: string): Promise<Organisation | undefined>;
  findOrganisation(id: OrganisationId): Promise<Organisation | undefined>;
  listOrganisations(): Promise<readonly Organisation[]>;
  putOrganisation(organisation: Organisation, write: RecordWrite<Organisation>): Promise<void>;

  findServer(id: ServerId): Promise<Server | undefined>;
  findServerByName(organisation: OrganisationId, name: string): Promise<Server | undefined>;
  listServers(organisation: OrganisationId): Promise<readonly Server[]>;
  putServer(server: Server, write: RecordWrite<Server>): Promise<void>;

  findRegistration(id: RegistrationId): Promise<Registration | undefined>;
  /** `organisation` undefined: among the shared ones. */
  findRegistrationByName(
    organisation: OrganisationId | undefined,
    name: string,
  ): Promise<Registration | undefined>;
  listSharedRegistrations(): Promise<readonly Registration[]>;
  putRegistration(registration: Registration, write: RecordWrite<Registration>): Promise<void>;

  findClient(id: ClientId): Promise<Client | undefined>;
  findClientByName(name: string): Promise<Client | undefined>;
  listClients(): Promise<readonly Client[]>;
  putClient(client: Client, write: RecordWrite<Client>): Promise<void>;

  findPolicy(
    client: ClientId,
    organisation: OrganisationId,
  ): Promise<{ readonly policy: Policy | undefined; readonly generation: number }>;
  /** Raises the organisation's policy generation in the same script: every cached verdict is void at once. */
  putPolicy(policy: Policy, write: RecordWrite<Policy>): Promise<void>;
}
