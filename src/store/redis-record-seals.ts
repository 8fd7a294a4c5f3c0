import type { AuditNote, RecordMac } from "../broker/ports.ts";
import type { RecordSeal, RecordSeals } from "../broker/records/ports.ts";
import type { ClientId, OrganisationId, RegistrationId, ServerId, SubscriptionId } from "../domain/id.ts";
import { Problem } from "../domain/problem.ts";
import {
  clientKey,
  clientNamesKey,
  gateKey,
  membersKey,
  organisationKey,
  organisationNamesKey,
  policyKey,
  registrationKey,
  registrationNamesKey,
  serverKey,
  serverNamesKey,
  subscriptionKey,
  subscriptionsKey,
} from "./keys.ts";
import { gateWords, standingPlace } from "./places.ts";
import { readClient, readOrganisation } from "./records.ts";
import type { RedisStore } from "./redis-store.ts";

/** A sealed text, and what it says. */
export interface StoredRecord {
  readonly stored: string;
  readonly text: string;
}

/** Where one record lies, and what lies beside it that scripts read. */
export interface Place {
  readonly noun: RecordSeal["noun"];
  readonly name: string;
  readonly keys: readonly [record: string, ...beside: string[]];
}

/** What {@link RedisRecordSeals.survey} found, with what it needs to write there. */
type Found = RecordSeal & { readonly keys: Place["keys"]; readonly stored: string };

/** The seals of records, over all of them: for operators' commands, not for requests. */
export class RedisRecordSeals implements RecordSeals {
  readonly #store: RedisStore;
  readonly #mac: RecordMac;

  constructor(store: RedisStore, mac: RecordMac) {
    this.#store = store;
    this.#mac = mac;
  }

  async survey(): Promise<readonly Found[]> {
    const found: Found[] = [];
    for await (const place of this.#places()) {
      const [key] = place.keys;
      const client = place.noun === "client";
      const [stored = null, standing = null] = client
        ? await this.#store.call((redis) => redis.hmget(key, "record", "standing"))
        : [await this.#store.call((redis) => redis.get(key))];
      if (stored === null) continue;
      const judged = [
        this.#judge(key, stored),
        ...(client ? [this.#judge(standingPlace(key), standing ?? "")] : []),
      ];
      const worst = judged.find(({ state }) => state !== "sealed") ?? judged[0]!;
      found.push({
        ...place,
        place: key,
        stored,
        text: readable(stored),
        state: worst.state,
        rootKey: judged.find(({ outdated }) => outdated)?.rootKey ?? worst.rootKey,
        outdated: judged.some(({ outdated }) => outdated),
      });
    }
    return found;
  }

  async seal(record: RecordSeal, note: AuditNote): Promise<boolean> {
    const entry = {
      action: "record.sealed",
      actor: note.actor,
      record: record.place,
      request: note.requestId,
      address: note.address ?? "",
    };
    return this.#write(record as Found, readable((record as Found).stored), Object.entries(entry).flat());
  }

  async rewrap(record: RecordSeal): Promise<boolean> {
    const { place, stored } = record as Found;
    const text = this.#mac.open(place, stored);
    if (text === undefined) throw new Problem("integrity_failure", { detail: `${place} is altered.` });
    return this.#write(record as Found, text, []);
  }

  /** Where records of a kind lie, by their key names. */
  async placesOf(noun: RecordSeal["noun"]): Promise<readonly Place[]> {
    const found: Place[] = [];
    for await (const place of this.#places()) if (place.noun === noun) found.push(place);
    return found.sort((a, b) => (a.keys[0] < b.keys[0] ? -1 : 1));
  }

  /** What is stored in a place and opens there; undefined: nothing, or nothing that a broker wrote. */
  async read({ noun, keys: [key] }: Place): Promise<StoredRecord | undefined> {
    const stored = await this.#store.call((redis) =>
      noun === "client" ? redis.hget(key, "record") : redis.get(key),
    );
    if (stored === null || this.#judge(key, stored).state !== "sealed") return undefined;
    return { stored, text: readable(stored) };
  }

  /** Writes another text in a record's place, with what scripts read of it and its audit entry. False: it is another by now. */
  async rewrite(place: Place, { stored }: StoredRecord, text: string, note: AuditNote): Promise<boolean> {
    const [record] = place.keys;
    const entry = {
      action: "record.migrated",
      actor: note.actor,
      record,
      request: note.requestId,
      address: note.address ?? "",
    };
    return this.#write({ ...place, place: record, stored }, text, Object.entries(entry).flat());
  }

  async #write(
    { noun, keys, place, stored }: Pick<Found, "noun" | "keys" | "place" | "stored">,
    text: string,
    entry: readonly string[],
  ): Promise<boolean> {
    const answer = await this.#store.run("seal-record", keys, [
      stored,
      this.#mac.seal(place, text),
      noun,
      ...this.#beside(noun, place, text),
      ...entry,
    ]);
    return answer === "stored";
  }

  /** What scripts read of the record, as three arguments. */
  #beside(noun: RecordSeal["noun"], place: string, text: string): readonly (string | number)[] {
    if (noun === "organisation") return gateWords(readOrganisation(JSON.parse(text)));
    if (noun !== "client") return ["", "", ""];
    const { state, generation } = readClient(JSON.parse(text));
    const standing = JSON.stringify({ state, generation });
    return [this.#mac.seal(standingPlace(place), standing), "", ""];
  }

  #judge(place: string, stored: string): Pick<RecordSeal, "state" | "rootKey" | "outdated"> {
    const rootKey = this.#mac.rootKeyOf(stored);
    const outdated = rootKey !== undefined && !this.#mac.isCurrent(stored);
    if (rootKey === undefined) return { state: "unsealed", rootKey, outdated };
    try {
      const state = this.#mac.open(place, stored) === undefined ? "altered" : "sealed";
      return { state, rootKey, outdated };
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "integrity_failure") throw error;
      return { state: "closed", rootKey, outdated };
    }
  }

  async *#places(): AsyncIterable<Place> {
    const clients = await this.#names(clientNamesKey());
    const shared = await this.#names(registrationNamesKey(undefined));
    for (const [name, id] of shared)
      yield { noun: "registration", name: `shared ${name}`, keys: [registrationKey(id as RegistrationId)] };
    for (const [name, id] of clients) yield { noun: "client", name, keys: [clientKey(id as ClientId)] };
    for (const [firm, id] of await this.#names(organisationNamesKey())) {
      const organisation = id as OrganisationId;
      const gate = gateKey(organisation);
      yield {
        noun: "organisation",
        name: firm,
        keys: [organisationKey(organisation), gate, membersKey(organisation)],
      };
      for (const [name, server] of await this.#names(serverNamesKey(organisation)))
        yield { noun: "server", name: `${firm}/${name}`, keys: [serverKey(server as ServerId)] };
      for (const [name, registration] of await this.#names(registrationNamesKey(organisation)))
        yield {
          noun: "registration",
          name: `${firm}/${name}`,
          keys: [registrationKey(registration as RegistrationId)],
        };
      const subscriptions = await this.#names(subscriptionsKey(organisation));
      for (const [id] of subscriptions)
        yield {
          noun: "subscription",
          name: `${firm}/${id}`,
          keys: [subscriptionKey(id as SubscriptionId)],
        };
      // Every pair: which organisations a client has policies in is written after them, and is a hint.
      for (const [name, client] of clients)
        yield {
          noun: "policy",
          name: `${name} → ${firm}`,
          keys: [policyKey(organisation, client as ClientId), gate],
        };
    }
  }

  async #names(key: string): Promise<readonly (readonly [name: string, id: string])[]> {
    const names = await this.#store.call((redis) => redis.hgetall(key));
    return Object.entries(names).sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

/** The text of a sealed record, believed or not: JSON objects begin with a brace, and nothing before them holds one. */
const readable = (stored: string): string => stored.slice(Math.max(0, stored.indexOf("{")));
