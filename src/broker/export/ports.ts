import type { PublicJwk } from "../../domain/client-keys.ts";
import type { UpstreamUser } from "../../domain/grant.ts";
import type { GrantId, ServerId } from "../../domain/id.ts";
import type { Milliseconds } from "../../domain/instant.ts";
import type { Sealed } from "../../domain/sealed.ts";
import type { Secret } from "../../domain/secret.ts";
import type { AuditNote } from "../ports.ts";

export interface OfflineKeys {
  create(): Promise<{ readonly publicKeys: string; readonly privateKey: Secret }>;
  /** RFC 7638. */
  thumbprint(key: PublicJwk): Promise<string>;
  /** Undefined: it was not sealed to this key. */
  open(sealed: string, privateKey: Secret): Promise<Secret | undefined>;
}

/** What one operator asked for and another has to confirm. */
export interface ExportRequest {
  readonly id: string;
  readonly server: ServerId;
  readonly key: PublicJwk;
  readonly thumbprint: string;
  readonly by: string;
  readonly confirmedBy: string | undefined;
}

/** A grant that was handed over: nothing is sent with it here any more. */
export interface ExportedGrant {
  readonly grant: GrantId;
  readonly owner: UpstreamUser;
  readonly consentGeneration: number;
  readonly refreshToken: Sealed;
  readonly attempt: number;
}

export interface ExportStore {
  /** What nobody confirms and writes within `lifeMs` is forgotten. */
  request(request: Omit<ExportRequest, "confirmedBy">, lifeMs: Milliseconds, note: AuditNote): Promise<void>;
  find(server: ServerId, id: string): Promise<ExportRequest | undefined>;
  /** MUST refuse whoever asked for it. */
  confirm(server: ServerId, id: string, note: AuditNote): Promise<"confirmed" | "same_operator" | "gone">;
  /**
   * Takes one grant out of use and answers its token, in one step. MUST answer nothing where the export is not confirmed, nor while a
   * refresh is under way or its outcome unknown. Asked again for the same export it answers the same.
   */
  take(
    server: ServerId,
    id: string,
    grant: GrantId,
    note: AuditNote,
  ): Promise<ExportedGrant | "not_confirmed" | "under_way" | "nothing">;
}
