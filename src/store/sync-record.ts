import type { ClientId, GrantId, ServerId, SyncId } from "../domain/id.ts";
import { organisationOf } from "../domain/id.ts";
import type { Instant } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { ProblemCode } from "../domain/problem-catalogue.ts";
import { type SyncWish, WHOLE_LIBRARY } from "../domain/sync-wish.ts";
import type { SyncCursor } from "../sync/cursor.ts";
import type { Remembered, Sync, SyncState } from "../sync/ports.ts";
import type { SyncField } from "../sync/sync-fields.ts";

/** A remembered object: `<digest>.<number of the scan, base 36>`. Short, for there may be a million. */
export function readRemembered(value: string): Remembered {
  const dot = value.lastIndexOf(".");
  return dot < 0
    ? { version: value, scan: 0 }
    : { version: value.slice(0, dot), scan: Number.parseInt(value.slice(dot + 1), 36) };
}

/** Also what is left of a cursor by a reset, which keeps only whose eyes were seen with. */
const notBegun = (seenBy: string | undefined): Pick<SyncCursor, "feed" | "seenBy"> => ({
  feed: { kind: "unknown" },
  ...(seenBy !== undefined && { seenBy: seenBy as GrantId }),
});

/** Without what has a field of its own. */
export const writeCursor = ({ sequence: _, scans: __, ...cursor }: SyncCursor): string =>
  JSON.stringify(cursor);

const READABLE = new Set(["1"]);
const instant = (text: string | undefined): Instant | undefined =>
  text === undefined ? undefined : Number(text);

export function readSync(id: SyncId, field: Readonly<Record<string, string>>): Sync | undefined {
  if (field.state === undefined) return undefined;
  if (!READABLE.has(field.v ?? "")) {
    throw new Problem("integrity_failure", {
      detail: "A stored sync has no version that this broker reads.",
    });
  }
  return {
    v: 1,
    id,
    organisation: organisationOf(id),
    client: field.client as ClientId,
    server: field.server as ServerId,
    library: field.library!,
    wish: field.wish === undefined ? WHOLE_LIBRARY : (JSON.parse(field.wish) as SyncWish),
    intervalMs: Number(field.interval),
    fields: field.fields === undefined ? undefined : (JSON.parse(field.fields) as SyncField[]),
    createdAt: Number(field.created_at),
    state: field.state as SyncState,
    parkedBecause: field.because as ProblemCode | undefined,
    cursor: {
      ...(field.cursor === undefined ? notBegun(field.seen_by) : (JSON.parse(field.cursor) as SyncCursor)),
      sequence: Number(field.seq),
      scans: Number(field.scans ?? 0),
    },
    passStartedAt: instant(field.started_at),
    baselineAt: instant(field.baseline_at),
    lastCompleteAt: instant(field.complete_at),
    lastError:
      field.error === undefined
        ? undefined
        : { code: field.error as ProblemCode, at: Number(field.error_at) },
    dueAt: instant(field.due_at),
    counts: {
      passes: Number(field.passes ?? 0),
      documents: Number(field.documents ?? 0),
      changes: Number(field.changes ?? 0),
      unreadable: Number(field.unreadable ?? 0),
      objects: Number(field.objects ?? 0),
      failures: Number(field.failures ?? 0),
    },
  };
}
