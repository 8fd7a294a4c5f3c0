import { z } from "zod";
import { allow, isKnownTo } from "../broker/clients/policies.ts";
import { type ChangeOutcome, changeOrganisation } from "../broker/organisations/change-organisation.ts";
import type { OrganisationId } from "../domain/id.ts";
import { rfc3339 } from "../domain/instant.ts";
import { MEMBERS_LISTED_MAX, type Members } from "../domain/members.ts";
import type { Organisation } from "../domain/organisation.ts";
import { Problem } from "../domain/problem.ts";
import type { HttpDeps } from "./deps.ts";
import { route } from "./route.ts";
import { instant, line, organisationId } from "./schemas.ts";

export const members = z.union([
  z.literal("all"),
  z.strictObject({
    subjects: z.array(line(256)).max(MEMBERS_LISTED_MAX).default([]).meta({
      description: "Ids of persons, as the applications name them.",
    }),
    claims: z
      .record(line(64), z.array(line(256)))
      .default({})
      .meta({
        description: 'What an application says of its person, for example {"groups": ["imanage-users"]}.',
      }),
  }),
]);

const organisationAnswer = z
  .object({
    id: z.string(),
    name: z.string(),
    display_name: z.string(),
    enabled: z.boolean(),
    members,
    created_at: instant,
  })
  .meta({ id: "Organisation" });

export const dryRun = z
  .enum(["true", "false"])
  .default("false")
  .meta({ description: "`true`: tells what would change, and changes nothing." });

/** What a change did or would do; the same for organisations and servers. */
export const changeAnswer = z.object({
  applied: z.boolean(),
  changes: z.array(
    z.object({
      record: z.enum(["organisation", "server", "registration"]),
      name: z.string(),
      act: z.enum(["create", "change"]),
      field: z.string(),
      from: z.string().nullable(),
      to: z.string(),
    }),
  ),
  refusals: z.array(z.string()).meta({ description: "Told by a dry run; otherwise the problem names them." }),
  warnings: z.array(z.string()),
});

export function changeBody({ applied, changes, refusals, warnings }: ChangeOutcome) {
  return {
    applied,
    changes: changes.map((one) => ({ ...one, from: one.from ?? null })),
    refusals: [...refusals],
    warnings: [...warnings],
  };
}

/** A change that was refused is a problem, unless it was only a question. */
export function refuseUnapplied(outcome: ChangeOutcome, onlyAsked: boolean): void {
  if (onlyAsked || outcome.refusals.length === 0) return;
  throw new Problem("configuration_refused", { members: { refusals: outcome.refusals } });
}

const organisationBody = ({ id, name, displayName, enabled, members: who, createdAt }: Organisation) => ({
  id,
  name,
  display_name: displayName,
  enabled,
  members: who.everyone ? ("all" as const) : { subjects: [...who.subjects], claims: claimsBody(who) },
  created_at: rfc3339(createdAt),
});

const claimsBody = ({ claims }: Extract<Members, { everyone: false }>): Record<string, string[]> =>
  Object.fromEntries(
    [...Map.groupBy(claims, ({ name }) => name)].map(([name, those]) => [
      name,
      those.map(({ value }) => value),
    ]),
  );

async function find(deps: HttpDeps, id: OrganisationId): Promise<Organisation> {
  const organisation = await deps.configuration.store.findOrganisation(id);
  if (organisation === undefined) throw new Problem("not_found");
  return organisation;
}

const params = z.strictObject({ id: organisationId });

export const getOrganisations = route({
  method: "get",
  path: "/v1/organisations",
  operationId: "listOrganisations",
  summary: "Organisations that a policy names for you",
  answer: {
    status: 200,
    description: "All of them.",
    schema: z.object({ items: z.array(organisationAnswer) }),
  },
  problems: [],
  async handle({ deps, client, caller }) {
    const named = await deps.grants.clients.organisationsOf(client);
    const found = await Promise.all(
      named.map(async (id) =>
        (await isKnownTo(deps.grants, caller, id))
          ? deps.configuration.store.findOrganisation(id)
          : undefined,
      ),
    );
    return { items: found.filter((one) => one !== undefined).map(organisationBody) };
  },
});

export const getOrganisation = route({
  method: "get",
  path: "/v1/organisations/{id}",
  operationId: "getOrganisation",
  summary: "One organisation",
  params,
  answer: { status: 200, description: "The organisation.", schema: organisationAnswer },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, params: { id } }) {
    await allow(deps.grants, caller, id, { action: "configure" });
    return organisationBody(await find(deps, id));
  },
});

export const putOrganisation = route({
  method: "put",
  path: "/v1/organisations/{id}",
  operationId: "changeOrganisation",
  summary: "Enable iManage for an organisation, for all its members or for some",
  description:
    "Switched off, tokens stop at once and every authorisation stays. Whoever is no member any more is refused at once, and keeps his.",
  params,
  query: z.strictObject({ dry_run: dryRun }),
  body: z.strictObject({ display_name: line(100), enabled: z.boolean(), members: members.default("all") }),
  answer: {
    status: 200,
    description: "What changed, and how it is now.",
    schema: changeAnswer.extend({ organisation: organisationAnswer }),
  },
  problems: ["not_found", "not_allowed", "configuration_refused", "configuration_conflict"],
  async handle({ deps, client, caller, params: { id }, query, body, note }) {
    await allow(deps.grants, caller, id, { action: "configure" });
    const onlyAsked = query.dry_run === "true";
    const outcome = await changeOrganisation(deps.configuration, id, body, { dryRun: onlyAsked, note });
    refuseUnapplied(outcome, onlyAsked);
    if (outcome.applied) {
      deps.log.info(
        { organisation: id, client, requestId: note.requestId, outcome: "changed" },
        "organisation",
      );
    }
    return { ...changeBody(outcome), organisation: organisationBody(await find(deps, id)) };
  },
});
