import type { Instant } from "../domain/instant.ts";
import type { SyncWant, SyncWish } from "../domain/sync-wish.ts";
import type { ChangeKind, SealedChange } from "./change.ts";
import type { LibraryEvent } from "./library-source.ts";
import { latest } from "./plan.ts";

/** What one page of the feed says of one object. */
export interface TouchedObject {
  readonly object: string;
  /** The last word of the page: it is gone. Otherwise it is loaded. */
  readonly gone: boolean;
  /** It came into being, or came back. */
  readonly came: boolean;
  /** Who may see it has changed. */
  readonly security: boolean;
  readonly at: Instant | undefined;
  readonly root: string | undefined;
}

const GONE = new Set(["delete", "purged_from_trash"]);
const CAME = new Set(["insert", "restored_from_trash"]);
const SECURITY = "security_update";

/** Reduces a page to the objects of one type that it is about, each once, in the order in which they appear first. */
export function touchedObjects(
  events: readonly LibraryEvent[],
  item: LibraryEvent["item"],
): readonly TouchedObject[] {
  const touched = new Map<string, TouchedObject>();
  for (const event of events) {
    if (event.item !== item) continue;
    const before = touched.get(event.object);
    touched.set(event.object, {
      object: event.object,
      gone: GONE.has(event.action) || (before?.gone === true && !CAME.has(event.action)),
      came: before?.came === true || CAME.has(event.action),
      security: before?.security === true || event.action === SECURITY,
      at: latest(before?.at, event.at),
      root: event.root ?? before?.root,
    });
  }
  return [...touched.values()];
}

/**
 * Containers and people, as the feed names them: that something happened to them, and when. They are not loaded, and nothing is
 * remembered of them, so it is the feed alone that tells.
 */
export function otherChanges(
  events: readonly LibraryEvent[],
  { wants, workspaces }: SyncWish,
): readonly SealedChange[] {
  const containers = wants.includes("containers")
    ? touchedObjects(events, "container")
        .filter(({ object, root }) => isAbout(workspaces, object) || isAbout(workspaces, root))
        .map(({ gone, ...of }) => told(gone ? "container.deleted" : "container.changed", of))
    : [];
  const people = wants.includes("people")
    ? (["user", "group"] as const).flatMap((item) =>
        touchedObjects(events, item).map((of) => told(`${item}.changed`, of)),
      )
    : [];
  return [...containers, ...people];
}

const isAbout = (workspaces: readonly string[] | undefined, id: string | undefined): boolean =>
  workspaces === undefined || (id !== undefined && workspaces.includes(id));

const told = (kind: ChangeKind, { object, at }: Pick<TouchedObject, "object" | "at">): SealedChange => ({
  kind,
  object,
  at,
});

/** What the feed is asked for. Which words it knows for actions is documented in two places and no more; so all are taken. */
export function itemTypesOf(wants: readonly SyncWant[]): readonly string[] {
  const types = new Set<string>();
  if (wants.includes("documents") || wants.includes("security")) types.add("document");
  if (wants.includes("containers")) types.add("container");
  if (wants.includes("people")) for (const type of ["user", "group"]) types.add(type);
  return [...types];
}
