import { type PublicJwk, readPublishedKeys } from "../../domain/client-keys.ts";
import type { ClientId, OrganisationId } from "../../domain/id.ts";
import type { Milliseconds } from "../../domain/instant.ts";
import { decideKeys, publishedKeys } from "../../domain/published-keys.ts";
import type { Clock, Log, PublicDocuments } from "../ports.ts";

interface Kept {
  keys: readonly PublicJwk[];
  readAt: Milliseconds | undefined;
  triedAt: Milliseconds | undefined;
  /** What is under way: everybody waits for the one. */
  reading: Promise<void> | undefined;
}

/** For the log. */
type KeyOwner = { readonly client: ClientId } | { readonly organisation: OrganisationId };

const ADDRESSES_MAX = 1_000;

export interface PublishedKeyPorts {
  readonly clock: Clock;
  readonly log: Pick<Log, "warn">;
  readonly documents: PublicDocuments;
}

/**
 * Keys that clients publish, kept in this process alone: a store that somebody could write to would be a way to bring in keys.
 * The address is the operator's, never an assertion's (T31).
 */
export class PublishedKeys {
  readonly #ports: PublishedKeyPorts;
  readonly #kept = new Map<string, Kept>();

  constructor(ports: PublishedKeyPorts) {
    this.#ports = ports;
  }

  /** Undefined: none were read, or too long ago. @param kid of the key that is looked for */
  async find(
    whose: KeyOwner,
    uri: string,
    kid: string | undefined,
  ): Promise<readonly PublicJwk[] | undefined> {
    const kept = this.#of(uri);
    const isKnown = () => kid === undefined || kept.keys.some((key) => key.kid === kid);
    const decide = () => decideKeys(kept, isKnown(), this.#ports.clock.monotonicMs());
    let verdict = decide();
    if (verdict === "fetch") {
      kept.reading ??= this.#read(whose, uri, kept).finally(() => {
        kept.reading = undefined;
      });
      await kept.reading;
      verdict = decide();
    } else if (kept.reading !== undefined && (verdict === "away" || !isKnown())) {
      // What is on its way may hold the key: a client that has just changed it asks from many places at once.
      await kept.reading;
      verdict = decide();
    }
    return verdict === "use" ? kept.keys : undefined;
  }

  async #read(whose: KeyOwner, uri: string, kept: Kept): Promise<void> {
    const { clock, log, documents } = this.#ports;
    kept.triedAt = clock.monotonicMs();
    const read = await documents.read(uri, publishedKeys.deadlineMs, publishedKeys.bytes);
    const keys = "document" in read ? readPublishedKeys(read.document) : undefined;
    if (keys !== undefined) {
      kept.keys = keys;
      kept.readAt = kept.triedAt;
      return;
    }
    const why = "away" in read ? read.away : "no_jwk_set";
    const detail = `The keys cannot be read from their jwks_uri (${why}). What was read last counts for 24 hours.`;
    log.warn({ ...whose, code: "client_keys_unreadable", outcome: why, detail }, "client keys");
  }

  #of(uri: string): Kept {
    let kept = this.#kept.get(uri);
    if (kept === undefined) {
      kept = { keys: [], readAt: undefined, triedAt: undefined, reading: undefined };
      const oldest = this.#kept.size >= ADDRESSES_MAX ? this.#kept.keys().next().value : undefined;
      if (oldest !== undefined) this.#kept.delete(oldest);
      this.#kept.set(uri, kept);
    }
    return kept;
  }
}
