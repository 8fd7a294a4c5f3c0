import type { Containment, ContainmentProgress } from "../../domain/containment.ts";
import type { ClientId, ContainmentId, GrantId, OrganisationId, ServerId } from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import type { UserSubject } from "../../domain/subject.ts";
import type { AuditNote } from "../ports.ts";

export interface ContainmentStore {
  /**
   * Stores a containment with its audit entry. From the moment this returns no replica hands out a token that it stops. MUST be
   * one step, MUST work when the store is full, and MUST be idempotent by id.
   * @param grants of a window of tokens, those found: each with the consent that it stops
   */
  begin(
    containment: Containment,
    at: OrganisationId | undefined,
    note: AuditNote,
    grants?: readonly StoppedGrant[],
  ): Promise<"begun" | "lifted">;
  /** Lets tokens flow again, at once, as far as no other containment stops them. */
  lift(
    id: ContainmentId,
    lifted: NonNullable<Containment["lifted"]>,
    note: AuditNote,
  ): Promise<"lifted" | "already" | "gone">;
  findContainment(id: ContainmentId): Promise<Containment | undefined>;
  /** Newest first. @param organisation undefined: those of clients everywhere */
  listContainments(
    organisation: OrganisationId | undefined,
    after: ContainmentPosition | undefined,
    limit: number,
  ): Promise<readonly Containment[]>;
  progress(id: ContainmentId): Promise<ContainmentProgress>;
  /** What iManage said of each token, oldest first. */
  receipts(
    id: ContainmentId,
    after: string | undefined,
    limit: number,
  ): Promise<readonly RevocationReceipt[]>;
  /** Tokens that iManage refused and that are tried again, with its last answer. */
  refusals(id: ContainmentId): Promise<readonly { readonly why: string; readonly attempts: number }[]>;
  /** Grants that were found, in the order in which they were. */
  grantsOf(id: ContainmentId, after: string | undefined, limit: number): Promise<readonly MarkedGrant[]>;

  /** Containments whose grants have not all been found yet. */
  unfinished(organisation: OrganisationId | undefined): Promise<readonly ContainmentId[]>;
  /** Of a window of tokens: what it stops. */
  stoppedGrants(id: ContainmentId): Promise<readonly StoppedGrant[]>;
  /** Where the work on one was left: what the last `mark` that was stored said. */
  cursorOf(id: ContainmentId): Promise<string | undefined>;
  /** Notes grants, each once, and ends their tokens if so told; all of a page in one step. */
  mark(id: ContainmentId, page: MarkedPage): Promise<"marked" | "lifted" | "gone">;

  /** Whether something stops what is asked about, by which containment. Beside the hot path, which asks for itself. */
  findStop(organisation: OrganisationId, of: StopQuestion): Promise<ContainmentId | undefined>;
  /** The same for a client everywhere: read beside its standing, without a round trip of its own. */
  findClientStop(client: ClientId): Promise<boolean>;
  /** Which clients ever got a token for a library. */
  libraryClients(
    organisation: OrganisationId,
  ): Promise<(server: ServerId, library: string) => readonly ClientId[]>;
}

/** For stories beside the hot path, which may not begin or tell something where tokens are stopped. */
export type Stops = Pick<ContainmentStore, "findStop">;

export interface StopQuestion {
  readonly client?: ClientId | undefined;
  readonly server?: ServerId | undefined;
  readonly subject?: UserSubject | undefined;
  readonly library?: string | undefined;
  readonly user?: { readonly customerId: string; readonly userId: string } | undefined;
}

export interface ContainmentPosition {
  readonly at: Instant;
  readonly id: ContainmentId;
}

export interface StoppedGrant {
  readonly grant: GrantId;
  readonly generation: number;
}

export interface MarkedPage {
  readonly revoke: boolean;
  /** Clients, owners and libraries are counted once each. */
  readonly grants: readonly (StoppedGrant & {
    readonly server: ServerId;
    readonly owner: { readonly customerId: string; readonly userId: string };
    readonly clients: readonly ClientId[];
    readonly libraries: readonly string[];
  })[];
  readonly cursor: string | undefined;
  readonly last: boolean;
  readonly note: AuditNote;
}

export interface MarkedGrant extends StoppedGrant {
  readonly entry: string;
}

export interface RevocationReceipt {
  readonly entry: string;
  readonly at: Instant;
  readonly grant: GrantId;
  readonly server: ServerId;
  readonly kind: "access-token" | "refresh-token";
  readonly outcome: "revoked" | "already_dead" | "given_up";
  /** Why it was given up, in our own words. */
  readonly why: string;
  readonly attempts: number;
  /** When its revocation was ordered. */
  readonly since: Instant;
}

/** What the audit still has of tokens that were handed out. */
export interface HandedOut {
  /** By whom, of which grant: fingerprints of tokens, each once. */
  tokens(organisation: OrganisationId, from: Instant, to: Instant): Promise<HandedOutTokens>;
}

export interface HandedOutTokens {
  readonly entries: readonly {
    readonly grant: GrantId;
    readonly client: ClientId;
    readonly server: ServerId;
    readonly token: string;
  }[];
  /** The oldest entry that is still here is younger than `from`: what was before, the exported audit tells. */
  readonly knownSince: Instant | undefined;
}
