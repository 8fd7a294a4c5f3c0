import type { GrantState, ImportState, UpstreamUser } from "../../domain/grant.ts";
import type { ClientId, GrantId, ServerId } from "../../domain/id.ts";
import type { ImportVerdict, LookedUp } from "../../domain/import.ts";
import type { Instant, Milliseconds } from "../../domain/instant.ts";
import type { Sealed } from "../../domain/sealed.ts";
import type { Server } from "../../domain/server.ts";
import type { UserSubject } from "../../domain/subject.ts";
import type { AuditNote } from "../ports.ts";

/** By what a token of a file is looked for. */
export interface ImportToken {
  readonly fingerprint: string;
  readonly user: UpstreamUser;
  readonly binding: ImportBinding;
}

export interface ImportBinding {
  readonly type: "user";
  readonly client: ClientId;
  readonly subject: UserSubject;
}

export interface NewImport extends ImportToken {
  readonly grant: GrantId;
  /** What it was when it was looked at. */
  readonly as: "new" | "renews";
  readonly refreshToken: Sealed;
  readonly refreshTokenEndsAt: Instant;
}

export interface ImportStore {
  /** What many tokens are here. MUST write nothing. */
  look(server: ServerId, tokens: readonly ImportToken[]): Promise<readonly LookedUp[]>;
  /**
   * Brings one in, and holds it: nothing is sent with it. MUST write only what is still as it was when it was looked at, and answer
   * what it is by now otherwise. Idempotent by fingerprint.
   */
  put(
    server: Server,
    token: NewImport,
    note: AuditNote,
  ): Promise<"imported" | "renewed" | "contained" | Exclude<ImportVerdict, "new" | "renews"> | "again">;
  /** Opens those whose token is the one that is named. First refreshes are spread over `overMs`. */
  open(
    server: ServerId,
    grants: readonly { readonly grant: GrantId; readonly fingerprint: string }[],
    overMs: Milliseconds,
    note: AuditNote,
  ): Promise<readonly ("opened" | "same" | "another_token" | "gone")[]>;
  /** Takes one out again that was never used here. MUST NOT revoke anything. */
  undo(
    server: ServerId,
    grant: GrantId,
    note: AuditNote,
  ): Promise<"undone" | "gone" | "spent" | "authorized">;
  /** Everything that came in for a server, oldest first. */
  list(
    server: ServerId,
    after: ImportedPosition | undefined,
    limit: number,
  ): Promise<readonly ImportedGrant[]>;
}

export interface ImportedPosition {
  readonly at: Instant;
  readonly grant: GrantId;
}

export interface ImportedGrant extends ImportedPosition {
  /** Undefined: ended, or its person has consented himself since. */
  readonly state: ImportState | undefined;
  readonly there: boolean;
  readonly grantState: GrantState | undefined;
  readonly owner: UpstreamUser | undefined;
  /** Whether its token was sent from here. */
  readonly sent: boolean;
  readonly problem: string | undefined;
}
