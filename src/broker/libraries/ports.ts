import type { UpstreamUser } from "../../domain/grant.ts";
import type { ClientId, GrantId, ServerId, SyncId } from "../../domain/id.ts";
import type { Instant, Milliseconds } from "../../domain/instant.ts";
import type { LibraryStanding } from "../../domain/library-standing.ts";
import type { Sealed } from "../../domain/sealed.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import type { ApiOutcome, LibraryWanted } from "../authorization/ports.ts";
import type { ClientStore } from "../clients/ports.ts";
import type { DiagnosisStore } from "../diagnosis/ports.ts";
import type { GrantStore } from "../grants/ports.ts";
import type { AuditNote, Clock } from "../ports.ts";
import type { GateReader } from "../refresh/ports.ts";

/**
 * What kind of library it is, by iManage's `type`. Of its values only `worksite` is known (facts page, C); what names
 * security or policies is taken for the security policy library (?), and everything else is `other`.
 */
export type LibraryKind = "ordinary" | "security_policy" | "other";

/** NRTADMIN is a role and a group, each per library (facts page, C): one may be had without the other. */
export interface LibraryRights {
  /** By the operations bits, which follow the role. */
  readonly byOperations: boolean;
  readonly byGroup: boolean;
  /** Undefined: both agree. */
  readonly difference: "role_without_group" | "group_without_role" | undefined;
}

/** What a library's view is drawn from. */
export interface LibraryViewPorts {
  readonly clock: Pick<Clock, "now">;
  readonly lent: LibraryStore;
  readonly standings: StandingStore;
  readonly memory: LibraryMemory;
  readonly grants: Pick<GrantStore, "findGrant">;
  readonly gates: GateReader;
  readonly diagnoses: Pick<DiagnosisStore, "findDiagnoses">;
  readonly syncs: LibrarySyncs;
  readonly clients: Pick<ClientStore, "findClient">;
}

/** Syncs of a server's libraries, of whichever client. */
export interface LibrarySyncs {
  listLibrarySyncs(server: ServerId): Promise<readonly LibrarySync[]>;
}

export interface LibrarySync {
  readonly id: SyncId;
  readonly client: ClientId;
  readonly library: string;
  readonly state: "active" | "paused" | "parked";
  readonly lastCompleteAt: Instant | undefined;
  readonly lastError: { readonly code: string; readonly at: Instant } | undefined;
  /** Since the last success. */
  readonly failures: number;
}

/** A library of an iManage server, as its admin sees it. */
export interface LibraryAdministration {
  readonly id: string;
  readonly displayName: string | undefined;
  readonly hidden: boolean;
  readonly kind: LibraryKind;
  /** Both read (facts page, C): the operations bits, and membership of the NRTADMIN group. */
  readonly adminByOperations: boolean;
  readonly adminByGroup: boolean;
}

export interface LibraryReader {
  /**
   * The customer's libraries with what this user may administer in each.
   * @param only of these alone; one that is not listed to him is left out
   */
  listLibraries(
    server: Server,
    user: UpstreamUser,
    accessToken: Secret,
    only?: ReadonlySet<string>,
  ): Promise<ApiOutcome<readonly LibraryAdministration[]>>;
  /**
   * Does iManage know this user in that library? Asked with the token of somebody who administers it. Whether he may sign in
   * it does not say.
   */
  findUser(
    server: Server,
    user: UpstreamUser,
    library: string,
    accessToken: Secret,
  ): Promise<ApiOutcome<"there" | "unknown">>;
}

/** A library whose background service has been lent an authorisation. */
export interface LibraryBinding {
  readonly server: ServerId;
  readonly library: string;
  readonly grant: GrantId;
  readonly lentBy: UpstreamUser;
  /** Since when it is his. */
  readonly since: Instant;
}

export interface LibraryStore {
  findLibrary(server: ServerId, library: string): Promise<LibraryBinding | undefined>;
  listLibraries(server: ServerId): Promise<readonly LibraryBinding[]>;
  /**
   * Lends libraries a grant's authorisation. MUST be atomic for all of them, and idempotent. What another user lent stays
   * his, `lent_by_another`, unless it is he whom `replaces` names (T11). Of a grant that loses its last binding by it
   * nothing is revoked at iManage before the last half minute of what was handed out of it.
   */
  lendLibraries(
    grant: GrantId,
    server: ServerId,
    libraries: readonly LibraryWanted[],
    note: AuditNote,
  ): Promise<readonly ("lent" | "lent_by_another")[] | "gone">;
  /**
   * Takes the authorisation back; the last binding of a grant revokes it.
   * @param from only of this grant
   */
  withdrawLibrary(
    server: ServerId,
    library: string,
    note: AuditNote,
    from?: GrantId,
  ): Promise<"withdrawn" | "not_lent">;
}

/** What looks at the owners of lent libraries have said. */
export interface StandingStore {
  listStandings(server: ServerId): Promise<ReadonlyMap<string, LibraryStanding>>;
  /**
   * Stores it, and with it whether the library is parked: then every replica MUST refuse tokens for it from this moment. Only
   * while the library is lent by this very grant; what was seen of another's owner says nothing. And MUST not where `before`
   * is not what is stored any more: to authorize forgets it, and a look may have begun before that.
   */
  putStanding(
    of: Pick<LibraryBinding, "server" | "library" | "grant">,
    standing: LibraryStanding,
    before: LibraryStanding | undefined,
  ): Promise<"parked" | "lifted" | "stored" | "changed_hands" | "overtaken">;
}

/** A library as iManage last listed it to somebody. */
export interface KnownLibrary {
  readonly id: string;
  readonly displayName: string | undefined;
  readonly hidden: boolean;
  readonly kind: LibraryKind;
}

/** Hints: to lose them costs calls at iManage, and counts that start anew. */
export interface LibraryMemory {
  /** Who got tokens for these libraries, and when last. */
  listUses(server: ServerId, libraries: readonly string[]): Promise<readonly LibraryUse[]>;
  /** Notes which libraries a user was just seen to administer, or not to. */
  noteAdmin(
    server: ServerId,
    user: UpstreamUser,
    grant: GrantId,
    seen: ReadonlyMap<string, boolean>,
  ): Promise<void>;
  listAdmins(server: ServerId): Promise<readonly LibraryAdmin[]>;
  /** Notes what iManage calls libraries, for whoever looks without an iManage user of his own. */
  noteListed(server: ServerId, libraries: readonly KnownLibrary[]): Promise<void>;
  listKnown(server: ServerId): Promise<readonly KnownLibrary[]>;
  findRights(server: ServerId, user: UpstreamUser): Promise<readonly Sealed[] | undefined>;
  putRights(
    server: ServerId,
    user: UpstreamUser,
    sealed: readonly Sealed[],
    lifeMs: Milliseconds,
  ): Promise<void>;
  forgetRights(server: ServerId, user: UpstreamUser): Promise<void>;
}

export interface LibraryUse {
  readonly library: string;
  readonly client: ClientId;
  readonly at: Instant;
}

/** Somebody who was seen to administer a library; who he is stands in his grant. */
export interface LibraryAdmin {
  readonly library: string;
  readonly grant: GrantId;
  readonly at: Instant;
}
