import { z } from "zod";
import { answerOnce } from "../broker/idempotency/answer-once.ts";
import { organisationOf } from "../domain/id.ts";
import { rfc3339, rfc3339OrNull } from "../domain/instant.ts";
import type { ProblemCode } from "../domain/problem-catalogue.ts";
import { syncWait } from "../domain/sync-wait.ts";
import { DEFAULT_WISH, SYNC_WANTS, WORKSPACES_MAX } from "../domain/sync-wish.ts";
import type { Sync } from "../sync/ports.ts";
import { SYNC_FIELDS } from "../sync/sync-fields.ts";
import type { SyncView } from "../sync/sync-view.ts";
import type { HttpDeps } from "./deps.ts";
import { route } from "./route.ts";
import { instant, line, organisationId, serverId, syncId } from "./schemas.ts";

const sync = z
  .object({
    id: z.string(),
    server: z.string(),
    library: z.string(),
    wants: z.array(z.string()),
    workspaces: z.array(z.string()).nullable().meta({ description: "null: all of the library." }),
    existing: z.enum(["skip", "tell"]),
    state: z.enum(["active", "parked", "paused"]).meta({
      description:
        "`parked`: waits for a person (`waits_for`), and goes on by itself. `paused`: you said so. `active` with `waits_for`: what passes, iManage's rate limit for one.",
    }),
    phase: z.enum(["baseline", "following", "window", "reconciling"]).meta({
      description:
        "`baseline`: sees for the first time what is there. `following`: reads iManage's change feed. `window`: reads by edit date, where there is no feed. `reconciling`: compares everything.",
    }),
    waits_for: z
      .object({
        code: z.string(),
        title: z.string(),
        remedy: z.string(),
        action: z.string(),
        link: z.string().nullable().meta({
          description: "Where a library admin must act: the page to send him to.",
        }),
      })
      .nullable()
      .meta({
        description: "Why it does not go on, and who must act; with `remedy` `time` it goes on by itself.",
      }),
    interval: z.number().meta({ description: "Seconds from the start of one pass to the next." }),
    fields: z.array(z.string()).nullable(),
    last_complete_at: instant.nullable(),
    cursor_age: z.number().nullable().meta({
      description: "Seconds since iManage was last asked to the end what has changed; null: not yet.",
    }),
    lag: z
      .number()
      .nullable()
      .meta({ description: "Seconds that what you are told may be behind; null: not known yet." }),
    scan: z
      .object({ started_at: instant, documents: z.int(), of: z.int().nullable() })
      .nullable()
      .meta({ description: "A comparison of everything that is under way, and how far it is." }),
    held_deletions: z.int().meta({
      description: "Deletions that are not told before an operator has decided: far more than usual.",
    }),
    space: z
      .object({
        bytes: z.int(),
        organisation_bytes: z.int(),
        quota_bytes: z.int().nullable(),
      })
      .meta({ description: "What it keeps, and all syncs of its organisation together, as last measured." }),
    next_run_at: instant.nullable(),
    last_error: z.object({ code: z.string(), at: instant }).nullable(),
    counts: z.object({
      passes: z.int(),
      documents: z.int(),
      changes: z.int(),
      objects: z.int(),
      unreadable: z.int(),
      failures: z.int(),
    }),
    created_at: instant,
  })
  .meta({ id: "Sync" });

const inSeconds = (ms: number | undefined): number | null => (ms === undefined ? null : ms / 1_000);

function viewBody({ settings }: Pick<HttpDeps, "settings">, view: SyncView): z.input<typeof sync> {
  const { sync: of, waitsFor, space } = view;
  const { scan } = of.cursor;
  return {
    id: of.id,
    server: of.server,
    library: of.library,
    wants: [...of.wish.wants],
    workspaces: of.wish.workspaces === undefined ? null : [...of.wish.workspaces],
    existing: of.wish.existing,
    state: of.state,
    phase: view.phase,
    waits_for: waitsFor === undefined ? null : waitsForBody(settings.publicBaseUrl, of, waitsFor),
    interval: of.intervalMs / 1_000,
    fields: of.fields === undefined ? null : [...of.fields],
    last_complete_at: rfc3339OrNull(of.lastCompleteAt),
    cursor_age: inSeconds(view.cursorAgeMs),
    lag: inSeconds(view.lagMs),
    scan:
      scan === undefined
        ? null
        : { started_at: rfc3339(scan.startedAt), documents: scan.rows, of: scan.total ?? null },
    held_deletions: view.heldDeletions,
    space: {
      bytes: space.own,
      organisation_bytes: space.organisation,
      quota_bytes: Number.isFinite(space.quota) ? space.quota : null,
    },
    next_run_at: rfc3339OrNull(of.dueAt),
    last_error: of.lastError === undefined ? null : { code: of.lastError.code, at: rfc3339(of.lastError.at) },
    counts: of.counts,
    created_at: rfc3339(of.createdAt),
  };
}

function waitsForBody(base: string, { server, library }: Sync, code: ProblemCode) {
  const wait = syncWait(code);
  const page = `${base}/servers/${server}/libraries/${encodeURIComponent(library)}/details`;
  return { ...wait, link: wait.remedy === "resource-owner" ? page : null };
}

const syncBody = async (deps: HttpDeps, of: Sync) => viewBody(deps, await deps.syncs.view(of));

const interval = z
  .number()
  .positive()
  .max(86_400)
  .meta({ description: "Seconds between passes; 30 at the least." });
const one = { status: 200, description: "The sync.", schema: sync } as const;
export const syncParams = z.strictObject({ id: syncId });
export const syncProblems = ["not_found", "not_allowed"] as const;

export const postSyncs = route({
  method: "post",
  path: "/v1/syncs",
  operationId: "createSync",
  summary: "Be told what changes in a library",
  description:
    "One sync per client, library and set of workspaces: asked again, the one there is, as it is (compare `wants` and `fields`; to change them, delete it and make another); a thousand at the most. It uses the authorisation that a library admin lent.",
  body: z.strictObject({
    server: serverId,
    library: z.string().min(1).max(100),
    wants: z
      .array(z.enum(SYNC_WANTS))
      .min(1)
      .max(SYNC_WANTS.length)
      .default([...DEFAULT_WISH.wants])
      .meta({
        description:
          "Of what you want to be told: `documents` that are created, changed or deleted; `security`: whose security changed, and no more; `containers`: workspaces and folders; `people`: users and groups.",
      }),
    workspaces: z
      .array(line(120))
      .min(1)
      .max(WORKSPACES_MAX)
      .optional()
      .meta({
        description: "Ids of workspaces of this library: what lies in them alone. Not given: all of it.",
        examples: [["ACTIVE!301"]],
      }),
    existing: z.enum(["skip", "tell"]).default(DEFAULT_WISH.existing).meta({
      description:
        "What is there already: `skip` remembers it without telling (take a snapshot, then read changes), `tell` tells it as changes, for small libraries.",
    }),
    interval: interval
      .optional()
      .meta({ description: "Seconds between passes; 5 minutes if not given, 30 at the least." }),
    fields: z
      .array(z.string().max(40))
      .min(1)
      .max(SYNC_FIELDS.length)
      .optional()
      .meta({
        description: `What a change tells: ${SYNC_FIELDS.join(", ")}. Without a dot, of documents. Of what no field is named of, everything.`,
        examples: [["name", "editedAt", "container.name", "user.name"]],
      }),
  }),
  answer: { status: 201, description: "The sync.", schema: sync },
  problems: [...syncProblems, "configuration_refused", "idempotency_conflict"],
  idempotent: true,
  async handle({ deps, client, caller, body, note, idempotencyKey: key }) {
    const { server, library, wants, workspaces, existing, interval, fields } = body;
    const create = async () => {
      const { sync: created } = await deps.syncs.create({
        caller,
        server,
        library,
        wish: { wants, workspaces, existing },
        ...(interval === undefined ? {} : { intervalMs: Math.round(interval * 1_000) }),
        ...(fields === undefined ? {} : { fields }),
        note,
      });
      return syncBody(deps, created);
    };
    if (key === undefined) return create();
    const at = { organisation: organisationOf(server), client, key };
    return answerOnce(deps.idempotency, at, { createSync: body }, create, (answer) => answer);
  },
});

export const getSyncs = route({
  method: "get",
  path: "/v1/syncs",
  operationId: "listSyncs",
  summary: "Your syncs in one organisation",
  query: z.strictObject({ organisation: organisationId }),
  answer: {
    status: 200,
    description: "All of them, oldest first.",
    schema: z.object({ items: z.array(sync) }),
  },
  problems: syncProblems,
  handle: async ({ deps, caller, query }) => ({
    items: (await deps.syncs.views(await deps.syncs.list(caller, query.organisation))).map((view) =>
      viewBody(deps, view),
    ),
  }),
});

export const getSync = route({
  method: "get",
  path: "/v1/syncs/{id}",
  operationId: "getSync",
  summary: "How a sync stands, and what it waits for",
  params: syncParams,
  answer: one,
  problems: syncProblems,
  handle: async ({ deps, caller, params: { id } }) => syncBody(deps, await deps.syncs.find(caller, id)),
});

export const postSyncRun = route({
  method: "post",
  path: "/v1/syncs/{id}/run",
  operationId: "runSync",
  summary: "Sync now",
  params: syncParams,
  answer: one,
  problems: syncProblems,
  handle: async ({ deps, caller, params: { id } }) => syncBody(deps, await deps.syncs.runNow(caller, id)),
});

export const postSyncPause = route({
  method: "post",
  path: "/v1/syncs/{id}/pause",
  operationId: "pauseSync",
  summary: "Pause a sync",
  params: syncParams,
  answer: one,
  problems: syncProblems,
  handle: async ({ deps, caller, params: { id }, note }) =>
    syncBody(deps, await deps.syncs.pause(caller, id, note)),
});

export const postSyncResume = route({
  method: "post",
  path: "/v1/syncs/{id}/resume",
  operationId: "resumeSync",
  summary: "Go on with a paused sync",
  description:
    "Also with one that is parked as `worker_crashed`. Whatever else it waits for, it goes on by itself.",
  params: syncParams,
  answer: one,
  problems: syncProblems,
  handle: async ({ deps, caller, params: { id }, note }) =>
    syncBody(deps, await deps.syncs.resume(caller, id, note)),
});

export const postSyncReset = route({
  method: "post",
  path: "/v1/syncs/{id}/reset",
  operationId: "resetSync",
  summary: "Look at everything again",
  description:
    "Forgets how far it has read, and tells what is otherwise than it was told. Nothing is told twice, and no cursor of yours expires by it.",
  params: syncParams,
  answer: one,
  problems: syncProblems,
  handle: async ({ deps, caller, params: { id }, note }) =>
    syncBody(deps, await deps.syncs.reset(caller, id, note)),
});

export const patchSync = route({
  method: "patch",
  path: "/v1/syncs/{id}",
  operationId: "changeSync",
  summary: "Change how often a sync looks",
  description:
    "The interval alone. What a sync is about and which fields it tells decide what counts as a change, so a sync that told others would tell every document again: delete it, make another, and take its snapshot.",
  params: syncParams,
  body: z.strictObject({ interval: interval }),
  answer: one,
  problems: syncProblems,
  handle: async ({ deps, caller, params: { id }, body, note }) =>
    syncBody(deps, await deps.syncs.changeInterval(caller, id, Math.round(body.interval * 1_000), note)),
});

export const deleteSync = route({
  method: "delete",
  path: "/v1/syncs/{id}",
  operationId: "deleteSync",
  summary: "End a sync, with its stream",
  params: syncParams,
  answer: { status: 204, description: "Ended." },
  problems: syncProblems,
  handle: ({ deps, caller, params: { id }, note }) => deps.syncs.delete(caller, id, note),
});
