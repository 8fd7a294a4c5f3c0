import type { UpstreamUser } from "../../domain/grant.ts";
import type { ClientId, ContainmentId, GrantId, OrganisationId, ServerId } from "../../domain/id.ts";
import type { Instant, Milliseconds } from "../../domain/instant.ts";
import type { LibraryFault } from "../../domain/library-standing.ts";
import type { Sealed } from "../../domain/sealed.ts";
import type { Subject } from "../../domain/subject.ts";
import type { AuditNote } from "../ports.ts";

export interface AccessStore {
  /**
   * Reads a grant's access token and, when it is handed out, writes the audit entry: one script, one round trip, which
   * also checks that the organisation is enabled, the policy generation, containment, rate and the audit's cap.
   * MUST NOT answer `served` without the entry being written (no audit, no token), nor on what the script alone can see:
   * that the organisation is enabled, that the person is a member and that the policy is the one of `policyMark` MUST hold
   * of records that only a broker can have written.
   * @throws Problem("integrity_failure") where script and records disagree (T25)
   */
  vend(request: VendRequest): Promise<VendAnswer>;
  /** What `vend` would answer now, by the same script. MUST change nothing, count nothing and hand nothing out. */
  rehearse(request: VendRequest): Promise<Rehearsal>;
}

export interface Rehearsal {
  readonly answer:
    | Exclude<VendAnswer, { kind: "served" }>
    | { readonly kind: "would_serve"; readonly grant: GrantId };
  /** How many tokens may be asked for at this moment. */
  readonly tokensLeft: number;
  /** Different grants of which this client got tokens within the hour; counted only where there is a limit. */
  readonly grantsHad: number;
}

export interface VendRequest {
  readonly organisation: OrganisationId;
  readonly server: ServerId;
  readonly client: ClientId;
  readonly subject: Subject;
  readonly minTtlMs: Milliseconds;
  /** Fingerprint of a token that iManage answered 401 to. */
  readonly rejected: string | undefined;
  /** The generation of policies under which this request was allowed. */
  readonly policyGeneration: number;
  readonly policyMark: string;
  readonly tokensPerMinute: number;
  /** Different grants within any sixty minutes (T33); undefined: as many as there are. MUST be checked before a refresh is asked for. */
  readonly grantsPerHour: number | undefined;
  /** False when the same request asks again after waiting: it counts once. */
  readonly countsForRate: boolean;
  /** May be answered `ageing`: true until the caller has waited once. */
  readonly mayWait: boolean;
  readonly note: AuditNote;
}

export type VendAnswer =
  | {
      readonly kind: "served";
      readonly grant: GrantId;
      readonly accessToken: Sealed;
      /** Under which consent and attempt it was sealed. */
      readonly consentGeneration: number;
      readonly attempt: number;
      readonly fingerprint: string;
      readonly expiresAt: Instant;
      readonly expiresInMs: Milliseconds;
      readonly owner: UpstreamUser;
      readonly auditSequence: number;
      /** Inside the soft margin: serve, and refresh behind. */
      readonly refreshBehind: boolean;
      /** Set while refreshing fails but the token still lives. */
      readonly warning: string | undefined;
    }
  /**
   * It still lives, but is about to be refreshed at a server that is not known to leave the earlier token alive: better to
   * wait a moment for the next one.
   */
  | { readonly kind: "ageing"; readonly grant: GrantId }
  /** No usable token: a refresh has to come first. */
  | { readonly kind: "stale"; readonly grant: GrantId }
  /** The rejected token is the current one: one refresh, at most once a minute (T34). */
  | { readonly kind: "rejected"; readonly grant: GrantId; readonly fingerprint: string }
  | { readonly kind: "rejected_again"; readonly grant: GrantId; readonly retryAfterMs: Milliseconds }
  | { readonly kind: "unbound" }
  | {
      readonly kind: "state";
      readonly grant: GrantId;
      readonly state: "reauthorization_required" | "paused" | "revoked";
    }
  /** A library whose owner was seen, more than once, to administer it no more. */
  | { readonly kind: "parked"; readonly grant: GrantId; readonly why: LibraryFault }
  | { readonly kind: "contained"; readonly by: string; readonly containment: ContainmentId }
  | { readonly kind: "disabled" }
  /** Put back to an earlier state, and its audit does not go on yet (F33). */
  | { readonly kind: "restoring" }
  | { readonly kind: "not_a_member" }
  | { readonly kind: "policy_changed" }
  | { readonly kind: "rate_limited"; readonly retryAfterMs: Milliseconds }
  /** `noted`: told in the audit now, which is done once an hour for a client. */
  | {
      readonly kind: "budget_exceeded";
      readonly grant: GrantId;
      readonly retryAfterMs: Milliseconds;
      readonly noted: boolean;
    }
  | { readonly kind: "audit_backlog" };
