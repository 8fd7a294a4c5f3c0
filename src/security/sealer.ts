import { createHmac } from "node:crypto";
import type { Clock, DataKeyStore, Random, Sealer } from "../broker/ports.ts";
import { Problem } from "../domain/problem.ts";
import type { KeyOwner } from "../domain/sealed.ts";
import { makeDataKeyCache, type OwnerKeys } from "./data-key-cache.ts";
import { FINGERPRINT, newDataKeys } from "./data-keys.ts";
import { makeEnvelopes, parseEnvelope } from "./envelope.ts";
import { integrityFailure } from "./integrity.ts";
import { keyedDigests } from "./keyed-digests.ts";
import type { RootKeyset } from "./root-keyset.ts";

export interface EnvelopeSealer extends Sealer {
  /** Drops an owner's opened keys in this process, at once: after shredding it. */
  forget(owner: KeyOwner): void;
}

export interface SealerParts {
  readonly dataKeys: DataKeyStore;
  readonly rootKeyset: RootKeyset;
  readonly random: Random;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** For tests and very large or very small machines; the defaults are defended where they stand. */
  readonly limits?: {
    readonly ownersMax?: number;
    readonly subKeysMax?: number;
    readonly sealsPerSalt?: number;
  };
}

const FINGERPRINT_BYTES = 16;

/** Root keyset → data key of the owner → envelope. Whatever fails while opening, the answer is the same. */
export function makeSealer({
  dataKeys,
  rootKeyset,
  random,
  clock,
  limits = {},
}: SealerParts): EnvelopeSealer {
  const cache = makeDataKeyCache({ dataKeys, rootKeyset, clock, ownersMax: limits.ownersMax });
  const envelopes = makeEnvelopes({
    random,
    sealsPerSalt: limits.sealsPerSalt,
    subKeysMax: limits.subKeysMax,
  });

  const keysOf = async (owner: KeyOwner): Promise<OwnerKeys> => {
    const keys = await cache.find(owner);
    if (keys === undefined) throw dataKeyGone();
    return keys;
  };

  return {
    async seal(secret, context) {
      // Never made on the way: after shredding, a late refresh would bring the owner back to life (T28).
      const keys = await keysOf(context.owner);
      const id = keys.current;
      return envelopes.seal(secret, context, { owner: context.owner, id, key: keys.get(id) });
    },

    async open(sealed, context) {
      const envelope = parseEnvelope(sealed);
      const { owner } = context;
      const id = envelope.dataKeyId;
      let keys = await cache.find(owner);
      // Another process may have added a data key since we looked.
      if (keys !== undefined && !keys.has(id)) keys = await cache.reload(owner);
      if (keys === undefined) throw integrityFailure();
      return envelopes.open(envelope, context, { owner, id, key: keys.get(id) });
    },

    async prepare(owner) {
      if ((await cache.find(owner)) !== undefined) return;
      // Of many that arrive here one is stored, and all go on with that one.
      cache.keep(owner, await dataKeys.insert(owner, newDataKeys({ rootKeyset, random }, owner)));
    },

    async fingerprint(owner, token) {
      const key = (await keysOf(owner)).get(FINGERPRINT);
      const digest = createHmac("sha256", key).update(token.reveal()).digest();
      return digest.subarray(0, FINGERPRINT_BYTES).toString("base64url");
    },

    async digests(owner, texts) {
      return keyedDigests((await keysOf(owner)).get(FINGERPRINT), texts);
    },

    forget: cache.forget,
  };
}

const dataKeyGone = (): Problem =>
  new Problem("integrity_failure", {
    detail: "This owner has no data key: it was deleted, or never prepared.",
  });
