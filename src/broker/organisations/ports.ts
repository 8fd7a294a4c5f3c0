import type { OrganisationId, RegistrationId, ServerId } from "../../domain/id.ts";
import type { Organisation } from "../../domain/organisation.ts";
import type { Registration } from "../../domain/registration.ts";
import type { Server } from "../../domain/server.ts";
import type { ClientConfigurationStore } from "../clients/ports.ts";
import type { RecordWrite } from "../ports.ts";

/**
 * Records an operator manages, by id and by their stable names. Writers MUST replace nothing but what was read, MUST leave
 * an audit entry in the step that stores the record, and are idempotent.
 * @throws Problem configuration_conflict where something else is stored by now
 */
export interface ConfigurationStore extends ClientConfigurationStore {
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
}
