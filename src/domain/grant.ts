import type { GrantId, OrganisationId, RegistrationId, ServerId } from "./id.ts";
import type { Instant, Milliseconds } from "./instant.ts";

/** The standing authorization of one iManage user through one registration at one server. */
export interface Grant {
  readonly v: 1;
  readonly id: GrantId;
  readonly organisation: OrganisationId;
  readonly server: ServerId;
  readonly registration: RegistrationId;
  readonly state: GrantState;
  readonly owner: UpstreamUser;
  /** Counts consents: what belongs to an earlier one is never used again. */
  readonly consentGeneration: number;
  readonly consentedAt: Instant;
  readonly createdAt: Instant;
  /** False: session-only; lives while its access token does. */
  readonly refreshable: boolean;
  readonly refreshTokenExpiresAt: Instant | undefined;
  readonly accessTokenExpiresAt: Instant | undefined;
  readonly lastRefreshedAt: Instant | undefined;
  readonly lastUsedAt: Instant | undefined;
  readonly dueAt: Instant | undefined;
  readonly lastProblem: { readonly code: string; readonly at: Instant } | undefined;
  readonly spares: number;
  /** Good refreshes since the consent. */
  readonly refreshes?: number | undefined;
  /** Since when no refresh has worked. */
  readonly failingSince?: Instant | undefined;
  /** How far it is, where another system kept it before; its person's own consent ends that. */
  readonly imported?: ImportState | undefined;
}

/**
 * `held`: nothing is sent, the other system may still use its token. `unverified`: it is ours, and iManage has not said yet whose
 * it is. `another_user`, `already_authorized`: put aside for what iManage said.
 */
export type ImportState = "held" | "unverified" | "verified" | "another_user" | "already_authorized";

export type GrantState = "active" | "suspect" | "reauthorization_required" | "paused" | "revoked";

/** Who signed in at iManage, as `GET /api` tells it. */
export interface UpstreamUser {
  readonly customerId: string;
  readonly userId: string;
  readonly name: string | undefined;
  readonly email: string | undefined;
}

/** On-premises every customer id is `1`, so the server belongs to the identity (T10). */
export const sameUpstreamUser = (a: UpstreamUser, b: UpstreamUser): boolean =>
  a.customerId === b.customerId && a.userId.toLowerCase() === b.userId.toLowerCase();

/** What a token endpoint's answer gives us, whatever else was wrong with it. */
export interface TokenAnswer {
  readonly accessToken: import("./secret.ts").Secret | undefined;
  readonly refreshToken: import("./secret.ts").Secret | undefined;
  /** Clamped to [30 s, 24 h], 5 min where the answer says nothing usable: a hint anyway (F11; idle timeout, C). */
  readonly accessTokenLifeMs: Milliseconds;
  readonly scope: string | undefined;
}
