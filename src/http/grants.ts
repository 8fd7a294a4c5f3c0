import { z } from "zod";
import {
  deleteGrant,
  type GrantView,
  getGrant,
  listGrants,
  readTimeline,
} from "../broker/grants/manage-grants.ts";
import type { GrantPosition } from "../broker/grants/ports.ts";
import type { GrantStory } from "../domain/grant-timeline.ts";
import { BREAK_CAUSES, TIMELINE_KINDS } from "../domain/grant-timeline-texts.en.ts";
import type { GrantId } from "../domain/id.ts";
import { rfc3339, rfc3339OrNull } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { Cursors } from "./deps.ts";
import { route } from "./route.ts";
import { grantId, instant, organisationId, pageOf, pageQuery } from "./schemas.ts";

const grant = z
  .object({
    id: z.string(),
    server: z.string(),
    registration: z.string(),
    state: z.enum(["active", "suspect", "reauthorization_required", "paused", "revoked"]),
    owner: z.object({
      customer_id: z.string(),
      user_id: z.string(),
      name: z.string().nullable(),
      email: z.string().nullable(),
    }),
    session_only: z
      .boolean()
      .meta({ description: "No refresh token: it lives while its access token does." }),
    consents: z.int(),
    created_at: instant,
    consented_at: instant,
    last_refreshed_at: instant.nullable(),
    last_used_at: instant.nullable(),
    access_token_expires_at: instant.nullable(),
    must_be_renewed_by: instant.nullable(),
    last_problem: z.object({ code: z.string(), at: instant }).nullable(),
    used_by: z.array(
      z.object({
        type: z.enum(["user", "library"]),
        client: z.string().nullable(),
        subject: z.string().nullable().meta({ description: "Null: another client's user." }),
        library: z.string().nullable(),
        since: instant,
      }),
    ),
  })
  .meta({ id: "Grant" });

function grantBody({ grant: of, bindings }: GrantView) {
  return {
    id: of.id,
    server: of.server,
    registration: of.registration,
    state: of.state,
    owner: {
      customer_id: of.owner.customerId,
      user_id: of.owner.userId,
      name: of.owner.name ?? null,
      email: of.owner.email ?? null,
    },
    session_only: !of.refreshable,
    consents: of.consentGeneration,
    created_at: rfc3339(of.createdAt),
    consented_at: rfc3339(of.consentedAt),
    last_refreshed_at: rfc3339OrNull(of.lastRefreshedAt),
    last_used_at: rfc3339OrNull(of.lastUsedAt),
    access_token_expires_at: rfc3339OrNull(of.accessTokenExpiresAt),
    must_be_renewed_by: rfc3339OrNull(of.refreshTokenExpiresAt ?? of.accessTokenExpiresAt),
    last_problem:
      of.lastProblem === undefined ? null : { code: of.lastProblem.code, at: rfc3339(of.lastProblem.at) },
    used_by: bindings.map((binding) => ({
      type: binding.type,
      client: binding.type === "user" ? binding.client : null,
      subject: binding.type === "user" && binding.subject.id !== "" ? binding.subject.id : null,
      library: binding.type === "library" ? binding.library : null,
      since: rfc3339(binding.since),
    })),
  };
}

export const getGrants = route({
  method: "get",
  path: "/v1/grants",
  operationId: "listGrants",
  summary: "An organisation's grants: owner, age, state, who uses them",
  query: z.strictObject({ organisation: organisationId, ...pageQuery }),
  answer: { status: 200, description: "A page of grants, oldest first.", schema: pageOf(grant) },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, query }) {
    const after = query.cursor === undefined ? undefined : readPosition(deps.cursors, query.cursor);
    const page = await listGrants(deps.grants, caller, query.organisation, after, query.limit);
    return {
      items: page.items.map(grantBody),
      next:
        page.next === undefined ? null : deps.cursors.seal(`grants ${page.next.createdAt} ${page.next.id}`),
    };
  },
});

function readPosition(cursors: Cursors, cursor: string): GrantPosition {
  const [list, createdAt, id] = cursors.open(cursor)?.split(" ") ?? [];
  if (list !== "grants" || id === undefined) {
    throw new Problem("invalid_request", {
      faults: [{ field: "cursor", message: "is none that this list gave" }],
    });
  }
  return { createdAt: Number(createdAt), id: id as GrantId };
}

export const getGrantById = route({
  method: "get",
  path: "/v1/grants/{id}",
  operationId: "getGrant",
  summary: "One grant",
  params: z.strictObject({ id: grantId }),
  answer: { status: 200, description: "The grant.", schema: grant },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, params }) {
    return grantBody(await getGrant(deps.grants, caller, params.id));
  },
});

const broke = z
  .object({
    cause: z.enum(BREAK_CAUSES),
    sentence: z.string(),
    remedy: z.enum(["client", "resource-owner", "operator", "time"]).meta({ description: "Who must act." }),
    action: z.string().meta({ description: "What he does." }),
  })
  .meta({ id: "GrantBreak", description: "Why it does not work or will not, who must act, and how." });

export const getGrantTimeline = route({
  method: "get",
  path: "/v1/grants/{id}/timeline",
  operationId: "getGrantTimeline",
  summary: "What happened to a grant: why did it break",
  description:
    "Also of a grant that is gone, for as long as the audit is kept. Access tokens that were handed out are in the audit.",
  params: z.strictObject({ id: grantId }),
  answer: {
    status: 200,
    description: "About the newest two hundred entries, oldest first.",
    schema: z.object({
      grant: z.string(),
      state: z.enum(["active", "suspect", "reauthorization_required", "paused", "revoked", "gone"]),
      sentence: z.string().meta({ description: "How it stands now." }),
      broke: broke.nullable().meta({ description: "The last break that nothing has mended since." }),
      record: z
        .object({
          begins_at: instant,
          complete: z.boolean().meta({ description: "From the first sign-in on." }),
          sentence: z.string(),
        })
        .nullable(),
      items: z.array(
        z
          .object({
            at: instant,
            kind: z.string().meta({ description: TIMELINE_KINDS.map((kind) => `\`${kind}\``).join(", ") }),
            detail: z.string(),
            what: z.string().meta({ description: "What happened, in a sentence." }),
            actor: z.string().nullable().meta({
              description:
                "Who did it: `client:<id>`, `person:<client>/<id>` where it is you; of others `client`, `person`, `user`, `operator`, `cli`, `worker`. Null: iManage, or time.",
            }),
            request_id: z.string().nullable(),
            broke: broke.nullable(),
          })
          .meta({ id: "TimelineEntry" }),
      ),
    }),
  },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, params }) {
    return timelineBody(params.id, await readTimeline(deps.grants, caller, params.id));
  },
});

const timelineBody = (id: GrantId, { lines, standing, begins }: GrantStory) => ({
  grant: id,
  state: standing.state,
  sentence: standing.sentence,
  broke: standing.broke ?? null,
  record:
    begins === undefined
      ? null
      : { begins_at: rfc3339(begins.at), complete: begins.complete, sentence: begins.sentence },
  items: lines.map(({ at, kind, detail, what, actor, request, broke: of }) => ({
    at: rfc3339(at),
    kind,
    detail,
    what,
    actor: actor ?? null,
    request_id: request || null,
    broke: of ?? null,
  })),
});

export const deleteGrantById = route({
  method: "delete",
  path: "/v1/grants/{id}",
  operationId: "deleteGrant",
  summary: "End a grant, here at once and at iManage",
  description:
    "Once this has answered, no replica hands out its token. iManage is told at once, and again until it answers.",
  params: z.strictObject({ id: grantId }),
  answer: { status: 204, description: "Ended." },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, params, note }) {
    await deleteGrant(deps.grants, caller, params.id, note);
  },
});
