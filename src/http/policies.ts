import { z } from "zod";
import {
  deletePolicy,
  findPolicy,
  listPolicies,
  type PolicyPlace,
  type PolicyView,
  policyWords,
  putPolicy,
} from "../broker/clients/manage-policies.ts";
import { viewerOf } from "../broker/clients/viewer.ts";
import { policyFields } from "../broker/organisations/desired-policies.ts";
import { parseId } from "../domain/id.ts";
import { Problem } from "../domain/problem.ts";
import type { Cursors } from "./deps.ts";
import { dryRun } from "./organisations.ts";
import { route } from "./route.ts";
import { clientId, instant, organisationId, pageOf, pageQuery } from "./schemas.ts";

/** In the words of a configuration file, which are the same ones. */
const words = z.strictObject(policyFields);

const policyAnswer = z
  .object({
    client: z.string(),
    organisation: z.string(),
    tokens_per_minute: z.int(),
    grants_per_hour: z.int().optional(),
    rules: z.array(
      z.object({
        servers: z
          .array(z.string())
          .optional()
          .meta({ description: "By their names in configuration files; every server where it is missing." }),
        users: z.union([
          z.literal("all"),
          z.array(z.union([z.string(), z.object({ issuer: z.string(), id: z.string() })])),
        ]),
        libraries: z.union([z.literal("all"), z.array(z.string())]),
        actions: z.array(z.string()),
        networks: z.array(z.string()).optional(),
        hours: z
          .object({ time_zone: z.string(), weekdays: z.array(z.string()), from: z.string(), to: z.string() })
          .optional(),
        purposes: z.array(z.string()).optional(),
        min_ttl_max_seconds: z.number().optional(),
        told_life_max_seconds: z.number().optional(),
        valid_until: instant.optional(),
      }),
    ),
  })
  .meta({ id: "Policy" });

const policyBody = (view: PolicyView) => ({
  client: view.client.id,
  organisation: view.organisation.id,
  ...policyWords(view),
});

const params = z.strictObject({ organisation: organisationId, client: clientId });

export const getPolicies = route({
  method: "get",
  path: "/v1/policies",
  operationId: "listPolicies",
  summary: "What clients may do: all policies to an operator's, to any other its own",
  query: z.strictObject({
    client: clientId.optional(),
    organisation: organisationId.optional(),
    ...pageQuery,
  }),
  answer: { status: 200, description: "A page of policies, by client.", schema: pageOf(policyAnswer) },
  problems: ["not_found"],
  async handle({ deps, query: { client, organisation, cursor, limit }, record }) {
    const after = cursor === undefined ? undefined : readPosition(deps.cursors, cursor);
    const of = { ...(client && { client }), ...(organisation && { organisation }) };
    const page = await listPolicies(deps.configuration, viewerOf(await record()), of, after, limit);
    const { next } = page;
    return {
      items: page.items.map(policyBody),
      next: next === undefined ? null : deps.cursors.seal(`policies ${next.client} ${next.organisation}`),
    };
  },
});

function readPosition(cursors: Cursors, cursor: string): PolicyPlace {
  const [list, one, other] = cursors.open(cursor)?.split(" ") ?? [];
  const client = list === "policies" ? parseId("cli", one ?? "") : undefined;
  const organisation = parseId("org", other ?? "");
  if (client !== undefined && organisation !== undefined) return { client, organisation };
  throw new Problem("invalid_request", {
    faults: [{ field: "cursor", message: "is none that this list gave" }],
  });
}

export const getPolicy = route({
  method: "get",
  path: "/v1/policies/{organisation}/{client}",
  operationId: "getPolicy",
  summary: "What one client may do in one organisation",
  params,
  answer: { status: 200, description: "The policy.", schema: policyAnswer },
  problems: ["not_found"],
  async handle({ deps, params: place, record }) {
    return policyBody(await findPolicy(deps.configuration, viewerOf(await record()), place));
  },
});

const changeProblems = ["not_found", "not_allowed", "configuration_conflict"] as const;

export const putPolicyRoute = route({
  method: "put",
  path: "/v1/policies/{organisation}/{client}",
  operationId: "putPolicy",
  summary: "Say what a client may do in an organisation",
  description:
    "For operators' clients. The whole policy, in the words of a configuration file: what is not told is the default. It holds on every replica with the next request.",
  params,
  query: z.strictObject({ dry_run: dryRun }),
  body: words,
  answer: {
    status: 200,
    description: "What changed, or would change.",
    schema: z.object({
      applied: z.boolean(),
      changes: z.array(z.object({ field: z.string(), from: z.string().nullable(), to: z.string() })),
    }),
  },
  problems: changeProblems,
  async handle({ deps, params: place, query, body, note, record }) {
    const options = { dryRun: query.dry_run === "true", note };
    const viewer = viewerOf(await record());
    const { changes } = await putPolicy(deps.configuration, viewer, place, body, options);
    return {
      applied: !options.dryRun,
      changes: changes.map(({ field, from, to }) => ({ field, from: from ?? null, to })),
    };
  },
});

export const deletePolicyRoute = route({
  method: "delete",
  path: "/v1/policies/{organisation}/{client}",
  operationId: "deletePolicy",
  summary: "Take a policy away",
  description:
    "For operators' clients. The organisation does not exist for that client any more; what people authorised stays.",
  params,
  answer: { status: 204, description: "Taken away." },
  problems: changeProblems,
  async handle({ deps, params: place, note, record }) {
    const viewer = viewerOf(await record());
    await deletePolicy(deps.configuration, viewer, place, { dryRun: false, note });
  },
});
