import { z } from "zod";
import { allowed } from "../broker/grants/manage-grants.ts";
import { organisationOf } from "../domain/id.ts";
import { rfc3339 } from "../domain/instant.ts";
import { route } from "./route.ts";
import { instant, serverId } from "./schemas.ts";

export const getLibraries = route({
  method: "get",
  path: "/v1/libraries",
  operationId: "listLibraries",
  summary: "Libraries whose admins have lent an authorisation",
  query: z.strictObject({ server: serverId }),
  answer: {
    status: 200,
    description: "The libraries of one server that have been authorised, with who lent the authorisation.",
    schema: z.object({
      items: z.array(
        z
          .object({
            library: z.string(),
            server: z.string(),
            state: z.enum(["authorized", "needs_owner"]),
            grant: z.string(),
            lent_by: z.object({ customer_id: z.string(), user_id: z.string(), name: z.string().nullable() }),
            since: instant,
          })
          .meta({ id: "Library" }),
      ),
      page: z.string().meta({ description: "Where a library admin authorises and withdraws." }),
    }),
  },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, client, query }) {
    await allowed(deps.grants, client, organisationOf(query.server), "status", query.server);
    const lent = await deps.libraries.listLibraries(query.server);
    const items = await Promise.all(
      lent.map(async ({ library, server, grant, lentBy, since }) => {
        const state = (await deps.grants.grants.findGrant(grant))?.state;
        return {
          library,
          server,
          state: state === "active" || state === "suspect" ? "authorized" : "needs_owner",
          grant,
          lent_by: { customer_id: lentBy.customerId, user_id: lentBy.userId, name: lentBy.name ?? null },
          since: rfc3339(since),
        };
      }),
    );
    return { items, page: `${deps.settings.publicBaseUrl}/servers/${query.server}/libraries` };
  },
});
