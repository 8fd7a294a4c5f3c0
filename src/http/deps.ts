import type { ExplainPorts } from "../broker/access/explain-access.ts";
import type { AccessTokens } from "../broker/access/provide-access-token.ts";
import type { AuditReadPorts } from "../broker/audit/read-audit.ts";
import type { AuthorizationPorts } from "../broker/authorization/connect-ports.ts";
import type { ClientPorts } from "../broker/clients/authenticate-client.ts";
import type { TokensOnTheirWay } from "../broker/clients/tokens-on-their-way.ts";
import type { ContainmentPorts } from "../broker/containment/contain.ts";
import type { DiagnosisPorts } from "../broker/diagnosis/diagnose-server.ts";
import type { GrantPorts } from "../broker/grants/manage-grants.ts";
import type { IdempotencyStore } from "../broker/idempotency/ports.ts";
import type { LibraryViewPorts } from "../broker/libraries/ports.ts";
import type { ChangePorts } from "../broker/organisations/change-organisation.ts";
import type { PackageMaker } from "../broker/organisations/registration-package.ts";
import type { PersonPorts } from "../broker/people/read-person.ts";
import type { PortalPorts } from "../broker/portal/ports.ts";
import type { Log, Signer } from "../broker/ports.ts";
import type { ServerProfiles } from "../broker/profile/ports.ts";
import type { GateReader } from "../broker/refresh/ports.ts";
import type { SubjectPorts } from "../broker/subjects/ports.ts";
import type { EventReader } from "../events/read-events.ts";
import type { Subscriptions } from "../events/subscriptions.ts";
import type { ChangeReader } from "../sync/read-changes.ts";
import type { Snapshots } from "../sync/read-snapshot.ts";
import type { Syncs } from "../sync/syncs.ts";

/** What the routes tell their stories with. Nothing is decided in this room. */
export interface HttpDeps {
  readonly accessTokens: AccessTokens;
  readonly explain: ExplainPorts;
  readonly authorization: AuthorizationPorts;
  readonly clients: ClientPorts;
  readonly tokensOnTheirWay: TokensOnTheirWay;
  readonly people: PersonPorts;
  readonly grants: GrantPorts;
  readonly subjects: SubjectPorts;
  readonly portal: PortalPorts;
  readonly diagnosis: DiagnosisPorts;
  readonly libraries: LibraryViewPorts;
  readonly containment: ContainmentPorts;
  readonly idempotency: IdempotencyStore;
  readonly syncs: Syncs;
  readonly changes: ChangeReader;
  readonly events: EventReader;
  readonly snapshots: Snapshots;
  readonly subscriptions: Subscriptions;
  readonly configuration: ChangePorts;
  readonly profiles: Pick<ServerProfiles, "findProfile"> & GateReader;
  readonly packages: PackageMaker;
  readonly cursors: Cursors;
  readonly audit: AuditReadPorts;
  readonly signer: Pick<Signer, "publicKeys">;
  readonly newRequestId: () => string;
  readonly log: Log;
  readonly settings: HttpSettings;
}

export interface HttpSettings {
  /** Never derived from a request (T07). */
  /** The issuer, and the start of what does not depend on the address by which somebody came. */
  readonly publicBaseUrl: string;
  readonly otherBaseUrls: readonly string[];
  readonly supportContact: string;
  readonly productName: string;
  readonly trustedProxyCidrs: readonly string[];
  /** Where clients with certificates are served. `byAuthority`: those that an authority issued, too. */
  readonly mtls: { readonly baseUrl: string; readonly byAuthority: boolean } | undefined;
}

/** Positions in a list, opaque to clients and authenticated: nobody can make one up. */
export interface Cursors {
  seal(position: string): string;
  open(cursor: string): string | undefined;
}
