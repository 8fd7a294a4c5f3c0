import { createHash } from "node:crypto";
import type { LibraryWanted } from "../broker/authorization/ports.ts";
import type {
  KnownLibrary,
  LibraryAdmin,
  LibraryBinding,
  LibraryMemory,
  LibraryStore,
  LibraryUse,
  StandingStore,
} from "../broker/libraries/ports.ts";
import type { AuditNote } from "../broker/ports.ts";
import type { UpstreamUser } from "../domain/grant.ts";
import { type ClientId, type GrantId, organisationOf, type ServerId } from "../domain/id.ts";
import { days, type Instant, type Milliseconds } from "../domain/instant.ts";
import { type LibraryStanding, parkedBy } from "../domain/library-standing.ts";
import type { Sealed } from "../domain/sealed.ts";
import { EndingRecords } from "./ending-records.ts";
import {
  bindingDigest,
  bindingKey,
  gateKey,
  grantKey,
  librariesKey,
  libraryAdminsKey,
  libraryNamesKey,
  libraryRightsKey,
  libraryUsesKey,
  parkedKey,
  standingsKey,
} from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

/** Libraries: whose authorisation they have been lent, what was seen of it, and who depends on it. */
export class RedisLibraryStore implements LibraryStore, StandingStore, LibraryMemory {
  readonly #store: RedisStore;
  readonly #records: EndingRecords;

  constructor(store: RedisStore) {
    this.#store = store;
    this.#records = new EndingRecords(store);
  }

  async findLibrary(server: ServerId, library: string): Promise<LibraryBinding | undefined> {
    const text = await this.#store.call((redis) => redis.hget(librariesKey(server), library));
    return text === null ? undefined : readLibrary(server, library, text);
  }

  async listLibraries(server: ServerId): Promise<readonly LibraryBinding[]> {
    const stored = await this.#store.call((redis) => redis.hgetall(librariesKey(server)));
    return Object.entries(stored).map(([library, text]) => readLibrary(server, library, text));
  }

  async lendLibraries(
    grant: GrantId,
    server: ServerId,
    libraries: readonly LibraryWanted[],
    note: AuditNote,
  ): Promise<readonly ("lent" | "lent_by_another")[] | "gone"> {
    const wanted = libraries.map(({ library, replaces }) => [
      library,
      digestOf(server, library),
      replaces === undefined ? "" : `${replaces.customerId}/${replaces.userId}`,
    ]);
    const answer = await this.#store.run(
      "bind-libraries",
      [grantKey(grant), librariesKey(server)],
      [grant, server, JSON.stringify(wanted), note.actor, note.requestId],
    );
    return answer as readonly ("lent" | "lent_by_another")[] | "gone";
  }

  async withdrawLibrary(
    server: ServerId,
    library: string,
    note: AuditNote,
    from?: GrantId,
  ): Promise<"withdrawn" | "not_lent"> {
    const organisation = organisationOf(server);
    const digest = digestOf(server, library);
    const grant = await this.#store.run(
      "unbind",
      [bindingKey(organisation, digest), gateKey(organisation)],
      [digest, server, library, note.actor, note.requestId, from ?? ""],
    );
    return grant === "" ? "not_lent" : "withdrawn";
  }

  async listStandings(server: ServerId): Promise<ReadonlyMap<string, LibraryStanding>> {
    const stored = await this.#store.call((redis) => redis.hgetall(standingsKey(server)));
    return new Map(
      Object.entries(stored).map(([library, text]) => [library, JSON.parse(text) as LibraryStanding]),
    );
  }

  async putStanding(
    { server, library, grant }: Pick<LibraryBinding, "server" | "library" | "grant">,
    standing: LibraryStanding,
    before: LibraryStanding | undefined,
  ): Promise<"parked" | "lifted" | "stored" | "changed_hands" | "overtaken"> {
    const answer = await this.#store.run(
      "put-standing",
      [librariesKey(server), standingsKey(server), parkedKey(organisationOf(server))],
      [
        server,
        library,
        digestOf(server, library),
        grant,
        JSON.stringify(standing),
        parkedBy(standing) ?? "",
        before === undefined ? "" : JSON.stringify(before),
      ],
    );
    return answer as "parked" | "lifted" | "stored" | "changed_hands" | "overtaken";
  }

  async listUses(server: ServerId, libraries: readonly string[]): Promise<readonly LibraryUse[]> {
    const stored = await this.#store.call((redis) => redis.hgetall(libraryUsesKey(organisationOf(server))));
    const named = new Map(libraries.map((library) => [digestOf(server, library), library]));
    return Object.entries(stored).flatMap(([use, at]) => {
      const [digest = "", client] = use.split(" ", 2);
      const library = named.get(digest);
      return library === undefined ? [] : [{ library, client: client as ClientId, at: Number(at) }];
    });
  }

  async noteAdmin(
    server: ServerId,
    user: UpstreamUser,
    grant: GrantId,
    seen: ReadonlyMap<string, boolean>,
  ): Promise<void> {
    if (seen.size === 0) return;
    const at = await this.#store.now();
    const of = userDigest(user);
    const [yes, no] = [true, false].map((is) =>
      [...seen].filter(([, administers]) => administers === is).map(([library]) => `${of} ${library}`),
    );
    const key = libraryAdminsKey(server);
    const text = JSON.stringify({ grant, at });
    await this.#store.call((redis) =>
      yes!.length === 0 ? Promise.resolve(0) : redis.hset(key, ...yes!.flatMap((field) => [field, text])),
    );
    await this.#store.call((redis) => (no!.length === 0 ? Promise.resolve(0) : redis.hdel(key, ...no!)));
  }

  async listAdmins(server: ServerId): Promise<readonly LibraryAdmin[]> {
    const stored = await this.#store.call((redis) => redis.hgetall(libraryAdminsKey(server)));
    return Object.entries(stored).map(([field, text]) => {
      const { grant, at } = JSON.parse(text) as { grant: GrantId; at: Instant };
      return { library: field.slice(field.indexOf(" ") + 1), grant, at };
    });
  }

  async noteListed(server: ServerId, libraries: readonly KnownLibrary[]): Promise<void> {
    if (libraries.length === 0) return;
    const at = await this.#store.now();
    const fields = libraries.flatMap(({ id, displayName, hidden, kind }) => [
      id,
      JSON.stringify({ displayName, hidden, kind, at }),
    ]);
    await this.#store.call((redis) => redis.hset(libraryNamesKey(server), ...fields));
  }

  async listKnown(server: ServerId): Promise<readonly KnownLibrary[]> {
    const stored = await this.#store.call((redis) => redis.hgetall(libraryNamesKey(server)));
    const since = (await this.#store.now()) - KNOWN_MS;
    return Object.entries(stored)
      .map(([id, text]) => ({ displayName: undefined, ...(JSON.parse(text) as StoredName), id }))
      .filter(({ at }) => at > since);
  }

  async findRights(server: ServerId, user: UpstreamUser): Promise<readonly Sealed[] | undefined> {
    return this.#records.find(
      libraryRightsKey(server, userDigest(user)),
      (stored) => (stored as { sealed: readonly Sealed[] }).sealed,
    );
  }

  async putRights(
    server: ServerId,
    user: UpstreamUser,
    sealed: readonly Sealed[],
    lifeMs: Milliseconds,
  ): Promise<void> {
    await this.#records.put(libraryRightsKey(server, userDigest(user)), { v: 1, sealed }, lifeMs);
  }

  async forgetRights(server: ServerId, user: UpstreamUser): Promise<void> {
    await this.#store.call((redis) => redis.del(libraryRightsKey(server, userDigest(user))));
  }
}

/** A library that nobody was listed for so long may be gone, and is then known only while somebody lends it. */
const KNOWN_MS: Milliseconds = days(90);

type StoredName = Pick<KnownLibrary, "hidden" | "kind"> & { readonly at: Instant };

const digestOf = (server: ServerId, library: string): string =>
  bindingDigest(server, undefined, { type: "library", id: library });

/** Personal names never stand in a key. */
const userDigest = ({ customerId, userId }: UpstreamUser): string =>
  createHash("sha256")
    .update(JSON.stringify([customerId, userId.toLowerCase()]))
    .digest("base64url");

function readLibrary(server: ServerId, library: string, text: string): LibraryBinding {
  const stored = JSON.parse(text) as { grant: GrantId; since: string; lent_by: UpstreamUser };
  return { server, library, grant: stored.grant, lentBy: stored.lent_by, since: Number(stored.since) };
}
