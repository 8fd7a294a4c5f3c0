import type { ClosedGate } from "../../domain/closed-server.ts";
import type { OrganisationId, Route, ServerId } from "../../domain/id.ts";
import type { Milliseconds } from "../../domain/instant.ts";
import type { Organisation } from "../../domain/organisation.ts";
import type { PortalSession } from "../../domain/portal-session.ts";
import type { Server } from "../../domain/server.ts";
import type { AuthorizationPorts } from "../authorization/connect-ports.ts";
import type { DiagnosisStore } from "../diagnosis/ports.ts";
import type { GrantStore } from "../grants/ports.ts";
import type { Revoker } from "../grants/revoke-pending.ts";
import type { ChangePorts } from "../organisations/change-organisation.ts";
import type { PackageMaker } from "../organisations/registration-package.ts";

/** Links and visits of the portal, by the digests of their handles. */
export interface PortalStore {
  insertPortalLink(route: Route, digest: string, session: PortalSession, lifeMs: Milliseconds): Promise<void>;
  /** MUST answer a link's session to exactly one caller. */
  takePortalLink(route: Route, digest: string): Promise<PortalSession | undefined>;
  insertPortalVisit(
    route: Route,
    digest: string,
    session: PortalSession,
    lifeMs: Milliseconds,
  ): Promise<void>;
  /** What is over MUST be as good as gone. */
  findPortalVisit(route: Route, digest: string): Promise<PortalSession | undefined>;
  deletePortalVisit(route: Route, digest: string): Promise<void>;
}

export interface PortalPorts extends AuthorizationPorts {
  readonly portal: PortalStore;
  readonly grants: Pick<
    GrantStore,
    "countGrants" | "findGrant" | "findUserGrant" | "listBindings" | "unbindUser"
  >;
  readonly configuration: ChangePorts;
  readonly packages: PackageMaker;
  readonly diagnoses: Pick<DiagnosisStore, "findDiagnoses">;
  readonly gates: { findClosedGate(server: ServerId): Promise<ClosedGate | undefined> };
  readonly organisations: {
    findOrganisation(id: OrganisationId): Promise<Organisation | undefined>;
    listServers(organisation: OrganisationId): Promise<readonly Server[]>;
  };
  readonly revoker: Pick<Revoker, "revokeSoon">;
}
