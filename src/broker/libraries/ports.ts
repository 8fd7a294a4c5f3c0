import type { UpstreamUser } from "../../domain/grant.ts";
import type { GrantId, ServerId } from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import type { ApiOutcome } from "../authorization/ports.ts";
import type { AuditNote } from "../ports.ts";

/** A library of an iManage server, as its admin sees it. */
export interface LibraryAdministration {
  readonly id: string;
  readonly displayName: string | undefined;
  readonly hidden: boolean;
  /** Both read (facts page, C): the operations bits, and membership of the NRTADMIN group. */
  readonly adminByOperations: boolean;
  readonly adminByGroup: boolean;
}

export interface LibraryReader {
  /** Every library of the customer with what this user may administer in it. */
  listLibraries(
    server: Server,
    user: UpstreamUser,
    accessToken: Secret,
  ): Promise<ApiOutcome<readonly LibraryAdministration[]>>;
}

/** A library whose background service has been lent an authorisation. */
export interface LibraryBinding {
  readonly server: ServerId;
  readonly library: string;
  readonly grant: GrantId;
  readonly lentBy: UpstreamUser;
  readonly since: Instant;
}

export interface LibraryStore {
  findLibrary(server: ServerId, library: string): Promise<LibraryBinding | undefined>;
  listLibraries(server: ServerId): Promise<readonly LibraryBinding[]>;
  /** Takes the authorisation back; the last binding of a grant revokes it. */
  withdrawLibrary(server: ServerId, library: string, note: AuditNote): Promise<"withdrawn" | "not_lent">;
}
