import { z } from "zod";
import { allow } from "../broker/clients/policies.ts";
import type { Caller } from "../broker/clients/ports.ts";
import { type LibraryView, viewLibraries } from "../broker/libraries/library-view.ts";
import { organisationOf, type ServerId } from "../domain/id.ts";
import { rfc3339, rfc3339OrNull } from "../domain/instant.ts";
import { LIBRARY_TROUBLES } from "../domain/library-trouble.ts";
import { evaluatePolicy } from "../domain/policy.ts";
import { Problem } from "../domain/problem.ts";
import type { Cursors, HttpDeps } from "./deps.ts";
import { route } from "./route.ts";
import { instant, line, pageOf, pageQuery, serverId } from "./schemas.ts";

const troubleCodes = Object.keys(LIBRARY_TROUBLES) as [keyof typeof LIBRARY_TROUBLES];

const library = z
  .object({
    server: z.string(),
    library: z.string(),
    display_name: z.string().nullable(),
    hidden: z.boolean(),
    kind: z.enum(["ordinary", "security_policy", "other"]),
    state: z.enum(["unauthorized", "authorized", "needs_attention"]),
    trouble: z
      .object({
        code: z.enum(troubleCodes).meta({ description: "Stable; new ones may be added." }),
        since: instant.nullable(),
        who: z
          .enum(["library_admin", "imanage_admin", "organisation_admin", "operator"])
          .meta({ description: "Who can mend it." }),
        sentence: z.string().meta({ description: "What is wrong, in English." }),
        action: z.string().meta({ description: "What the one who can mend it does." }),
        tokens_refused: z.boolean(),
      })
      .nullable()
      .meta({ description: "What is wrong; null: nothing that is known." }),
    grant: z.string().nullable(),
    lent_by: z
      .object({ customer_id: z.string(), user_id: z.string(), name: z.string().nullable() })
      .nullable(),
    since: instant.nullable(),
    last_refreshed_at: instant.nullable(),
    last_sync_at: instant.nullable(),
    last_error: z.object({ of: z.enum(["refresh", "sync"]), code: z.string(), at: instant }).nullable(),
    must_be_renewed_by: instant.nullable(),
    last_checked_at: instant.nullable().meta({
      description: "When iManage last said whether the owner still administers the library.",
    }),
    live_admins: z.int().nullable().meta({
      description:
        "People seen here to administer it whose authorisation lives; null: nobody has looked. iManage may have more.",
    }),
    used_by: z.array(
      z.object({
        client: z.string(),
        display_name: z.string(),
        last_token_at: instant.nullable(),
        sync: z
          .object({
            id: z.string(),
            state: z.enum(["active", "paused", "parked"]),
            last_complete_at: instant.nullable(),
          })
          .nullable(),
      }),
    ),
  })
  .meta({ id: "Library" });

function libraryBody(of: LibraryView): z.input<typeof library> {
  const { trouble, lentBy, lastError } = of;
  return {
    server: of.server,
    library: of.library,
    display_name: of.displayName ?? null,
    hidden: of.hidden,
    kind: of.kind,
    state: of.state,
    trouble:
      trouble === undefined
        ? null
        : {
            code: trouble.code,
            since: rfc3339OrNull(trouble.since),
            who: trouble.who,
            sentence: trouble.sentence,
            action: trouble.action,
            tokens_refused: trouble.stops,
          },
    grant: of.grant ?? null,
    lent_by: lentBy
      ? { customer_id: lentBy.customerId, user_id: lentBy.userId, name: lentBy.name ?? null }
      : null,
    since: rfc3339OrNull(of.since),
    last_refreshed_at: rfc3339OrNull(of.lastRefreshedAt),
    last_sync_at: rfc3339OrNull(of.lastSyncAt),
    last_error: lastError ? { ...lastError, at: rfc3339(lastError.at) } : null,
    must_be_renewed_by: rfc3339OrNull(of.renewBy),
    last_checked_at: rfc3339OrNull(of.checkedAt),
    live_admins: of.liveAdmins ?? null,
    used_by: of.usedBy.map(({ client, displayName, lastTokenAt, sync }) => ({
      client,
      display_name: displayName,
      last_token_at: rfc3339OrNull(lastTokenAt),
      sync: sync
        ? { id: sync.id, state: sync.state, last_complete_at: rfc3339OrNull(sync.lastCompleteAt) }
        : null,
    })),
  };
}

const problems = ["not_found", "not_allowed"] as const;

export const getLibraries = route({
  method: "get",
  path: "/v1/libraries",
  operationId: "listLibraries",
  summary: "A server's libraries: who lent an authorisation, and what is wrong with it",
  description:
    "All that a page of your own needs. Libraries that somebody has lent, and those that iManage has listed to an admin who looked here; by id.",
  query: z.strictObject({ server: serverId, ...pageQuery }),
  answer: {
    status: 200,
    description: "A page of libraries, with counts over all pages.",
    schema: pageOf(library).extend({
      counts: z.object({
        libraries: z.int(),
        unauthorized: z.int(),
        authorized: z.int(),
        needs_attention: z.int(),
      }),
      page: z.string().meta({ description: "Where a library admin authorises and withdraws." }),
    }),
  },
  problems,
  async handle({ deps, caller, query }) {
    const all = (await listVisible(deps, caller, query.server)).toSorted(byId);
    if ((await deps.configuration.store.findServer(query.server)) === undefined)
      throw new Problem("not_found");
    const after = query.cursor === undefined ? undefined : readPosition(deps.cursors, query.cursor);
    const rest = after === undefined ? all : all.filter((one) => one.library > after);
    const shown = rest.slice(0, query.limit);
    const count = (state: LibraryView["state"]) => all.filter((one) => one.state === state).length;
    return {
      items: shown.map(libraryBody),
      next: rest.length > shown.length ? deps.cursors.seal(`libraries ${shown.at(-1)?.library ?? ""}`) : null,
      counts: {
        libraries: all.length,
        unauthorized: count("unauthorized"),
        authorized: count("authorized"),
        needs_attention: count("needs_attention"),
      },
      page: `${deps.authorization.publicBaseUrl}/servers/${query.server}/libraries`,
    };
  },
});

/** A server's libraries, those that the caller's policy names. */
async function listVisible(
  deps: HttpDeps,
  caller: Caller,
  server: ServerId,
): Promise<readonly LibraryView[]> {
  const asked = { action: "status", server } as const;
  const policy = await allow(deps.grants, caller, organisationOf(server), asked);
  const now = deps.grants.clock.now();
  const { address } = caller;
  return (await viewLibraries(deps.libraries, server, undefined)).filter(
    ({ library: id }) =>
      evaluatePolicy(policy, { ...asked, subject: { type: "library", id }, address }, now).allowed,
  );
}

const byId = (a: LibraryView, b: LibraryView): number => (a.library < b.library ? -1 : 1);

const LIST = "libraries ";

function readPosition(cursors: Cursors, cursor: string): string {
  const position = cursors.open(cursor);
  if (position?.startsWith(LIST)) return position.slice(LIST.length);
  throw new Problem("invalid_request", {
    faults: [{ field: "cursor", message: "is none that this list gave" }],
  });
}

const params = z.strictObject({
  server: serverId,
  library: line(128).meta({ description: "iManage's library id, for example ACTIVE." }),
});

export const getLibrary = route({
  method: "get",
  path: "/v1/libraries/{server}/{library}",
  operationId: "getLibrary",
  summary: "One library",
  params,
  answer: { status: 200, description: "The library.", schema: library },
  problems,
  async handle({ deps, caller, params: { server, library: id } }) {
    const subject = { type: "library", id } as const;
    await allow(deps.grants, caller, organisationOf(server), { action: "status", server, subject });
    return libraryBody(await find(deps, server, id));
  },
});

export const deleteLibrary = route({
  method: "delete",
  path: "/v1/libraries/{server}/{library}",
  operationId: "withdrawLibrary",
  summary: "Take a library's authorisation back",
  description:
    "Once this has answered, no replica hands out a token for it. Other libraries are not touched; the last use of an authorisation ends it, here and at iManage.",
  params,
  answer: { status: 204, description: "Withdrawn." },
  problems,
  async handle({ deps, caller, params: { server, library: id }, note }) {
    const organisation = organisationOf(server);
    const subject = { type: "library", id } as const;
    await allow(deps.grants, caller, organisation, { action: "revoke", server, subject });
    const withdrawn = await deps.libraries.lent.withdrawLibrary(server, id, note);
    if (withdrawn === "not_lent") throw new Problem("not_found");
    deps.grants.revoker.revokeSoon(organisation);
  },
});

async function find(deps: Pick<HttpDeps, "libraries">, server: ServerId, id: string): Promise<LibraryView> {
  const found = (await viewLibraries(deps.libraries, server, undefined)).find(
    ({ library: its }) => its === id,
  );
  if (found === undefined) throw new Problem("not_found");
  return found;
}
