import type { AuditNote } from "../broker/ports.ts";
import type {
  MigratedNoun,
  MigratedRecord,
  RecordFields,
  RecordWalk,
} from "../broker/records/migration-ports.ts";
import type { GrantId, OrganisationId } from "../domain/id.ts";
import { grantKey, grantsKey, organisationNamesKey } from "./keys.ts";
import type { Place, RedisRecordSeals, StoredRecord } from "./redis-record-seals.ts";
import type { RedisStore } from "./redis-store.ts";

/** A record with what it takes to write it. */
type Walked = MigratedRecord &
  ({ readonly sealed: Place & StoredRecord } | { readonly hash: Readonly<Record<string, string>> });

/** Goes through stored records for migrations: those that operators manage by their key names, grants by their age. */
export class RedisRecordWalk implements RecordWalk {
  readonly #store: RedisStore;
  readonly #seals: RedisRecordSeals;

  constructor(store: RedisStore, seals: RedisRecordSeals) {
    this.#store = store;
    this.#seals = seals;
  }

  async count(noun: MigratedNoun): Promise<number> {
    if (noun !== "grant") return (await this.#seals.placesOf(noun)).length;
    let count = 0;
    for (const id of await this.#organisations())
      count += await this.#store.call((redis) => redis.zcard(grantsKey(id)));
    return count;
  }

  batches(noun: MigratedNoun, after: string | undefined, limit: number) {
    return noun === "grant" ? this.#grants(after, limit) : this.#sealed(noun, after, limit);
  }

  async write(record: MigratedRecord, to: RecordFields, note: AuditNote): Promise<boolean> {
    const walked = record as Walked;
    if ("sealed" in walked)
      return this.#seals.rewrite(walked.sealed, walked.sealed, JSON.stringify(to), note);
    const names = new Set([...Object.keys(walked.hash), ...Object.keys(to)]);
    const changes = [...names].filter((name) => walked.hash[name] !== to[name]);
    const half = (value: unknown) => (value === undefined ? [0, ""] : [1, String(value)]);
    const args = changes.flatMap((name) => [name, ...half(walked.hash[name]), ...half(to[name])]);
    return (await this.#store.run("migrate-grant", [record.place], [changes.length, ...args])) === "stored";
  }

  async *#sealed(noun: Exclude<MigratedNoun, "grant">, after: string | undefined, limit: number) {
    const all = await this.#seals.placesOf(noun);
    const left = after === undefined ? all : all.filter(({ keys: [key] }) => key > after);
    for (let from = 0; from < left.length; from += limit) {
      const places = left.slice(from, from + limit);
      const records: Walked[] = [];
      for (const place of places) {
        const stored = await this.#seals.read(place);
        if (stored === undefined) continue;
        const [key] = place.keys;
        records.push({ place: key, fields: JSON.parse(stored.text), sealed: { ...place, ...stored } });
      }
      yield { records, cursor: places.at(-1)!.keys[0] };
    }
  }

  /** The cursor: organisation, moment of birth, grant. Grants of one moment are ordered by id, as Redis does. */
  async *#grants(after: string | undefined, limit: number) {
    const [from = "", bornAt = "-inf", last = ""] = after?.split(" ") ?? [];
    for (const organisation of await this.#organisations()) {
      if (organisation < from) continue;
      let position = organisation === from ? { bornAt, last } : { bornAt: "-inf", last: "" };
      for (let offset = 0; ; ) {
        const flat = await this.#store.call((redis) =>
          redis.zrangebyscore(
            grantsKey(organisation),
            position.bornAt,
            "+inf",
            "WITHSCORES",
            "LIMIT",
            offset,
            limit,
          ),
        );
        const found = flat.flatMap((id, at) =>
          at % 2 === 0 ? [[id as GrantId, flat[at + 1]!] as const] : [],
        );
        const behind = found.filter(([id, at]) => at !== position.bornAt || id > position.last);
        const end = found.length < limit;
        const lastOf = behind.at(-1);
        if (lastOf !== undefined) {
          const [id, at] = lastOf;
          yield {
            records: await this.#read(behind.map(([one]) => one)),
            cursor: `${organisation} ${at} ${id}`,
          };
          position = { bornAt: at, last: id };
          offset = 0;
        } else offset += limit;
        if (end) break;
      }
    }
  }

  async #read(ids: readonly GrantId[]): Promise<Walked[]> {
    const stored = await Promise.all(
      ids.map((id) => this.#store.call((redis) => redis.hgetall(grantKey(id)))),
    );
    return stored.flatMap((hash, at) =>
      Object.keys(hash).length === 0 ? [] : [{ place: grantKey(ids[at]!), fields: hash, hash }],
    );
  }

  async #organisations(): Promise<readonly OrganisationId[]> {
    const names = await this.#store.call((redis) => redis.hgetall(organisationNamesKey()));
    return (Object.values(names) as OrganisationId[]).sort();
  }
}
