import type { ClientRole } from "../../domain/client.ts";
import type { RegisteredCertificate } from "../../domain/client-certificate.ts";
import type { ClientKeys } from "../../domain/client-keys.ts";
import type { IdentityProvider } from "../../domain/identity-provider.ts";
import type { Instant } from "../../domain/instant.ts";
import type { Members } from "../../domain/members.ts";
import type { PolicyRule } from "../../domain/policy.ts";
import type {
  ServerEndpoints,
  ServerKind,
  ServerSettings,
  TrustedCertificates,
} from "../../domain/server.ts";
import type { TokenEncryption } from "../../domain/token-encryption.ts";

/** What a configuration file wants to be so. References are stable names; ids are made when it is first applied. */
export interface DesiredConfiguration {
  readonly sharedRegistrations: readonly DesiredRegistration[];
  readonly organisations: readonly DesiredOrganisation[];
  readonly clients: readonly DesiredClient[];
}

export interface DesiredOrganisation {
  readonly name: string;
  /** These four, undefined: what is stored stays. A file says all of them; what tells a server alone, none. */
  readonly displayName?: string | undefined;
  readonly enabled?: boolean | undefined;
  readonly members?: Members | undefined;
  readonly identityProvider?: IdentityProvider | "none" | undefined;
  readonly servers: readonly DesiredServer[];
  /** Own registrations told without their servers, which stay as they are. */
  readonly registrations?: readonly DesiredRegistration[];
}

export interface DesiredServer {
  readonly name: string;
  readonly displayName: string;
  readonly kind: ServerKind;
  readonly endpoints: ServerEndpoints;
  /** Its own, or the name of a shared one. */
  readonly registration: { readonly own: DesiredRegistration } | { readonly shared: string };
  /** Undefined: not known yet; what is stored stays. */
  readonly customerId: string | undefined;
  /** Undefined: the public authorities alone, also where others are stored. */
  readonly trustedCertificates?: TrustedCertificates | "as stored" | undefined;
  /** Only what the file says; the rest is the default. */
  readonly settings: Partial<ServerSettings>;
}

export interface DesiredRegistration {
  /** A server's own registration has the server's name. */
  readonly name: string;
  /** Undefined: what is stored stays. */
  readonly clientId: string | undefined;
  readonly tokenOrigin: string;
  /** Undefined until iManage has made one; what is stored stays. */
  readonly secret: SecretReference | undefined;
  readonly secretExpiresAt: Instant | undefined;
}

/** Where a secret is. Never the secret: configuration files are kept in version control. */
export type SecretReference = { readonly file: string } | { readonly env: string };

export interface DesiredClient {
  readonly name: string;
  readonly displayName: string;
  readonly state: "active" | "stopped";
  /** Undefined: what is stored stays; of a new one `app`. */
  readonly role?: ClientRole | undefined;
  readonly returnUrls: readonly string[];
  /** Undefined: what is stored stays; for a new client without keys or certificate the broker makes one and shows it once. */
  readonly secret: SecretReference | undefined;
  /** Of the newest secret. Undefined: what is stored stays. */
  readonly secretExpires?: Instant | "never" | undefined;
  /** These two, undefined: what is stored stays. */
  readonly keys?: ClientKeys | "none" | undefined;
  readonly tokenEncryption?: TokenEncryption | "none" | undefined;
  /** Undefined: what is stored stays. */
  readonly certificate?: RegisteredCertificate | "none" | undefined;
  readonly policies: readonly DesiredPolicy[];
}

export interface DesiredPolicy {
  readonly organisation: string;
  readonly rules: readonly DesiredRule[];
  readonly tokensPerMinute: number;
  readonly grantsPerHour?: number;
}

/** With servers by the names that they have in the organisation. */
export interface DesiredRule extends Omit<PolicyRule, "servers"> {
  readonly servers: readonly string[] | undefined;
}
