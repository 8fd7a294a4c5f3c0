import type { Client, Policy } from "../../domain/client.ts";
import type { ClientId, OrganisationId, RegistrationId, ServerId } from "../../domain/id.ts";
import type { Organisation } from "../../domain/organisation.ts";
import type { Registration } from "../../domain/registration.ts";
import type { Server } from "../../domain/server.ts";

/** Records an operator manages, by id and by their stable names. Writers are idempotent. */
export interface ConfigurationStore {
  findOrganisationByName(name: string): Promise<Organisation | undefined>;
  findOrganisation(id: OrganisationId): Promise<Organisation | undefined>;
  listOrganisations(): Promise<readonly Organisation[]>;
  putOrganisation(organisation: Organisation): Promise<void>;

  findServer(id: ServerId): Promise<Server | undefined>;
  findServerByName(organisation: OrganisationId, name: string): Promise<Server | undefined>;
  listServers(organisation: OrganisationId): Promise<readonly Server[]>;
  putServer(server: Server): Promise<void>;

  findRegistration(id: RegistrationId): Promise<Registration | undefined>;
  /** `organisation` undefined: among the shared ones. */
  findRegistrationByName(
    organisation: OrganisationId | undefined,
    name: string,
  ): Promise<Registration | undefined>;
  putRegistration(registration: Registration): Promise<void>;

  findClient(id: ClientId): Promise<Client | undefined>;
  findClientByName(name: string): Promise<Client | undefined>;
  listClients(): Promise<readonly Client[]>;
  putClient(client: Client): Promise<void>;

  findPolicy(
    client: ClientId,
    organisation: OrganisationId,
  ): Promise<{ readonly policy: Policy | undefined; readonly generation: number }>;
  /** Raises the organisation's policy generation in the same script: every cached verdict is void at once. */
  putPolicy(policy: Policy): Promise<void>;
}
