import type { Diagnosis } from "../../domain/diagnosis.ts";
import type {
  AuthorizeSeen,
  ConnectionSeen,
  DiscoverySeen,
  FailedSignIn,
  GoodSignIn,
  PkceSeen,
  SignInsSeen,
  TokenSeen,
} from "../../domain/diagnosis-seen.ts";
import type { ServerId } from "../../domain/id.ts";
import type { Milliseconds } from "../../domain/instant.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";

/**
 * Looks at an iManage server from outside. Every method MUST go through the egress guard, follow no redirect, end by
 * itself within bounded time and bytes, and change nothing at iManage: no grant's token is spent, no code redeemed. Never
 * throws for what a server did.
 */
export interface ServerProbes {
  /** The way to the server's API, as far as it goes. Nothing is sent on it. */
  connection(server: Server): Promise<ConnectionSeen>;
  /** `GET /api`, without a token unless one is given. */
  discovery(server: Server, accessToken?: Secret): Promise<DiscoverySeen>;
  /** `GET` of the authorization endpoint, as a browser without cookies would. */
  authorize(
    server: Server,
    request: {
      readonly clientId: string;
      readonly redirectUri: string;
      readonly state: string;
      /** What stands as `code_challenge_method`; `none`: no challenge at all. */
      readonly challengeMethod: "S256" | "invented" | "none";
    },
  ): Promise<AuthorizeSeen>;
  /** `POST` to the token endpoint with a code that nobody was given. */
  token(
    server: Server,
    request: {
      readonly clientId: string;
      readonly clientSecret: Secret;
      readonly redirectUri: string;
      readonly code: Secret;
      readonly codeVerifier: Secret;
    },
  ): Promise<TokenSeen>;
}

export interface DiagnosisStore {
  /**
   * Begins a diagnosis. MUST be atomic: of those who ask at once one gets it, until it ends or `maxMs` are over; and none
   * within `minIntervalMs` of the last beginning.
   */
  beginDiagnosis(
    server: ServerId,
    holder: string,
    lengths: { readonly maxMs: Milliseconds; readonly minIntervalMs: Milliseconds },
  ): Promise<
    | { readonly kind: "begun" }
    | { readonly kind: "running" | "too_soon"; readonly retryAfterMs: Milliseconds }
  >;
  /** Keeps the result and lets the next one begin. Stores nothing where somebody else has begun meanwhile. */
  endDiagnosis(server: ServerId, holder: string, result: Diagnosis, good: boolean): Promise<void>;
  /** Lets the next one begin, without a result. */
  abandonDiagnosis(server: ServerId, holder: string): Promise<void>;
  findDiagnoses(
    server: ServerId,
  ): Promise<{ readonly last: Diagnosis | undefined; readonly lastGood: Diagnosis | undefined }>;
}

/** How the last sign-ins of a server ended. Hints: to lose one makes a diagnosis poorer and nothing else. */
export interface SignInMemory {
  noteLeft(server: ServerId): Promise<void>;
  /** A browser came back from iManage, whatever it brought. */
  noteBack(server: ServerId): Promise<void>;
  noteGood(server: ServerId, signIn: Omit<GoodSignIn, "at">): Promise<void>;
  noteFailed(server: ServerId, signIn: Omit<FailedSignIn, "at">): Promise<void>;
  /** What a real code with a wrong verifier came to. */
  notePkce(server: ServerId, wrongVerifier: PkceSeen["wrongVerifier"]): Promise<void>;
  findSignIns(server: ServerId): Promise<SignInsSeen>;
}
