import type { Instant, Milliseconds } from "./instant.ts";
import type { ProblemCode } from "./problem-catalogue.ts";
import type { TokenRefusal } from "./refresh-failure.ts";

/**
 * What a diagnosis observes, before anybody judges it. Words for failures are our own (`outbound/outbound-reason.ts`);
 * `said` is foreign text, made printable, bounded and free of our secrets by whoever observed it.
 */

/** The way to one origin, as far as it went. */
export interface ConnectionSeen {
  readonly host: string;
  readonly port: number;
  /** Where the way ended. */
  readonly ended: "url" | "dns" | "egress" | "connect" | "tls" | "open";
  /** Why it ended there; undefined where it is open. */
  readonly failure: string | undefined;
  /** What the name resolves to; the literal itself where no name was given. */
  readonly addresses: readonly string[];
  /** Those of them that the egress rules refuse. */
  readonly denied: readonly string[];
  /** Through the operator's proxy: it resolves the name and makes the connection, so neither can be looked at. */
  readonly proxied: boolean;
  /** Our end of the connected socket. Behind NAT it is not what iManage sees. */
  readonly localAddress: string | undefined;
  readonly connectMs: Milliseconds | undefined;
  /** Undefined where it was not come to, or where plain http is spoken (the simulator on loopback). */
  readonly tls: TlsSeen | undefined;
}

export interface TlsSeen {
  readonly protocol: string | undefined;
  /** As the server sent them, its own first. */
  readonly chain: readonly CertificateSeen[];
}

export interface CertificateSeen {
  readonly subject: string;
  readonly issuer: string;
  readonly selfSigned: boolean;
  /** SHA-256 of the certificate. */
  readonly fingerprint: string;
  readonly validTo: Instant;
  /** Where the certificate itself says that its issuer's can be fetched (RFC 5280 §4.2.2.1). */
  readonly issuerAddress: string | undefined;
}

/** No answer came: why. */
export interface Unanswered {
  readonly kind: "unanswered";
  readonly reason: string;
}

/** `GET /api`, with a token or without one. */
export type DiscoverySeen =
  | Unanswered
  | {
      readonly kind: "answer";
      readonly status: number;
      /** `imanage`: its discovery; `refusal`: its error envelope; `other`: anything else. */
      readonly shape: "imanage" | "refusal" | "other";
      readonly authenticated: boolean;
      readonly version: string | undefined;
      readonly capabilities: readonly string[] | undefined;
      /** Does `versions[]` name an API root on the server's own origin? Undefined where it names none. */
      readonly ownRoot: boolean | undefined;
      /** Where a redirect points to: host and path, without its query. */
      readonly location: string | undefined;
      /** Its clock less ours, by the `Date` header. */
      readonly clockAheadMs: Milliseconds | undefined;
      readonly said: string;
    };

/** `GET` of the authorization endpoint, as a browser that nobody has signed in with. */
export type AuthorizeSeen =
  | Unanswered
  | {
      readonly kind: "answer";
      readonly status: number;
      /** `sent_back`: to our redirect URL, with an error; `sent_on`: to somewhere else, as single sign-on does. */
      readonly looks: "sign_in" | "sent_on" | "sent_back" | "refused" | "other";
      readonly error: string | undefined;
      readonly said: string;
      /** Equal for two answers that say the same, whatever they were asked with. */
      readonly likeness: string;
    };

/** Our request, and the same with one thing in it that cannot be known there: what a server tells apart, it knows. */
export interface AuthorizeProbes {
  readonly real: AuthorizeSeen;
  readonly inventedRedirect: AuthorizeSeen;
  readonly inventedClient: AuthorizeSeen;
  /** With a `code_challenge_method` that does not exist (RFC 7636 §4.4.1: to be refused). */
  readonly inventedChallengeMethod: AuthorizeSeen;
  readonly withoutChallenge: AuthorizeSeen;
}

/** The token endpoint's answer to an authorization code that we made up. */
export type TokenSeen =
  | Unanswered
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly refusal: TokenRefusal | "unauthorized_client" | "tokens";
      readonly said: string;
      readonly likeness: string;
    };

export interface TokenProbes {
  /** With each live secret, newest first. */
  readonly real: readonly TokenSeen[];
  readonly inventedSecret: TokenSeen;
  readonly inventedClient: TokenSeen;
}

/** What sign-ins of the past say of a server. */
export interface SignInsSeen {
  /** When a browser was last sent to iManage, and when one last came back. */
  readonly leftAt: Instant | undefined;
  readonly backAt: Instant | undefined;
  readonly good: GoodSignIn | undefined;
  readonly failed: FailedSignIn | undefined;
  /** What a real code with a wrong verifier came to, where an admin asked for it (T04). */
  readonly pkce: PkceSeen | undefined;
}

export interface PkceSeen {
  readonly at: Instant;
  readonly wrongVerifier: "refused" | "redeemed";
}

export interface GoodSignIn {
  readonly at: Instant;
  readonly refreshToken: boolean;
  readonly customerId: string;
}

export interface FailedSignIn {
  readonly at: Instant;
  readonly code: ProblemCode;
  readonly requestId: string | undefined;
}

/** What the authorizations that are held for a server say of it. */
export interface GrantsSeen {
  readonly count: number;
  readonly active: number;
  readonly newest:
    | { readonly consentedAt: Instant; readonly refreshable: boolean; readonly customerId: string }
    | undefined;
  /** When the first of them has to be renewed. */
  readonly renewBy: Instant | undefined;
}
