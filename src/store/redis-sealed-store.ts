import type { SealedPage, SealedPlace, SealedStore, StoredChange } from "../broker/keys/ports.ts";
import {
  type GrantId,
  type OrganisationId,
  organisationId,
  type RegistrationId,
  type Route,
  type ServerId,
  type SubscriptionId,
  type SyncId,
} from "../domain/id.ts";
import { seconds } from "../domain/instant.ts";
import type { KeyOwner, Sealed } from "../domain/sealed.ts";
import {
  dataKeysKey,
  grantKey,
  laterRevocationsKey,
  registrationKey,
  revocationsKey,
  syncChangesCopyKey,
  syncChangesKey,
} from "./keys.ts";
import { fieldsOf } from "./redis-grant-store.ts";
import type { RedisStore } from "./redis-store.ts";

/** Of an organisation's own keys, looked at in one script: a millisecond or two of Redis' time. */
const KEYS_AT_ONCE = 200;
const ENTRIES_AT_ONCE = 200;
const CHANGES_AT_ONCE = 2_000;
/** Longer than anybody waits for the reply to what he has stored. */
const LEFT_ALONE_MS = seconds(15);

interface StoredSpare {
  readonly sealed: Sealed;
  readonly att: string | number;
}

/** What waits to be revoked, as both lists have it. */
interface StoredRevocation {
  readonly grant: GrantId;
  readonly server: ServerId;
  readonly gen: string | number;
  readonly kind: "refresh-token" | "access-token";
  readonly sealed: Sealed;
  readonly att: string | number;
}

/**
 * A pass goes through all keys (SCAN), then what waits to be revoked later, then the revocation outbox: tokens move from grants
 * to the second and to the third, and never back. So what names an old key is met, or ends, however it moves meanwhile.
 */
export class RedisSealedStore implements SealedStore {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async find(owner: KeyOwner, keys: readonly string[], position = "keys 0"): Promise<SealedPage> {
    if (owner.startsWith("s:")) return this.#findShared(owner.slice(2) as RegistrationId, keys);
    const organisation = organisationId(owner.slice(2) as Route);
    const [stage, at] = position.split(" ", 2) as ["keys" | "later" | "outbox", string];
    const { cursor, store, places } = await this.#look(owner, stage === "keys" ? at : undefined, keys);
    switch (stage) {
      case "keys":
        return { places, store, next: cursor === "0" ? "later 0" : `keys ${cursor}` };
      case "later": {
        const [next, found] = await this.#later(organisation, at, keys);
        return { places: found, store, next: next === "0" ? "outbox " : `later ${next}` };
      }
      case "outbox": {
        const [next, found] = await this.#outbox(organisation, at, keys);
        return { places: found, store, next: next === undefined ? undefined : `outbox ${next}` };
      }
    }
  }

  async replaceInGrant(
    grant: GrantId,
    texts: readonly (readonly [before: Sealed, after: Sealed])[],
  ): Promise<number | "fresh"> {
    const replaced = await this.#store.run(
      "reseal-grant",
      [grantKey(grant)],
      [LEFT_ALONE_MS, ...texts.flat()],
    );
    return replaced === -1 ? "fresh" : (replaced as number);
  }

  async replaceRevocation(
    organisation: OrganisationId,
    { entry, waits, sealed }: { readonly entry: string; readonly waits: boolean; readonly sealed: Sealed },
    after: Sealed,
  ): Promise<boolean> {
    const key = waits ? laterRevocationsKey(organisation) : revocationsKey(organisation);
    return (await this.#store.run("reseal-revocation", [key], [entry, sealed, after, LEFT_ALONE_MS])) === 1;
  }

  async changesToCopy(sync: SyncId, to: string, limit: number): Promise<readonly StoredChange[]> {
    const newest = await this.#store.call((redis) =>
      redis.xrevrange(syncChangesCopyKey(sync, to), "+", "-", "COUNT", 1),
    );
    const from = newest[0] === undefined ? "-" : `(${newest[0][0]}`;
    const entries = await this.#store.call((redis) =>
      redis.xrange(syncChangesKey(sync), from, "+", "COUNT", limit),
    );
    return entries.map(([id, [, at, , sealed]]) => ({ id, at: at!, sealed: sealed as Sealed }));
  }

  async copyChanges(sync: SyncId, to: string, changes: readonly StoredChange[]): Promise<void> {
    const entries = changes.flatMap(({ id, at, sealed }) => [id, at, sealed]);
    await this.#store.run("copy-changes", [syncChangesCopyKey(sync, to)], entries);
  }

  async takeCopy(sync: SyncId, to: string): Promise<boolean> {
    const keys = [syncChangesKey(sync), syncChangesCopyKey(sync, to)];
    return (await this.#store.run("take-changes-copy", keys, [])) === 1;
  }

  /** @param cursor undefined: only which Redis this is */
  async #look(owner: KeyOwner, cursor: string | undefined, keys: readonly string[]) {
    const [next, store, found] = (await this.#store.run(
      "sealed-find",
      [dataKeysKey(owner)],
      [cursor ?? "0", cursor === undefined ? 0 : KEYS_AT_ONCE, keys.join(" ")],
    )) as [string, string, [string, ...string[]][]];
    const places: SealedPlace[] = [];
    for (const [kind, ...fields] of found) {
      if (kind === "changes" && !(await this.#changesName(fields[0] as SyncId, keys))) continue;
      places.push(placeOf(kind, fields, keys));
    }
    return { cursor: next, store, places };
  }

  async #changesName(sync: SyncId, keys: readonly string[]): Promise<boolean> {
    let after = "";
    do {
      const [found, next] = (await this.#store.run(
        "sealed-in-changes",
        [syncChangesKey(sync)],
        [after, CHANGES_AT_ONCE, keys.join(" ")],
      )) as [0 | 1, string];
      if (found === 1) return true;
      after = next;
    } while (after !== "");
    return false;
  }

  async #later(
    organisation: OrganisationId,
    cursor: string,
    keys: readonly string[],
  ): Promise<[string, SealedPlace[]]> {
    const [next, found] = await this.#store.call((redis) =>
      redis.zscan(laterRevocationsKey(organisation), cursor, "COUNT", ENTRIES_AT_ONCE),
    );
    const members = found.filter((_, i) => i % 2 === 0);
    return [
      next,
      members.flatMap((entry) => revocationOf(entry, true, JSON.parse(entry) as StoredRevocation, keys)),
    ];
  }

  async #outbox(
    organisation: OrganisationId,
    after: string,
    keys: readonly string[],
  ): Promise<[string | undefined, SealedPlace[]]> {
    const entries = await this.#store.call((redis) =>
      redis.xrange(
        revocationsKey(organisation),
        after === "" ? "-" : `(${after}`,
        "+",
        "COUNT",
        ENTRIES_AT_ONCE,
      ),
    );
    return [
      entries.length < ENTRIES_AT_ONCE ? undefined : entries.at(-1)![0],
      entries.flatMap(([entry, flat]) =>
        revocationOf(entry, false, fieldsOf(flat) as unknown as StoredRevocation, keys),
      ),
    ];
  }

  /** A shared registration has one record. */
  async #findShared(registration: RegistrationId, keys: readonly string[]): Promise<SealedPage> {
    const text = await this.#store.call((redis) => redis.get(registrationKey(registration)));
    const found = text !== null && names(text, keys);
    return { places: found ? [{ kind: "registration", registration }] : [], next: undefined, store: "" };
  }
}

/** An envelope has the id of its data key between two dots. */
const names = (text: string, keys: readonly string[]): boolean =>
  keys.some((key) => text.includes(`.${key}.`));

function placeOf(kind: string, fields: readonly string[], keys: readonly string[]): SealedPlace {
  const key = fields[0]!;
  if (kind === "changes" || kind === "copy") {
    const server = fields[1] === "" ? undefined : (fields[1] as ServerId);
    return { kind: "changes", sync: key as SyncId, server: kind === "copy" ? undefined : server };
  }
  if (kind === "fleeting" || kind === "unknown") return { kind, key };
  if (kind === "subscription") return { kind, subscription: key as SubscriptionId };
  if (kind === "registration") return { kind, registration: key as RegistrationId };
  const [grant, server, generation, rt, rtAttempt, at, atAttempt, spares] = fields as string[];
  const texts = [
    { kind: "refresh-token", attempt: Number(rtAttempt), sealed: rt as Sealed },
    { kind: "access-token", attempt: Number(atAttempt), sealed: at as Sealed },
    ...(JSON.parse(spares!) as StoredSpare[]).map(({ sealed, att }) => ({
      kind: "refresh-token",
      attempt: Number(att),
      sealed,
    })),
  ] as const;
  return {
    kind: "grant",
    grant: grant as GrantId,
    server: server as ServerId,
    consentGeneration: Number(generation),
    texts: texts.filter(({ sealed }) => names(sealed, keys)) as never,
  };
}

const revocationOf = (
  entry: string,
  waits: boolean,
  { grant, server, gen, kind, sealed, att }: StoredRevocation,
  keys: readonly string[],
): SealedPlace[] =>
  names(sealed, keys)
    ? [
        {
          kind: "revocation",
          entry,
          waits,
          grant,
          server,
          consentGeneration: Number(gen),
          token: kind,
          attempt: Number(att),
          sealed,
        },
      ]
    : [];
