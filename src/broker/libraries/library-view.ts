import type { UpstreamUser } from "../../domain/grant.ts";
import type { ClientId, GrantId, ServerId, SyncId } from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import { judgeLibrary } from "../../domain/judge-library.ts";
import type { LibraryTrouble } from "../../domain/library-trouble.ts";
import type { LibraryKind, LibraryRights, LibraryViewPorts } from "./ports.ts";

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
  /** People known here to administer it whose authorisation lives; undefined: nobody has looked yet. */
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

/** A library of an iManage server, as far as it was listed. */
export interface ListedLibrary {
  readonly id: string;
  readonly displayName: string | undefined;
  readonly hidden: boolean;
  readonly kind: LibraryKind;
  readonly rights?: LibraryRights;
}

/**
 * Draws libraries: those that are listed, and those that are lent though nobody lists them.
 * @param listed what iManage lists to somebody who has just looked; undefined: nobody has, so nothing is said to be gone
 */
export async function viewLibraries(
  ports: LibraryViewPorts,
  server: ServerId,
  listed: readonly ListedLibrary[] | undefined,
): Promise<readonly LibraryView[]> {
  const [lent, gate, { last }, syncs] = await Promise.all([
    ports.lent.listLibraries(server),
    ports.gates.findClosedGate(server),
    ports.diagnoses.findDiagnoses(server),
    ports.syncs.listLibrarySyncs(server),
  ]);
  const bindings = new Map(lent.map((binding) => [binding.library, binding]));
  const grantIds = [...new Set(lent.map(({ grant }) => grant))];
  const grants = new Map(
    await Promise.all(grantIds.map(async (id) => [id, await ports.grants.findGrant(id)] as const)),
  );
  const clientIds = [...new Set(syncs.map(({ client }) => client))];
  const names = new Map(
    await Promise.all(
      clientIds.map(async (id) => [id, (await ports.clients.findClient(id))?.displayName] as const),
    ),
  );
  const syncsOf = Map.groupBy(syncs, ({ library }) => library);
  const now = ports.clock.now();
  const causes = (last?.findings ?? []).filter(({ state }) => state === "failed").map(({ cause }) => cause);
  const rows = [...(listed ?? [])];
  const known = new Set(rows.map(({ id }) => id));
  for (const { library } of lent) {
    if (!known.has(library)) rows.push({ id: library, displayName: undefined, hidden: false, kind: "other" });
  }

  return rows.map(({ id, displayName, hidden, kind, rights }): LibraryView => {
    const binding = bindings.get(id);
    const grant = binding && grants.get(binding.grant);
    const own = syncsOf.get(id) ?? [];
    const trouble =
      binding &&
      judgeLibrary({
        now,
        owner: binding.lentBy.name ?? binding.lentBy.userId,
        grant,
        gate,
        causes,
        standing: undefined,
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
      checkedAt: undefined,
      usedBy: own.map(({ client, id: sync, state, lastCompleteAt }) => ({
        client,
        displayName: names.get(client) ?? client,
        lastTokenAt: undefined,
        sync: { id: sync, state, lastCompleteAt },
      })),
      rights,
      liveAdmins: undefined,
    };
  });
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
