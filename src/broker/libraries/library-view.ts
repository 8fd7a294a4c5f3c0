import type { Grant, UpstreamUser } from "../../domain/grant.ts";
import type { ClientId, GrantId, ServerId, SyncId } from "../../domain/id.ts";
import { days, type Instant } from "../../domain/instant.ts";
import { judgeLibrary } from "../../domain/judge-library.ts";
import type { LibraryTrouble } from "../../domain/library-trouble.ts";
import type {
  KnownLibrary,
  LibraryKind,
  LibraryRights,
  LibrarySync,
  LibraryUse,
  LibraryViewPorts,
} from "./ports.ts";

/** A library as *Background service authorization* and `GET /v1/libraries` show it. */
export interface LibraryView {
  readonly server: ServerId;
  readonly library: string;
  readonly displayName: string | undefined;
  readonly hidden: boolean;
  readonly kind: LibraryKind;
  readonly state: "unauthorized" | "authorized" | "needs_attention";
  /** Set with `needs_attention` alone. */
  readonly trouble: LibraryTrouble | undefined;
  readonly grant: GrantId | undefined;
  readonly lentBy: UpstreamUser | undefined;
  readonly since: Instant | undefined;
  readonly lastRefreshedAt: Instant | undefined;
  /** When a sync of this library, of whichever client, was last complete. */
  readonly lastSyncAt: Instant | undefined;
  /** The latest fault of refreshing or of a sync that has not been followed by a success. */
  readonly lastError: LibraryError | undefined;
  /** Forecast: until when somebody must have authorized again. */
  readonly renewBy: Instant | undefined;
  /** When it was last looked whether the owner still administers the library. */
  readonly checkedAt: Instant | undefined;
  readonly usedBy: readonly LibraryUser[];
  /** Of the admin who is signed in; undefined where nobody is. */
  readonly rights: LibraryRights | undefined;
  /**
   * People who were seen here to administer it and whose authorisation lives; undefined: nobody has looked yet. What iManage
   * has beyond them is not known: that it tells a group's members stands on no page of its public help.
   */
  readonly liveAdmins: number | undefined;
}

export interface LibraryError {
  readonly of: "refresh" | "sync";
  readonly code: string;
  readonly at: Instant;
}

/** An application that depends on the library's authorisation. */
export interface LibraryUser {
  readonly client: ClientId;
  readonly displayName: string;
  readonly lastTokenAt: Instant | undefined;
  readonly sync:
    | {
        readonly id: SyncId;
        readonly state: "active" | "paused" | "parked";
        readonly lastCompleteAt: Instant | undefined;
      }
    | undefined;
}

/** A library as it was listed to somebody who looks now. */
export interface ListedLibrary extends KnownLibrary {
  readonly rights?: LibraryRights;
}

/**
 * Draws libraries: those that are listed, and those that are lent though nobody lists them.
 * @param listed what iManage lists to somebody who looks now; undefined: what it has ever listed to anybody
 */
export async function viewLibraries(
  ports: LibraryViewPorts,
  server: ServerId,
  listed: readonly ListedLibrary[] | undefined,
): Promise<readonly LibraryView[]> {
  const [known, lent, gate, { last }, syncs, standings, admins] = await Promise.all([
    ports.memory.listKnown(server),
    ports.lent.listLibraries(server),
    ports.gates.findClosedGate(server),
    ports.diagnoses.findDiagnoses(server),
    ports.syncs.listLibrarySyncs(server),
    ports.standings.listStandings(server),
    ports.memory.listAdmins(server),
  ]);
  const now = ports.clock.now();
  const uses = (
    await ports.memory.listUses(
      server,
      lent.map(({ library }) => library),
    )
  ).filter(({ at }) => now - at < USED_MS);
  const [grants, names] = await Promise.all([
    mapOf(
      [...lent, ...admins].map(({ grant }) => grant),
      (id) => ports.grants.findGrant(id),
    ),
    mapOf(
      [...syncs, ...uses].map(({ client }) => client),
      (id) => ports.clients.findClient(id),
    ),
  ]);
  const bindings = new Map(lent.map((binding) => [binding.library, binding]));
  const syncsOf = Map.groupBy(syncs, ({ library }) => library);
  const usesOf = Map.groupBy(uses, ({ library }) => library);
  const adminsOf = Map.groupBy(admins, ({ library }) => library);
  const causes = (last?.findings ?? []).filter(({ state }) => state === "failed").map(({ cause }) => cause);
  const rows: ListedLibrary[] = [...(listed ?? known)];
  const ids = new Set(rows.map(({ id }) => id));
  for (const { library } of lent) {
    if (!ids.has(library)) rows.push(known.find(({ id }) => id === library) ?? unlisted(library));
  }

  return rows.map(({ id, displayName, hidden, kind, rights }): LibraryView => {
    const binding = bindings.get(id);
    const grant = binding && grants.get(binding.grant);
    const standing = standings.get(id);
    const own = syncsOf.get(id) ?? [];
    const trouble =
      binding &&
      judgeLibrary({
        now,
        owner: binding.lentBy.name ?? binding.lentBy.userId,
        grant,
        gate,
        causes,
        standing,
      });
    return {
      server,
      library: id,
      displayName,
      hidden,
      kind,
      state:
        binding === undefined ? "unauthorized" : trouble === undefined ? "authorized" : "needs_attention",
      trouble,
      grant: binding?.grant,
      lentBy: binding?.lentBy,
      since: binding?.since,
      lastRefreshedAt: grant?.lastRefreshedAt ?? grant?.consentedAt,
      lastSyncAt: latest(own.map(({ lastCompleteAt }) => lastCompleteAt)),
      lastError: lastErrorOf(grant?.lastProblem, own),
      renewBy: grant?.refreshTokenExpiresAt,
      checkedAt: standing?.checkedAt,
      usedBy: binding === undefined ? [] : usersOf(own, usesOf.get(id) ?? [], names),
      rights,
      liveAdmins: countLive(adminsOf.get(id), grants),
    };
  });
}

/** An application that has had no token for so long depends on it no more. */
const USED_MS = days(30);

const unlisted = (id: string): ListedLibrary => ({
  id,
  displayName: undefined,
  hidden: false,
  kind: "ordinary",
});

async function mapOf<K, V>(keys: readonly K[], find: (key: K) => Promise<V>): Promise<ReadonlyMap<K, V>> {
  return new Map(await Promise.all([...new Set(keys)].map(async (key) => [key, await find(key)] as const)));
}

function usersOf(
  syncs: readonly LibrarySync[],
  uses: readonly LibraryUse[],
  names: ReadonlyMap<ClientId, { readonly displayName: string } | undefined>,
): readonly LibraryUser[] {
  const clients = new Set([...syncs, ...uses].map(({ client }) => client));
  return [...clients].map((client) => {
    const sync = syncs.find((one) => one.client === client);
    return {
      client,
      displayName: names.get(client)?.displayName ?? client,
      lastTokenAt: uses.find((use) => use.client === client)?.at,
      sync: sync && { id: sync.id, state: sync.state, lastCompleteAt: sync.lastCompleteAt },
    };
  });
}

function countLive(
  admins: readonly { readonly grant: GrantId }[] | undefined,
  grants: ReadonlyMap<GrantId, Grant | undefined>,
): number | undefined {
  if (admins === undefined) return undefined;
  return new Set(admins.map(({ grant }) => grant).filter((id) => grants.get(id)?.state === "active")).size;
}

const latest = (instants: readonly (Instant | undefined)[]): Instant | undefined =>
  instants.reduce<Instant | undefined>((a, b) => (a === undefined || (b ?? 0) > a ? b : a), undefined);

function lastErrorOf(
  problem: { readonly code: string; readonly at: Instant } | undefined,
  syncs: readonly {
    readonly lastError: { readonly code: string; readonly at: Instant } | undefined;
    readonly failures: number;
  }[],
): LibraryError | undefined {
  const errors: LibraryError[] = syncs.flatMap(({ lastError, failures }) =>
    lastError === undefined || failures === 0 ? [] : [{ of: "sync" as const, ...lastError }],
  );
  if (problem !== undefined) errors.push({ of: "refresh", ...problem });
  return errors.toSorted((a, b) => b.at - a.at)[0];
}
