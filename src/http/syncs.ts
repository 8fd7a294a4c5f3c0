import { z } from "zod";
import { answerOnce } from "../broker/idempotency/answer-once.ts";
import { organisationOf } from "../domain/id.ts";
import { type Instant, rfc3339 } from "../domain/instant.ts";
import { PROBLEMS } from "../domain/problem-catalogue.ts";
import { DEFAULT_WISH, SYNC_WANTS, WORKSPACES_MAX } from "../domain/sync-wish.ts";
import { CHANGE_KINDS } from "../sync/change.ts";
import type { Sync } from "../sync/ports.ts";
import type { SnapshotLine } from "../sync/read-snapshot.ts";
import { accessTokenProblems } from "./post-access-tokens.ts";
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
        "`parked`: waits for a person (`waits_for`), and goes on by itself. `paused`: you said so. `active` with `waits_for`: iManage's rate limit.",
    }),
    waits_for: z
      .object({ code: z.string(), title: z.string(), remedy: z.string(), action: z.string() })
      .nullable(),
    interval: z.number().meta({ description: "Seconds from the start of one pass to the next." }),
    fields: z.array(z.string()).nullable(),
    last_complete_at: instant.nullable(),
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

const orNull = (at: Instant | undefined): string | null => (at === undefined ? null : rfc3339(at));

function syncBody(of: Sync) {
  // A turn that comes later is no fault, and yet a reason why nothing happens.
  const later = of.state === "active" && of.lastError?.code === "imanage_rate_limited";
  const code = of.parkedBecause ?? (later ? "imanage_rate_limited" : undefined);
  return {
    id: of.id,
    server: of.server,
    library: of.library,
    wants: [...of.wish.wants],
    workspaces: of.wish.workspaces === undefined ? null : [...of.wish.workspaces],
    existing: of.wish.existing,
    state: of.state,
    waits_for:
      code === undefined
        ? null
        : { code, title: PROBLEMS[code].title, remedy: PROBLEMS[code].remedy, action: PROBLEMS[code].action },
    interval: of.intervalMs / 1_000,
    fields: of.fields ?? null,
    last_complete_at: orNull(of.lastCompleteAt),
    next_run_at: orNull(of.dueAt),
    last_error: of.lastError === undefined ? null : { code: of.lastError.code, at: rfc3339(of.lastError.at) },
    counts: of.counts,
    created_at: rfc3339(of.createdAt),
  };
}

const one = { status: 200, description: "The sync.", schema: sync } as const;
const params = z.strictObject({ id: syncId });
const problems = ["not_found", "not_allowed"] as const;

export const postSyncs = route({
  method: "post",
  path: "/v1/syncs",
  operationId: "createSync",
  summary: "Be told what changes in a library",
  description:
    "One sync per client, library and set of workspaces: asked again, the one there is, as it is (compare `wants` and `fields`; to change them, delete it and make another). It uses the authorisation that a library admin lent.",
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
          "Of what you want to be told: `people` are users and groups, `containers` workspaces and folders.",
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
    interval: z
      .number()
      .positive()
      .max(86_400)
      .optional()
      .meta({ description: "Seconds between passes; 5 minutes if not given." }),
    fields: z
      .array(z.string().max(40))
      .min(1)
      .max(30)
      .optional()
      .meta({ description: "What a change tells; everything if not given." }),
  }),
  answer: { status: 201, description: "The sync.", schema: sync },
  problems: [...problems, "idempotency_conflict"],
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
      return syncBody(created);
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
  problems,
  handle: async ({ deps, caller, query }) => ({
    items: (await deps.syncs.list(caller, query.organisation)).map(syncBody),
  }),
});

export const getSync = route({
  method: "get",
  path: "/v1/syncs/{id}",
  operationId: "getSync",
  summary: "How a sync stands, and what it waits for",
  params,
  answer: one,
  problems,
  handle: async ({ deps, caller, params: { id } }) => syncBody(await deps.syncs.find(caller, id)),
});

export const postSyncRun = route({
  method: "post",
  path: "/v1/syncs/{id}/run",
  operationId: "runSync",
  summary: "Sync now",
  params,
  answer: one,
  problems,
  handle: async ({ deps, caller, params: { id } }) => syncBody(await deps.syncs.runNow(caller, id)),
});

export const postSyncPause = route({
  method: "post",
  path: "/v1/syncs/{id}/pause",
  operationId: "pauseSync",
  summary: "Pause a sync",
  params,
  answer: one,
  problems,
  handle: async ({ deps, caller, params: { id }, note }) =>
    syncBody(await deps.syncs.pause(caller, id, note)),
});

export const postSyncResume = route({
  method: "post",
  path: "/v1/syncs/{id}/resume",
  operationId: "resumeSync",
  summary: "Go on with a paused sync",
  description:
    "Also with one that is parked as `worker_crashed`. Whatever else it waits for, it goes on by itself.",
  params,
  answer: one,
  problems,
  handle: async ({ deps, caller, params: { id }, note }) =>
    syncBody(await deps.syncs.resume(caller, id, note)),
});

export const deleteSync = route({
  method: "delete",
  path: "/v1/syncs/{id}",
  operationId: "deleteSync",
  summary: "End a sync, with its stream",
  params,
  answer: { status: 204, description: "Ended." },
  problems,
  handle: ({ deps, caller, params: { id }, note }) => deps.syncs.delete(caller, id, note),
});

export const getSyncChanges = route({
  method: "get",
  path: "/v1/syncs/{id}/changes",
  operationId: "readChanges",
  summary: "What changed since a cursor",
  description:
    "Ordered. Store `cursor` together with what you made of the changes and send it next time. With `wait`, the answer comes when something changes.",
  params,
  query: z.strictObject({
    cursor: z
      .string()
      .max(512)
      .optional()
      .meta({ description: "From the answer before; without it, from the oldest change that is kept." }),
    wait: z.coerce
      .number()
      .min(0)
      .max(60)
      .default(0)
      .meta({ description: "Seconds to wait while there is nothing new." }),
    limit: z.coerce.number().int().min(1).max(500).default(50),
  }),
  answer: {
    status: 200,
    description: "Changes, oldest first; `cursor` to go on from.",
    schema: z.object({
      items: z.array(
        z
          .object({
            id: z.string(),
            kind: z.enum(CHANGE_KINDS),
            object: z.string(),
            time: instant.nullable(),
            stored_at: instant,
            actor: z.string().nullable(),
            document: z
              .record(z.string(), z.unknown())
              .nullable()
              .meta({ description: "Of a document that is there." }),
            shortened: z.boolean().meta({ description: "Some text was too long and was cut." }),
          })
          .meta({ id: "Change" }),
      ),
      cursor: z.string(),
      truncated: z
        .boolean()
        .meta({ description: "Without a cursor only: older changes are no longer kept." }),
    }),
  },
  problems: ["cursor_expired", "contained", ...problems],
  async handle({ deps, caller, params: { id }, query, untilGone }) {
    const page = await deps.changes.read({
      caller,
      sync: id,
      ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
      waitMs: query.wait * 1_000,
      limit: query.limit,
      signal: untilGone(),
    });
    return {
      items: page.changes.map((change) => ({
        id: change.id,
        kind: change.kind,
        object: change.object,
        time: orNull(change.time),
        stored_at: rfc3339(change.storedAt),
        actor: change.actor ?? null,
        document: change.document === undefined ? null : wireDocument(change.document),
        shortened: change.shortened,
      })),
      cursor: page.cursor,
      truncated: page.truncated,
    };
  },
});

const snapshotLine = z
  .discriminatedUnion("kind", [
    z.object({
      kind: z.literal("snapshot.begin"),
      sync: z.string(),
      cursor: z.string().meta({ description: "Read the changes from here once you have the last line." }),
    }),
    z.object({ kind: z.literal("document"), document: z.record(z.string(), z.unknown()) }),
    z.object({
      kind: z.literal("snapshot.end"),
      documents: z.int(),
      unreadable: z.int().meta({ description: "Rows of iManage without an id, number or version." }),
    }),
  ])
  .meta({ id: "SnapshotLine" });

export const getSyncSnapshot = route({
  method: "get",
  path: "/v1/syncs/{id}/snapshot",
  operationId: "readSnapshot",
  summary: "All documents of a sync as they are now",
  description:
    'One JSON value a line (NDJSON), read from iManage as you take them; nothing is stored. The first line has the `cursor` to read the changes from afterwards, the last one is `snapshot.end`: without it the snapshot was cut (a last line `{"problem": …}` may say why), and another has to be read. A document may be edited while you read, and then comes again as a change. Two at once for a client.',
  params,
  answer: { status: 200, description: "Lines, as they come.", lines: snapshotLine },
  problems: [...accessTokenProblems, "sync_not_ready", "snapshots_busy", "not_library_admin"],
  handle: async ({ deps, caller, params: { id }, note, untilGone }) =>
    snapshotLines(deps.snapshots.read({ caller, sync: id, note, signal: untilGone() })),
});

async function* snapshotLines(
  lines: AsyncIterable<SnapshotLine>,
): AsyncGenerator<z.input<typeof snapshotLine>> {
  for await (const line of lines) {
    if (line.kind === "document") yield { kind: "document", document: wireDocument(line.document) };
    else if (line.kind === "begin") yield { ...line, kind: "snapshot.begin" };
    else yield { ...line, kind: "snapshot.end" };
  }
}

/** Wire spelling: snake_case names, and instants as RFC 3339. */
function wireDocument(document: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(document).map(([name, value]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      name.endsWith("At") && typeof value === "number" ? rfc3339(value) : value,
    ]),
  );
}
