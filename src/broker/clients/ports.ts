import type { Client, ClientSecret } from "../../domain/client.ts";
import type { CertificateFault, RegisteredCertificate } from "../../domain/client-certificate.ts";
import type { AssertionAlgorithm, PublicJwk } from "../../domain/client-keys.ts";
import type { ClientId, OrganisationId } from "../../domain/id.ts";
import type { Instant, Milliseconds } from "../../domain/instant.ts";
import type { Policy } from "../../domain/policy.ts";
import type { Secret } from "../../domain/secret.ts";
import type { TokenEncryption } from "../../domain/token-encryption.ts";
import type { RecordWrite } from "../ports.ts";

export interface ClientStore {
  findClient(id: ClientId): Promise<Client | undefined>;
  /** State and generation alone: what stands behind a broker token (design §3.11). */
  findStanding(
    id: ClientId,
  ): Promise<{ readonly state: Client["state"]; readonly generation: number } | undefined>;
  /** The client's policy in an organisation, with the generation it belongs to. */
  findPolicy(
    client: ClientId,
    organisation: OrganisationId,
  ): Promise<{
    readonly policy: Policy | undefined;
    readonly generation: number;
    /** Names this very text of it: whoever hands out a token under it sees that it is the one that is stored. */
    readonly mark: string;
  }>;
  /** Organisations whose policies name this client. */
  organisationsOf(client: ClientId): Promise<readonly OrganisationId[]>;
}

/** Clients and policies as an operator manages them: a part of the configuration store, whose rules for writers hold here. */
export interface ClientConfigurationStore {
  findClient(id: ClientId): Promise<Client | undefined>;
  findClientByName(name: string): Promise<Client | undefined>;
  listClients(): Promise<readonly Client[]>;
  putClient(client: Client, write: RecordWrite<Client>): Promise<void>;

  findPolicy(
    client: ClientId,
    organisation: OrganisationId,
  ): Promise<{ readonly policy: Policy | undefined; readonly generation: number }>;
  /** Raises the organisation's policy generation in the same script: every cached verdict is void at once. */
  putPolicy(policy: Policy, write: RecordWrite<Policy>): Promise<void>;
  /** Takes it away: the organisation does not exist for that client any more. Raises the generation likewise. */
  deletePolicy(policy: Policy, write: RecordWrite<Policy>): Promise<void>;
  /** Organisations that a policy names, or named lately. */
  organisationsOf(client: ClientId): Promise<readonly OrganisationId[]>;
}

/** Which client calls, and where from. */
export interface Caller {
  readonly client: ClientId;
  readonly address: string;
}

/** Secrets of downstream clients: recognisable by prefix, checked by checksum before any look-up, kept as HMAC. */
export interface ClientSecrets {
  /** Shown once. */
  make(): Secret;
  /** Whether this can be one of ours at all: a typo, or another system's secret, costs no look-up. */
  isWellFormed(candidate: Secret): boolean;
  hmac(secret: Secret): string;
  /** Id of the root key under which an HMAC was made, and of the one under which they are made now. */
  rootKeyOf(hmac: string): string;
  readonly primary: string;
  /** Constant-time comparison with each live secret. */
  matches(candidate: Secret, secrets: readonly ClientSecret[], now: Instant): boolean;
}

/** Of whose key a caller has shown to this connection, or to the proxy in front, that it is his. */
export interface PresentedCertificate {
  /** DER. */
  readonly der: Uint8Array;
  /** SHA-256 of it, base64url (`x5t#S256`, RFC 8705 §3.1). */
  readonly thumbprint: string;
  /** TLS itself, on this listener, found a way from it to our authorities. A proxy's word for that is not taken. */
  readonly verified: boolean;
}

export interface ClientCertificates {
  /** Undefined: it is what is registered, valid now, and made for clients. Looks nothing up. */
  judge(
    presented: PresentedCertificate,
    registered: RegisteredCertificate,
    now: Instant,
  ): CertificateFault | undefined;
}

/** Broker tokens: opaque to clients, five minutes, checked by HMAC without a look-up. */
export interface BrokerTokens {
  /** @param thumbprint of the certificate without which it opens nothing (RFC 8705 §3) */
  issue(client: ClientId, generation: number, lifeMs: Milliseconds, thumbprint?: string): Secret;
  /** Undefined: not ours, altered, or over. */
  read(token: Secret): ReadBrokerToken | undefined;
}

export interface ReadBrokerToken {
  readonly client: ClientId;
  readonly generation: number;
  readonly expiresAt: Instant;
  readonly thumbprint?: string;
}

/** Client assertions (RFC 7523): read without believing them, then checked against keys. */
export interface AssertionReader {
  /** What it says, or why it cannot be read. MUST NOT follow anything that it names (T31). */
  read(assertion: Secret, bytesMax?: number): AssertionText | "malformed" | "too_large";
  /** Whether one of these keys signed it, by this algorithm and none other. */
  verify(
    assertion: Secret,
    keys: readonly PublicJwk[],
    algorithm: AssertionAlgorithm,
  ): Promise<"fits" | "no_key" | "signature">;
}

export interface AssertionText {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** What all processes must know of proofs that were shown. */
export interface ProofStore {
  /** True for the first that shows this `jti` of this client, and for nobody else for `lifeMs`. MUST be atomic (T30). */
  claimAssertion(client: ClientId, jti: string, lifeMs: Milliseconds): Promise<boolean>;
  /** Counts a proof that did not fit. `over`: one too many. `waitMs`: how long to look at no other for this id from there. */
  countFailure(
    id: string,
    address: string,
  ): Promise<{ readonly over: boolean; readonly waitMs: Milliseconds }>;
}

/** Encrypts to a client's public key (RFC 7516). MUST fail rather than answer anything readable. */
export interface TokenEncrypter {
  /** Compact JWE. */
  encrypt(token: Secret, to: TokenEncryption): Promise<string>;
}
