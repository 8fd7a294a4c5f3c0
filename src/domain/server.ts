import type { OrganisationId, RegistrationId, ServerId } from "./id.ts";
import { days, type Instant, type Milliseconds, seconds } from "./instant.ts";

/** One iManage Work server of an organisation. */
export interface Server {
  readonly v: 1;
  readonly id: ServerId;
  readonly organisation: OrganisationId;
  /** Stable name inside the organisation, for configuration files. */
  readonly name: string;
  readonly displayName: string;
  readonly kind: ServerKind;
  /** Immutable: a new address is a new server and new consent (T15). */
  readonly endpoints: ServerEndpoints;
  readonly registration: RegistrationId;
  /**
   * The iManage customer whose users may connect. `undefined` only until an operator entered it or the first sign-in
   * was confirmed. On-premises it is `1` as a rule (facts page, C), so identity is (origin, customer, user).
   */
  readonly customerId: string | undefined;
  readonly settings: ServerSettings;
  /** Undefined: this server's certificate is checked against the public authorities alone. */
  readonly trustedCertificates?: TrustedCertificates | undefined;
  /** Raised when registration, secret or settings change: answers of an older generation count no longer. */
  readonly configurationGeneration: number;
  readonly createdAt: Instant;
}

export type ServerKind = "cloud" | "cloud-subdomain" | "hosted" | "on-premises";

/** A firm's own certificate authorities, trusted besides the public ones for its one server's connections (T17). */
export interface TrustedCertificates {
  /** One certificate or several, one after the other (RFC 7468). Public, so not sealed. */
  readonly pem: string;
  readonly certificates: readonly {
    /** The subject's common name, or all of the subject. */
    readonly subject: string;
    /** SHA-256 over the DER, upper-case hexadecimal pairs with colons: as browsers and openssl show it. */
    readonly fingerprint: string;
    readonly expiresAt: Instant;
  }[];
}

export interface ServerEndpoints {
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly revocationEndpoint: string;
  /** `GET {apiBaseUrl}/api` is iManage's discovery; the root of the REST API is read from its answer. */
  readonly apiBaseUrl: string;
}

/** iManage's paths, the same on cloud and on-premises (facts page, C). */
export function endpointsOf(origin: string): ServerEndpoints {
  return {
    authorizationEndpoint: `${origin}/auth/oauth2/authorize`,
    tokenEndpoint: `${origin}/auth/oauth2/token`,
    revocationEndpoint: `${origin}/auth/oauth2/revoke-token`,
    apiBaseUrl: origin,
  };
}

/** What the facts page marks as seen once, inferred or unknown: settings with a default, never constants. */
export interface ServerSettings {
  /** `user` for web applications, `admin` for admin scripts (C). */
  readonly scope: string;
  /** Every client that was read sends its credentials in the body (C); Basic: unknown. */
  readonly clientAuthentication: "client_secret_post" | "client_secret_basic";
  /** Two of three clients send none when they refresh (C); RFC 6749 §6 wants them, so they are sent by default. */
  readonly refreshClientAuthentication: "send" | "omit";
  /** *Work Token Grant Expiry*: how long a code lives. */
  readonly codeLifeMs: Milliseconds;
  /** `optional`: without a refresh token the grant is session-only instead of refused. */
  readonly refreshToken: "required" | "optional";
  /** 365 days by default (C). */
  readonly refreshTokenLifeMs: Milliseconds;
  /** Does use extend the life of a refresh token: unknown, so the worst is assumed. */
  readonly refreshExtendsLife: boolean;
  /** How refresh tokens behave, where an operator knows it; otherwise learned from answers. */
  readonly rotation: RotationProfile;
  /**
   * Does an access token outlive the refresh that replaces it? Where it does, a token that is about to end is served and
   * refreshed behind; elsewhere callers wait for the next one. Where it is `unknown`, answers teach it.
   */
  readonly previousAccessTokens: "unknown" | "survive" | "end";
  /** RFC 9207: `required` once a server has ever sent `iss`. */
  readonly issuer: "unknown" | "required";
  /** How the switch is called where this server's registration was made (C). */
  readonly registeredBy: "form" | "package";
}

/**
 * `static`: the same token, or none, comes back. `leeway`: an old one works for at least 30 s longer; less than a lease
 * (15 s) and its takeover helps nobody when a holder is killed, so such a server is `strict`. `rotating`: replaced, reuse of
 * the old one is merely refused. `strict`: reuse of an old one ends the whole family. `unknown` is treated as strict.
 */
export type RotationProfile = "unknown" | "static" | "rotating" | "leeway" | "strict";

export const defaultServerSettings: ServerSettings = {
  scope: "user",
  clientAuthentication: "client_secret_post",
  refreshClientAuthentication: "send",
  codeLifeMs: seconds(30),
  refreshToken: "required",
  refreshTokenLifeMs: days(365),
  refreshExtendsLife: false,
  rotation: "unknown",
  previousAccessTokens: "unknown",
  issuer: "unknown",
  registeredBy: "form",
};

/** May a refresh whose outcome is unknown be sent again at once without endangering the grant? */
export const survivesReuse = (rotation: RotationProfile): boolean =>
  rotation === "static" || rotation === "leeway";
