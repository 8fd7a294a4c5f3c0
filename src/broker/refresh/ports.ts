import type { ClosedGate } from "../../domain/closed-server.ts";
import type { Grant, UpstreamUser } from "../../domain/grant.ts";
import type { GrantId, RegistrationId, ServerId } from "../../domain/id.ts";
import type { Instant, Milliseconds } from "../../domain/instant.ts";
import type { FailureVerdict, RefusalHistory } from "../../domain/refresh-failure.ts";
import type { Sealed } from "../../domain/sealed.ts";
import type { RotationProfile } from "../../domain/server.ts";
import type { GateReason, serverLimits } from "../../domain/server-gate.ts";

/** Why a refresh is asked for. What no longer applies when the lease is won ends it without a call. */
export type RefreshReason =
  /** The token must live at least this long. */
  | { readonly why: "expired"; readonly minTtlMs: Milliseconds }
  /** iManage answered 401 to the token with this fingerprint. */
  | { readonly why: "rejected"; readonly fingerprint: string }
  /** Ahead of expiry, or to keep an idle grant alive: when its due time has come. */
  | { readonly why: "due" };

export interface RefreshStore {
  /**
   * Takes the lease of a grant and writes the intent `planned`. MUST be atomic, and idempotent by `attempt`: asked again
   * with the same attempt it answers the same (a command whose reply was lost may have run).
   */
  begin(
    grant: GrantId,
    attempt: AttemptId,
    reason: RefreshReason,
    terms: {
      readonly leaseMs: Milliseconds;
      readonly providerDeadlineMs: Milliseconds;
      /** As an operator pinned it; where it is `unknown`, what the server's answers have taught counts. */
      readonly rotation: RotationProfile;
      readonly configurationGeneration: number;
      readonly limits: typeof serverLimits;
    },
  ): Promise<BeginAnswer>;
  /** Notes that the request is about to leave. False: the lease was lost, do not send. */
  markSent(grant: GrantId, attempt: AttemptId, leaseMs: Milliseconds): Promise<boolean>;
  /** Prolongs the lease. False: it was lost; a call that has left goes on all the same. */
  renew(grant: GrantId, attempt: AttemptId, leaseMs: Milliseconds): Promise<boolean>;
  /**
   * Stores what came back. A token whose parent is still primary becomes primary; otherwise it is kept as a spare; of a
   * consent that is over, or of a grant that is gone, it goes sealed to the revocation outbox. Idempotent by attempt.
   */
  commit(
    grant: GrantId,
    attempt: AttemptId,
    result: RefreshResult,
  ): Promise<"committed" | "spare" | "orphaned">;
  /**
   * Stores a failure, ends the lease, and tells the server's gate. Idempotent by attempt. Answers what became of the grant:
   * less than the verdict where the server itself is to blame or a spare is left; `disbelieved` where another attempt took
   * over, or brought good news, while this one was under way: then nothing of it is stored, and whoever waits reads again.
   */
  fail(
    grant: GrantId,
    attempt: AttemptId,
    verdict: FailureVerdict,
    terms: { readonly rotation: RotationProfile; readonly configurationGeneration: number },
  ): Promise<FailureVerdict["state"] | "disbelieved">;
  /** Gives the lease back when nothing was sent. */
  release(grant: GrantId, attempt: AttemptId): Promise<void>;

  /**
   * Resolves with the next outcome of this grant that any process announces, or after `timeoutMs`: then read again. Of a
   * server: when a call there has ended.
   * @param since what `heard` was before the caller read last. What was announced after that counts as next: it may
   *   arrive before the answer because of which the caller waits.
   */
  outcome(of: GrantId | ServerId, timeoutMs: Milliseconds, since?: number): Promise<"announced" | "timeout">;
  /** How many outcomes this process has heard of: a mark in their order, which no clock can get wrong. */
  readonly heard: number;
}

/** The access token of an imported grant, before anybody knows whose it is. */
export interface UnverifiedToken {
  readonly accessToken: Sealed;
  readonly consentGeneration: number;
  readonly attempt: number;
}

/** What iManage said of whose an imported grant is. */
export type IdentityFinding =
  | { readonly kind: "same" | "another"; readonly user: UpstreamUser }
  | { readonly kind: "unknown"; readonly againInMs: Milliseconds };

export interface ImportedIdentities {
  /**
   * Stores it. MUST leave everything alone where nothing waits for it any more (`passed`). Until `verified` no replica MUST hand
   * out what the grant has.
   */
  settle(
    server: ServerId,
    grant: GrantId,
    consentGeneration: number,
    finding: IdentityFinding,
  ): Promise<"verified" | "another_user" | "already_authorized" | "waits" | "passed">;
}

/** Looks at a server's gate without asking it for anything. */
export interface GateReader {
  /** Undefined: it is open. */
  findClosedGate(server: ServerId): Promise<ClosedGate | undefined>;
}

/**
 * Where a test holds, stops or kills a process in the middle of a refresh (`test/kit/fail-points.ts`). Nobody else brings
 * this port, and production refuses the setting that would.
 */
export interface FailPoints {
  /** The story stands here, and goes on when this resolves. */
  reach(point: FailPoint, grant: GrantId): Promise<void>;
}

export type FailPoint =
  | "before-begin"
  | "after-begin"
  /** The intent says `sent`, and nothing has left yet. */
  | "after-mark-sent"
  /** Whatever came back, answer or failure, is in this process and nowhere else. */
  | "answer-received"
  | "after-seal"
  | "after-commit"
  | "before-fail"
  | "after-fail"
  /** Nothing of it goes on in this process, however it came out. */
  | "ended";

/** Names one try of one process: 128 random bits, base64url. Also the lease's owner. */
export type AttemptId = string;

export type BeginAnswer =
  | { readonly kind: "begun"; readonly material: RefreshMaterial }
  /** Someone refreshed meanwhile: nothing to do. */
  | { readonly kind: "fresh" }
  | { readonly kind: "held"; readonly remainingMs: Milliseconds }
  /** After a failure, or while the outcome of an earlier call is not known. */
  | { readonly kind: "cooling"; readonly remainingMs: Milliseconds; readonly problem: string }
  /** The server's gate is closed, or enough is under way there. */
  | { readonly kind: "gated"; readonly remainingMs: Milliseconds; readonly why: GateReason }
  /** Unused for so long that nobody keeps it alive any more. */
  | { readonly kind: "lapsed" }
  /** Its organisation was put back to an earlier state: whether iManage has given another token since, nobody has looked (F33). */
  | { readonly kind: "restoring" }
  /** Imported; what its first refresh brought is here, and iManage has not said yet whose it is. Nothing is to be sent. */
  | ({ readonly kind: "unverified" } & UnverifiedToken)
  | { readonly kind: "not_refreshable" }
  | { readonly kind: "gone" }
  | { readonly kind: "state"; readonly state: Grant["state"] };

export interface RefreshMaterial {
  readonly server: ServerId;
  readonly registration: RegistrationId;
  readonly consentGeneration: number;
  /** Number of this attempt in this grant's life; part of what a token is sealed with. */
  readonly attempt: number;
  readonly refreshToken: Sealed;
  /** Under which attempt `refreshToken` was sealed. */
  readonly refreshTokenAttempt: number;
  /** Fingerprint of `refreshToken`: the parent of whatever comes back. */
  readonly parent: string;
  readonly refusals: RefusalHistory;
  readonly lastUsedAt: Instant | undefined;
  /** By the store's clock, as all of its moments are. */
  readonly begunAt: Instant;
}

export interface RefreshResult {
  readonly consentGeneration: number;
  readonly attempt: number;
  readonly server: ServerId;
  readonly registration: RegistrationId;
  readonly parent: string;
  /** Undefined: none came back, the old one stays (F10). */
  readonly refreshToken: Sealed | undefined;
  readonly refreshTokenFingerprint: string | undefined;
  readonly refreshTokenLifeMs: Milliseconds;
  readonly refreshExtendsLife: boolean;
  /** Undefined: only a refresh token could be salvaged (F02). */
  readonly accessToken: Sealed | undefined;
  readonly accessTokenFingerprint: string | undefined;
  readonly accessTokenLifeMs: Milliseconds;
  readonly softMarginMs: Milliseconds;
  readonly keepAliveMs: Milliseconds;
  /** In [0, 1): spreads keep-alives. */
  readonly jitter: number;
  /**
   * When it was received, by the store's clock as `begin` told it: after whatever was stored before, before whatever begins
   * next.
   */
  readonly receivedAt: Instant;
}
