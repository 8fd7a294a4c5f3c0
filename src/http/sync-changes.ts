import { z } from "zod";
import type { SyncId } from "../domain/id.ts";
import { rfc3339, rfc3339OrNull } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { CHANGE_KINDS } from "../sync/change.ts";
import type { ChangePage, ReadChanges } from "../sync/read-changes.ts";
import type { SnapshotLine } from "../sync/read-snapshot.ts";
import type { HttpDeps } from "./deps.ts";
import { accessTokenProblems } from "./post-access-tokens.ts";
import { route } from "./route.ts";
import { instant } from "./schemas.ts";
import { syncParams, syncProblems } from "./syncs.ts";

const text = z.string().optional();

const container = z
  .object({
    id: z.string(),
    type: z.enum(["workspace", "folder"]),
    name: text,
    description: text,
    owner: text,
    created_at: instant.optional(),
    edited_at: instant.optional(),
    default_security: text,
    workspace_id: text,
    parent_id: text,
    folder_type: text,
    custom1: text,
    custom2: text,
  })
  .meta({
    id: "Container",
    description:
      "A workspace or folder as iManage showed it to the library admin after the change. null: it has gone, is no container, or is not shown to him; ask iManage for it by `object`.",
  });
const user = z
  .object({
    id: z.string(),
    name: text,
    email: text,
    allow_logon: z.boolean().optional(),
    preferred_library: text,
  })
  .meta({ id: "LibraryUser", description: "A user; null as for containers." });
const group = z
  .object({
    id: z.string(),
    name: text,
    enabled: z.boolean().optional(),
    external: z.boolean().optional(),
  })
  .meta({ id: "LibraryGroup", description: "A group, without its members; null as for containers." });

export const getSyncChanges = route({
  method: "get",
  path: "/v1/syncs/{id}/changes",
  operationId: "readChanges",
  summary: "What changed since a cursor",
  description:
    "Ordered. Store `cursor` together with what you made of the changes and send it next time. With `wait`, the answer comes when something changes.",
  params: syncParams,
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
    kinds: z
      .string()
      .max(400)
      .optional()
      .transform((text) => text?.split(","))
      .pipe(z.array(z.enum(CHANGE_KINDS)).min(1).optional())
      .meta({
        type: "string",
        description: `Only these, separated by commas: ${CHANGE_KINDS.join(", ")}. The cursor goes past the others.`,
        examples: ["document.deleted,document.security_changed"],
      }),
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
            container: container.nullable(),
            user: user.nullable(),
            group: group.nullable(),
            shortened: z.boolean().meta({
              description: "The fields were too long to be kept; what names the object is told.",
            }),
          })
          .meta({ id: "Change" }),
      ),
      cursor: z.string(),
      truncated: z
        .boolean()
        .meta({ description: "Without a cursor only: older changes are no longer kept." }),
    }),
  },
  problems: ["cursor_expired", "contained", "too_much_at_once", ...syncProblems],
  async handle({ deps, caller, params: { id }, query, untilGone }) {
    const page = await orWayBack(deps, id, {
      caller,
      sync: id,
      ...(query.kinds === undefined ? {} : { kinds: query.kinds }),
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
        time: rfc3339OrNull(change.time),
        stored_at: rfc3339(change.storedAt),
        actor: change.actor ?? null,
        document: wireFields(change.document),
        container: wireFields(change.container),
        user: wireFields(change.user),
        group: wireFields(change.group),
        shortened: change.shortened,
      })),
      cursor: page.cursor,
      truncated: page.truncated,
    };
  },
});

/** Who has come too late is told where to begin again. */
async function orWayBack(deps: HttpDeps, id: SyncId, request: ReadChanges): Promise<ChangePage> {
  try {
    return await deps.changes.read(request);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "cursor_expired") throw error;
    const snapshot = `${deps.settings.publicBaseUrl}/v1/syncs/${id}/snapshot`;
    throw new Problem("cursor_expired", { ...error.details, members: { snapshot } });
  }
}

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
  params: syncParams,
  answer: { status: 200, description: "Lines, as they come.", lines: snapshotLine },
  problems: [...accessTokenProblems, "sync_not_ready", "snapshots_busy", "not_library_admin"],
  handle: async ({ deps, caller, params: { id }, note, untilGone }) =>
    snapshotLines(deps.snapshots.read({ caller, sync: id, note, signal: untilGone() })),
});

async function* snapshotLines(
  lines: AsyncIterable<SnapshotLine>,
): AsyncGenerator<z.input<typeof snapshotLine>> {
  for await (const line of lines) {
    if (line.kind === "document") yield { kind: "document", document: wireFields(line.document) };
    else if (line.kind === "begin") yield { ...line, kind: "snapshot.begin" };
    else yield { ...line, kind: "snapshot.end" };
  }
}

/** Wire spelling: snake_case names, and instants as RFC 3339. */
function wireFields<T extends object | undefined>(of: T): T extends object ? Record<string, unknown> : null;
function wireFields(of: object | undefined): Record<string, unknown> | null {
  if (of === undefined) return null;
  return Object.fromEntries(
    Object.entries(of).map(([name, value]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      name.endsWith("At") && typeof value === "number" ? rfc3339(value) : value,
    ]),
  );
}
