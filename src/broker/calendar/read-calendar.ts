import { sameUpstreamUser, type UpstreamUser } from "../../domain/grant.ts";
import type { GrantId } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import { decideRenewals, type Renewal } from "../../domain/renewal.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import type { CalendarPorts, CalendarVersion } from "./ports.ts";

/** What is true now for whoever subscribed. */
export interface RenewalCalendar {
  readonly server: Server;
  readonly owner: UpstreamUser | undefined;
  readonly renewals: readonly Renewal[];
  readonly version: CalendarVersion;
}

/**
 * The calendar behind a link; undefined where there is none, for whatever reason: malformed, invented, revoked, or the
 * organisation or server is switched off or gone. A handle is found by its SHA-256 digest, so what the store compares, and
 * how long that takes, tells nothing of a handle (CWE-208). Only once it is found is anything else looked at.
 */
export async function readCalendar(
  ports: CalendarPorts,
  handle: Secret,
): Promise<RenewalCalendar | undefined> {
  const { calendars, handles } = ports;
  const route = handles.findRoute(handle);
  if (route === undefined) return undefined;
  const digest = handles.digest(handle);
  const found = await calendars.fetchCalendar(route, digest);
  if (found.kind === "unknown") return undefined;
  const server = await ports.servers.findServer(found.owner.server);
  const organisation = server && (await ports.organisations.findOrganisation(server.organisation));
  if (server === undefined || organisation?.enabled !== true) return undefined;
  if (found.kind === "too_often") throw new Problem("rate_limited", { retryAfterMs: found.retryAfterMs });

  const user: UpstreamUser = { ...found.owner, name: undefined, email: undefined };
  const lent = (await ports.lent.listLibraries(server.id)).filter(({ lentBy }) =>
    sameUpstreamUser(lentBy, user),
  );
  const ids = [...new Set(lent.map(({ grant }) => grant))];
  const grants = new Map(
    (await Promise.all(ids.map((id) => ports.grants.findGrant(id))))
      .filter((grant) => grant !== undefined)
      .map((grant) => [grant.id as GrantId, grant]),
  );
  const told = {
    server,
    owner: lent.toSorted((a, b) => b.since - a.since)[0]?.lentBy,
    renewals: decideRenewals(lent, grants, ports.clock.now()),
  };
  // Keyed by the handle: whoever reads the store cannot try out which names fit.
  const content = handles.derive(
    handle,
    JSON.stringify([server.displayName, told.owner?.name, told.renewals]),
  );
  const version =
    found.told?.content === content ? found.told : await calendars.noteContent(route, digest, content);
  return version && { ...told, version };
}
