import type { PublicJwk } from "../../domain/client-keys.ts";
import type { OrganisationId } from "../../domain/id.ts";
import type { IdentityProvider } from "../../domain/identity-provider.ts";
import type { Milliseconds } from "../../domain/instant.ts";
import { publishedKeys as limits } from "../../domain/published-keys.ts";
import type { PublishedKeys } from "../clients/published-keys.ts";
import type { Clock, Log, PublicDocuments } from "../ports.ts";

interface Found {
  uri: string | undefined;
  foundAt: Milliseconds | undefined;
  triedAt: Milliseconds | undefined;
  finding: Promise<void> | undefined;
}

const ISSUERS_MAX = 1_000;

export interface ProviderKeyPorts {
  readonly clock: Clock;
  readonly log: Pick<Log, "warn">;
  readonly documents: PublicDocuments;
  readonly publishedKeys: PublishedKeys;
}

/**
 * Keys of organisations' identity providers. Where an operator names no address for them, the issuer's own metadata does
 * (OpenID Connect Discovery §4), if that names its own issuer and an address of the same origin.
 */
export class ProviderKeys {
  readonly #ports: ProviderKeyPorts;
  readonly #found = new Map<string, Found>();

  constructor(ports: ProviderKeyPorts) {
    this.#ports = ports;
  }

  /** Undefined: none were read, or too long ago. */
  async find(
    organisation: OrganisationId,
    { issuer, source }: IdentityProvider,
    kid: string | undefined,
  ): Promise<readonly PublicJwk[] | undefined> {
    if (source !== "discovery" && "jwks" in source) return source.jwks;
    const uri = source === "discovery" ? await this.#discover(organisation, issuer) : source.jwksUri;
    return uri === undefined ? undefined : this.#ports.publishedKeys.find({ organisation }, uri, kid);
  }

  async #discover(organisation: OrganisationId, issuer: string): Promise<string | undefined> {
    const now = this.#ports.clock.monotonicMs();
    const found = this.#of(issuer);
    const isFresh = found.foundAt !== undefined && now - found.foundAt < limits.freshMs;
    const mayTry = found.triedAt === undefined || now - found.triedAt >= limits.pauseMs;
    if (!isFresh && mayTry && found.finding === undefined) {
      found.triedAt = now;
      found.finding = this.#read(organisation, issuer, found, now).finally(() => {
        found.finding = undefined;
      });
    }
    if (!isFresh) await found.finding;
    const isStale = found.foundAt === undefined || now - found.foundAt >= limits.staleMs;
    return isStale ? undefined : found.uri;
  }

  async #read(organisation: OrganisationId, issuer: string, found: Found, now: Milliseconds): Promise<void> {
    const { documents, log } = this.#ports;
    const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const read = await documents.read(url, limits.deadlineMs, limits.bytes);
    const uri = "document" in read ? keysAddressOf(read.document, issuer) : undefined;
    if (uri !== undefined) {
      found.uri = uri;
      found.foundAt = now;
      return;
    }
    const outcome = "away" in read ? read.away : "not_its_own";
    const detail =
      "The identity provider's metadata cannot be read, or names another issuer or keys at another origin: then give jwks_uri.";
    log.warn({ organisation, code: "identity_provider_unreadable", outcome, detail }, "identity provider");
  }

  #of(issuer: string): Found {
    let found = this.#found.get(issuer);
    if (found === undefined) {
      const oldest = this.#found.size >= ISSUERS_MAX ? this.#found.keys().next().value : undefined;
      if (oldest !== undefined) this.#found.delete(oldest);
      found = { uri: undefined, foundAt: undefined, triedAt: undefined, finding: undefined };
      this.#found.set(issuer, found);
    }
    return found;
  }
}

function keysAddressOf(document: unknown, issuer: string): string | undefined {
  const { issuer: named, jwks_uri: uri } = (document ?? {}) as { issuer?: unknown; jwks_uri?: unknown };
  if (named !== issuer || typeof uri !== "string" || !URL.canParse(uri)) return undefined;
  return new URL(uri).origin === new URL(issuer).origin ? uri : undefined;
}
