import type { Grant } from "../../domain/grant.ts";
import type { OrganisationId } from "../../domain/id.ts";
import {
  isStandingDue,
  type LibraryLook,
  type LibraryStanding,
  nextStanding,
  spreadOf,
} from "../../domain/library-standing.ts";
import { Problem } from "../../domain/problem.ts";
import type { Server } from "../../domain/server.ts";
import type { Clock, Log, Random } from "../ports.ts";
import { isAdmin, type OwnTokens } from "./library-pages.ts";
import type { LibraryBinding, LibraryReader, LibraryViewPorts } from "./ports.ts";

export interface StandingPorts extends Pick<LibraryViewPorts, "lent" | "standings" | "memory" | "grants"> {
  readonly clock: Pick<Clock, "now">;
  readonly random: Pick<Random, "bytes">;
  readonly log: Log;
  readonly ownTokens: OwnTokens;
  readonly libraries: LibraryReader;
  readonly organisations: {
    listOrganisations(): Promise<readonly { readonly id: OrganisationId; readonly enabled: boolean }[]>;
    listServers(organisation: OrganisationId): Promise<readonly Server[]>;
  };
}

/** Libraries of one server looked at in one turn: after an outage all are due at once. */
const AT_ONCE = 20;

/**
 * Looks whether those who lent libraries still administer them, wherever it is time to. Who was seen twice not to is parked:
 * tokens for the library are refused with that reason until iManage says otherwise. Answers how many were looked at.
 */
export async function checkStandings(ports: StandingPorts): Promise<number> {
  let looked = 0;
  for (const { id, enabled } of await ports.organisations.listOrganisations()) {
    if (!enabled) continue;
    for (const server of await ports.organisations.listServers(id))
      looked += await checkServer(ports, server);
  }
  return looked;
}

async function checkServer(ports: StandingPorts, server: Server): Promise<number> {
  const lent = await ports.lent.listLibraries(server.id);
  if (lent.length === 0) return 0;
  const standings = await ports.standings.listStandings(server.id);
  const byGrant = Map.groupBy(lent, ({ grant }) => grant);
  const now = ports.clock.now();
  let left = AT_ONCE;
  for (const [id, bindings] of byGrant) {
    if (left <= 0) break;
    const grant = await ports.grants.findGrant(id);
    if (grant === undefined) continue;
    const due = bindings
      .filter(({ library, since }) =>
        isStandingDue(
          standings.get(library),
          { since, failedAt: grant.lastProblem?.at },
          now,
          spreadOf(`${server.id} ${library}`),
        ),
      )
      .slice(0, left);
    if (due.length === 0) continue;
    left -= due.length;
    await checkLent(ports, server, grant, due, standings);
  }
  return AT_ONCE - left;
}

async function checkLent(
  ports: StandingPorts,
  server: Server,
  grant: Grant,
  due: readonly LibraryBinding[],
  standings: ReadonlyMap<string, LibraryStanding>,
): Promise<void> {
  const ended = grant.state === "reauthorization_required";
  const look = ended
    ? await lookAtAccount(ports, server, grant, due)
    : await lookAsOwner(ports, server, grant, due);
  const seen = new Map<string, boolean>();
  for (const binding of due) {
    const { library } = binding;
    const said = look(library);
    if (said.kind === "administers" || said.kind === "bad") seen.set(library, said.kind === "administers");
    const [byte = 0] = ports.random.bytes(1);
    const before = standings.get(library);
    const standing = nextStanding(before, said, ports.clock.now(), byte / 256);
    const stored = await ports.standings.putStanding(binding, standing, before);
    if (stored !== "parked" && stored !== "lifted") continue;
    const fields = { server: server.id, grant: grant.id, outcome: stored };
    if (stored === "lifted") ports.log.info(fields, "library");
    else ports.log.warn({ ...fields, ...(standing.fault && { code: standing.fault }) }, "library");
  }
  await ports.memory.noteAdmin(server.id, grant.owner, grant.id, seen);
}

type Look = (library: string) => LibraryLook;
const nothing: Look = () => ({ kind: "nothing" });

/** By the owner's own token: what iManage lists to him, and whether he administers it. */
async function lookAsOwner(
  ports: StandingPorts,
  server: Server,
  grant: Grant,
  due: readonly LibraryBinding[],
): Promise<Look> {
  const token = await ports.ownTokens.open(grant.id).catch(orNothing);
  if (token === undefined) return nothing;
  const only = new Set(due.map(({ library }) => library));
  const answer = await ports.libraries.listLibraries(server, grant.owner, token, only);
  switch (answer.kind) {
    case "ok": {
      const rows = new Map(answer.value.map((row) => [row.id, row]));
      await ports.memory.noteListed(server.id, answer.value);
      return (library) => {
        const row = rows.get(library);
        if (row === undefined) return { kind: "bad", fault: "library_gone" };
        return isAdmin(row) ? { kind: "administers" } : { kind: "bad", fault: "role_lost" };
      };
    }
    case "forbidden":
      return () => ({ kind: "bad", fault: "not_in_access" });
    case "throttled":
      return () => ({ kind: "nothing", retryAfterMs: answer.retryAfterMs });
    default:
      return nothing;
  }
}

/**
 * By a colleague's token, once the owner's own has ended: does iManage know him still? Of those alone who have lent a library
 * of this server themselves: who only signed in to look lent nothing to the service.
 */
async function lookAtAccount(
  ports: StandingPorts,
  server: Server,
  grant: Grant,
  due: readonly LibraryBinding[],
): Promise<Look> {
  const wanted = new Set(due.map(({ library }) => library));
  const lenders = new Set((await ports.lent.listLibraries(server.id)).map((binding) => binding.grant));
  const admins = await ports.memory.listAdmins(server.id);
  for (const { library, grant: id } of admins) {
    if (!wanted.has(library) || id === grant.id || !lenders.has(id)) continue;
    const colleague = await ports.grants.findGrant(id);
    if (colleague?.state !== "active") continue;
    const token = await ports.ownTokens.open(id).catch(orNothing);
    const answer = token && (await ports.libraries.findUser(server, grant.owner, library, token));
    if (answer?.kind === "ok") return () => ({ kind: "account", account: answer.value });
  }
  return nothing;
}

/** What stands between us and a token of the owner is told by his grant; here nothing is learned. */
function orNothing(error: unknown): undefined {
  if (!(error instanceof Problem) || error.code === "store_unavailable") throw error;
  return undefined;
}
