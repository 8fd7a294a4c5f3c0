import type { OrganisationId } from "../../domain/id.ts";
import type { Organisation } from "../../domain/organisation.ts";
import type { ClientStore } from "../clients/ports.ts";
import type { Stops } from "../containment/ports.ts";
import type { SignInMemory } from "../diagnosis/ports.ts";
import type { GrantStore } from "../grants/ports.ts";
import type { LibraryReader } from "../libraries/ports.ts";
import type { Clock, Handles, Log, Random, Sealer, Timers } from "../ports.ts";
import type { ServerProfiles } from "../profile/ports.ts";
import type {
  AuthorizationServer,
  AuthorizationStore,
  ConsentStore,
  IdentityReader,
  ServerDirectory,
} from "./ports.ts";

/** What the stories of this room need. */
export interface AuthorizationPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly sealer: Sealer;
  readonly handles: Handles;
  readonly authorizations: AuthorizationStore;
  readonly consents: ConsentStore;
  readonly grants: Pick<GrantStore, "findGrant">;
  readonly servers: ServerDirectory;
  readonly organisations: { findOrganisation(id: OrganisationId): Promise<Organisation | undefined> };
  readonly clients: Pick<ClientStore, "findClient" | "findPolicy">;
  readonly authorizationServer: AuthorizationServer;
  readonly identities: IdentityReader;
  readonly libraries: LibraryReader;
  readonly profiles: ServerProfiles;
  /** Nobody is sent to iManage, and no code is redeemed, where tokens are stopped. */
  readonly stops: Stops;
  /** How sign-ins end, for whoever asks later why they do not work. */
  readonly signIns: SignInMemory;
  /** The broker's own address: redirect URIs and links start with it, never with what a request says (T07). */
  readonly publicBaseUrl: string;
}
