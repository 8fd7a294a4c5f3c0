import type { GrantsSeen } from "../../domain/diagnosis-seen.ts";
import type { Grant } from "../../domain/grant.ts";
import type { Server } from "../../domain/server.ts";
import type { GrantPosition, GrantStore } from "../grants/ports.ts";

const PAGE = 500;
/** The oldest of them end first; a firm with more is told about these. */
const PAGES_MAX = 20;

/** What the authorizations that are held for a server say of it. Names nobody. */
export async function seenGrants(
  grants: Pick<GrantStore, "listGrants">,
  server: Pick<Server, "id" | "organisation">,
): Promise<GrantsSeen> {
  let seen: GrantsSeen = { count: 0, active: 0, newest: undefined, renewBy: undefined };
  let after: GrantPosition | undefined;
  for (let page = 0; page < PAGES_MAX; page++) {
    const found = await grants.listGrants(server.organisation, after, PAGE);
    for (const grant of found) if (grant.server === server.id) seen = withGrant(seen, grant);
    const last = found.at(-1);
    if (last === undefined || found.length < PAGE) break;
    after = { createdAt: last.createdAt, id: last.id };
  }
  return seen;
}

function withGrant(seen: GrantsSeen, grant: Grant): GrantsSeen {
  const active = grant.state === "active" || grant.state === "suspect";
  const ends = active ? grant.refreshTokenExpiresAt : undefined;
  return {
    count: seen.count + 1,
    active: seen.active + (active ? 1 : 0),
    newest:
      seen.newest !== undefined && seen.newest.consentedAt >= grant.consentedAt
        ? seen.newest
        : {
            consentedAt: grant.consentedAt,
            refreshable: grant.refreshable,
            customerId: grant.owner.customerId,
          },
    renewBy: ends === undefined ? seen.renewBy : Math.min(seen.renewBy ?? ends, ends),
  };
}
