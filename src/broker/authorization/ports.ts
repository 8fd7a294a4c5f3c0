import type { Client } from "../../domain/client.ts";
import type { ConnectSession } from "../../domain/connect-session.ts";
import type { UpstreamUser } from "../../domain/grant.ts";
import type {
  ClientId,
  ConnectSessionId,
  GrantId,
  RegistrationId,
  Route,
  ServerId,
} from "../../domain/id.ts";
import type { Instant, Milliseconds } from "../../domain/instant.ts";
import type { TokenCallOutcome } from "../../domain/refresh-failure.ts";
import type { Registration } from "../../domain/registration.ts";
import type { Sealed } from "../../domain/sealed.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import type { UserSubject } from "../../domain/subject.ts";
import type { AuditNote } from "../ports.ts";

/**
 * One redirect to iManage that has not come back yet. Found by the digest of its `state`, taken once.
 * What finishes it: a client's *complete* (`connect`), or the browser itself on the broker's own pages (`page`).
 */
export interface AuthorizationRequest {
  readonly v: 1;
  readonly server: ServerId;
  readonly registration: RegistrationId;
  readonly redirectUri: string;
  /** Sealed PKCE verifier (RFC 7636 §4.1). */
  readonly codeVerifier: Sealed;
  /** Digest of the cookie that the browser got when it started (T03). */
  readonly cookieDigest: string;
  readonly confirm:
    | { readonly by: "client"; readonly session: ConnectSessionId }
    | { readonly by: "page"; readonly purpose: PagePurpose };
  readonly createdAt: Instant;
}

/** Why a page of ours sent someone to iManage. */
export type PagePurpose =
  /** `asserted`: whom the client says he is at iManage, by user id or e-mail, who came from it. */
  | { readonly act: "sign-in"; readonly asserted?: string }
  | {
      readonly act: "authorize-libraries";
      readonly libraries: readonly LibraryWanted[];
      readonly as: UpstreamUser;
    };

export interface LibraryWanted {
  readonly library: string;
  /** Whose place is taken, as the page said before he agreed to it (T11); undefined: nobody else's. */
  readonly replaces: UpstreamUser | undefined;
}

/** A code that came back and waits, sealed and unredeemed, for the client to say who finished (T02). */
export interface PendingCompletion {
  readonly v: 1;
  readonly session: ConnectSessionId;
  readonly server: ServerId;
  readonly registration: RegistrationId;
  readonly redirectUri: string;
  readonly code: Sealed;
  readonly codeVerifier: Sealed;
  readonly issuer: string | undefined;
  readonly receivedAt: Instant;
}

/** A page's signed-in person: who iManage said it was. */
export interface PageSession {
  readonly v: 1;
  readonly server: ServerId;
  readonly user: UpstreamUser;
  readonly expiresAt: Instant;
  /** How the sign-in that opened it ended, library by library. Kept here, for an address is too short for hundreds. */
  readonly libraries?: readonly LibraryOutcome[];
}

/** How a sign-in for several libraries ended, library by library. */
export interface LibraryOutcome {
  readonly library: string;
  readonly outcome: "authorized" | "not_library_admin" | "upstream_user_changed";
}

export interface AuthorizationStore {
  /** What is stored here MUST be as good as gone once its life is over. */
  insertConnectSession(
    session: ConnectSession,
    startDigest: string,
    lives: { readonly startMs: Milliseconds; readonly recordMs: Milliseconds },
  ): Promise<void>;
  findConnectSession(id: ConnectSessionId): Promise<ConnectSession | undefined>;
  /**
   * Moves a session on; the state it must be in is part of the call.
   * @returns the stored session, changed or not, with whether this call changed it.
   */
  advanceConnectSession(
    id: ConnectSessionId,
    from: readonly ConnectSession["state"][],
    change: Partial<Pick<ConnectSession, "state" | "grant" | "problem" | "returnedAt" | "windowMs">>,
  ): Promise<{ readonly moved: boolean; readonly session: ConnectSession | undefined }>;
  /** Takes a start link: MUST answer its session to exactly one caller. */
  takeStart(route: Route, startDigest: string): Promise<ConnectSession | undefined>;

  insertAuthorizationRequest(
    route: Route,
    stateDigest: string,
    request: AuthorizationRequest,
    lifeMs: Milliseconds,
  ): Promise<void>;
  /**
   * Takes the request if cookie and registration fit. MUST be atomic: of a thousand callers with the same state exactly
   * one gets it (T03). A wrong cookie or registration takes nothing, so a stranger cannot burn someone's sign-in.
   */
  takeAuthorizationRequest(
    route: Route,
    stateDigest: string,
    expected: { readonly cookieDigests: readonly string[]; readonly registration: string },
  ): Promise<AuthorizationRequest | "unknown" | "other_browser" | "other_registration">;

  insertPendingCompletion(
    route: Route,
    completionDigest: string,
    pending: PendingCompletion,
    lifeMs: Milliseconds,
  ): Promise<void>;
  /** Takes it once, whoever asks (T02). */
  takePendingCompletion(route: Route, completionDigest: string): Promise<PendingCompletion | undefined>;

  insertPageSession(route: Route, digest: string, session: PageSession, lifeMs: Milliseconds): Promise<void>;
  findPageSession(route: Route, digest: string): Promise<PageSession | undefined>;
  deletePageSession(route: Route, digest: string): Promise<void>;
}

/** Where new consent becomes a grant, and a grant gets its bindings. */
export interface ConsentStore {
  /** The grant of this iManage user through this registration at this server, with the generation of its last consent. */
  findConsent(
    server: Server,
    user: UpstreamUser,
  ): Promise<{ readonly grant: GrantId; readonly consentGeneration: number } | undefined>;
  /**
   * Stores consent and, with it, a binding. MUST be atomic, and only if the grant's generation is still
   * `consent.consentGeneration - 1` (or there is none yet and it is 1); otherwise answers `stale` and changes nothing.
   * The earlier consent's refresh token is dropped and not revoked: what iManage's revocation ends is not known, and it
   * might end the new one too. Where this consent's tokens are older than the ones held (two sign-ins whose ends cross),
   * only the binding is stored. A user who is bound to another grant MUST stay so: `bound_to_another`, nothing changed
   * (T11); and where tokens are stopped nothing may be stored: `contained`.
   */
  putConsent(
    consent: NewConsent,
    binding: NewBinding | undefined,
    note: AuditNote,
  ): Promise<"stored" | "stale" | "bound_to_another" | "contained">;
}

export interface NewConsent {
  readonly grant: GrantId;
  readonly server: Server;
  readonly user: UpstreamUser;
  readonly consentGeneration: number;
  readonly refreshToken: Sealed | undefined;
  readonly refreshTokenFingerprint: string | undefined;
  readonly refreshTokenLifeMs: Milliseconds;
  readonly accessToken: Sealed;
  readonly accessTokenFingerprint: string;
  readonly accessTokenLifeMs: Milliseconds;
  readonly softMarginMs: Milliseconds;
  readonly keepAliveMs: Milliseconds;
  /** How long ago iManage's answer came. */
  readonly receivedAgoMs: Milliseconds;
}

export interface NewBinding {
  readonly type: "user";
  readonly client: ClientId;
  readonly subject: UserSubject;
}

/** iManage as an authorization server. Never throws for what iManage did: outcomes are values. */
export interface AuthorizationServer {
  /** RFC 6749 §4.1.1 with RFC 7636 §4.3. */
  authorizationUrl(request: {
    readonly server: Server;
    readonly clientId: string;
    readonly redirectUri: string;
    readonly state: Secret;
    readonly codeVerifier: Secret;
    readonly loginHint: string | undefined;
  }): Promise<string>;
  /** RFC 6749 §4.1.3. Once. */
  redeemCode(request: {
    readonly server: Server;
    readonly credentials: ClientCredentials;
    readonly redirectUri: string;
    readonly code: Secret;
    readonly codeVerifier: Secret;
    readonly issuer: string | undefined;
  }): Promise<TokenCallOutcome>;
  /** RFC 6749 §6. Once: whether to ask again is decided by the caller, from the outcome. */
  refresh(request: {
    readonly server: Server;
    readonly credentials: ClientCredentials;
    readonly refreshToken: Secret;
  }): Promise<TokenCallOutcome>;
  /** iManage's own revocation: form field `access_token`, not RFC 7009 (facts page, 1). */
  revoke(request: {
    readonly server: Server;
    readonly credentials: ClientCredentials;
    readonly token: Secret;
  }): Promise<"revoked" | "already_dead" | { readonly failed: string }>;
}

export interface ClientCredentials {
  readonly clientId: string;
  /** Newest first; the second is tried when the first is refused during a change of secrets. */
  readonly secrets: readonly Secret[];
}

/** iManage's REST API as far as authorising needs it. */
export interface IdentityReader {
  /** `GET {apiBaseUrl}/api` with the token (C). */
  whoAmI(server: Server, accessToken: Secret): Promise<ApiOutcome<UpstreamIdentity>>;
}

export interface UpstreamIdentity {
  readonly user: UpstreamUser;
  /** Root of the REST API, from `versions[]`. */
  readonly apiRoot: string;
  readonly dmsVersion: string | undefined;
}

export type ApiOutcome<T> =
  | { readonly kind: "ok"; readonly value: T }
  /** 401: the token is dead, whatever its hint said. */
  | { readonly kind: "unauthorized" }
  | { readonly kind: "forbidden" }
  | { readonly kind: "throttled"; readonly retryAfterMs: Milliseconds }
  /** Not reachable, 5xx, or an answer that is not iManage's. */
  | { readonly kind: "unavailable"; readonly reason: string };

/** Servers and their registrations, read-only. Unknown ids are undefined. */
export interface ServerDirectory {
  findServer(id: ServerId): Promise<Server | undefined>;
  findRegistration(id: RegistrationId): Promise<Registration | undefined>;
}

export interface ClientDirectory {
  findClient(id: ClientId): Promise<Client | undefined>;
}
