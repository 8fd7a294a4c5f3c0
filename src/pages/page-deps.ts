import type { Response } from "express";
import type { AuditReadPorts, ClientLister } from "../broker/audit/read-audit.ts";
import type { AuthorizationPorts } from "../broker/authorization/connect-ports.ts";
import type { CalendarPorts } from "../broker/calendar/ports.ts";
import type { ClientConfigurationStore } from "../broker/clients/ports.ts";
import type { ContainmentPorts } from "../broker/containment/contain.ts";
import type { DiagnosisPorts } from "../broker/diagnosis/diagnose-server.ts";
import type { GrantStore } from "../broker/grants/ports.ts";
import type { LibraryPagePorts } from "../broker/libraries/library-pages.ts";
import type { OperatorPorts } from "../broker/operators/ports.ts";
import type { ConfigurationStore } from "../broker/organisations/ports.ts";
import type { PortalPorts } from "../broker/portal/ports.ts";
import type { Log } from "../broker/ports.ts";
import type { GateReader } from "../broker/refresh/ports.ts";

/** What the pages are given. */
export interface PageDeps {
  readonly audit: {
    readonly reader: AuditReadPorts;
    readonly clients: ClientLister;
    readonly cursors: { seal(position: string): string; open(cursor: string): string | undefined };
    /** How long entries are kept where this page reads them. */
    readonly keptDays: number;
  };
  readonly authorization: AuthorizationPorts;
  readonly grants: Pick<GrantStore, "findGrant" | "timeline">;
  readonly libraries: LibraryPagePorts;
  readonly calendar: CalendarPorts;
  readonly portal: PortalPorts;
  readonly diagnosis: DiagnosisPorts;
  readonly operators: OperatorPorts;
  readonly containment: ContainmentPorts;
  /** What operators look at. */
  readonly operatorViews: {
    readonly organisations: Pick<
      ConfigurationStore,
      "listOrganisations" | "listServers" | "findOrganisationByName" | "findServerByName"
    > &
      Pick<ClientConfigurationStore, "findClientByName" | "listClients">;
    readonly gates: GateReader;
  };
  readonly settings: PageSettings;
  readonly log: Log;
  readonly requestIdOf: (response: Response) => string;
}

export interface PageSettings {
  /** The address by which these visitors came, and the others. */
  readonly publicBaseUrl: string;
  readonly otherBaseUrls: readonly string[];
  readonly productName: string;
  readonly supportContact: string;
  /** Beside the name on every page. */
  readonly logo: { readonly type: "image/svg+xml" | "image/png"; readonly bytes: Uint8Array } | undefined;
  /** Loopback base URL outside production: browsers refuse `__Host-` and `Secure` without https. */
  readonly plainCookies: boolean;
  /** These pages are the ops listener's. */
  readonly ofOps?: boolean;
}
