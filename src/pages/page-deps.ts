import type { Response } from "express";
import type { AuthorizationPorts } from "../broker/authorization/connect-ports.ts";
import type { LibraryPagePorts } from "../broker/libraries/library-pages.ts";
import type { PortalPorts } from "../broker/portal/ports.ts";
import type { Log } from "../broker/ports.ts";

/** What the pages are given. */
export interface PageDeps {
  readonly authorization: AuthorizationPorts;
  readonly libraries: LibraryPagePorts;
  readonly portal: PortalPorts;
  readonly settings: PageSettings;
  readonly log: Log;
  readonly requestIdOf: (response: Response) => string;
}

export interface PageSettings {
  readonly publicBaseUrl: string;
  readonly productName: string;
  readonly supportContact: string;
  /** Loopback base URL outside production: browsers refuse `__Host-` and `Secure` without https. */
  readonly plainCookies: boolean;
}
