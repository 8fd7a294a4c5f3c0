import type { Instant } from "../domain/instant.ts";
import type { SyncWant, SyncWish } from "../domain/sync-wish.ts";
import type { LibraryEvent } from "./library-source.ts";
import type { ObjectItem } from "./object-source.ts";
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
  /** Where in the page it is named last. */
  readonly last: number;
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
  for (const [last, event] of events.entries()) {
    if (event.item !== item) continue;
    const before = touched.get(event.object);
    touched.set(event.object, {
      object: event.object,
      gone: GONE.has(event.action) || (before?.gone === true && !CAME.has(event.action)),
      came: before?.came === true || CAME.has(event.action),
      security: before?.security === true || event.action === SECURITY,
      at: latest(before?.at, event.at),
      root: event.root ?? before?.root,
      last,
    });
  }
  return [...touched.values()];
}

/** A container, user or group that a page of the feed is about. */
export interface TouchedOther extends TouchedObject {
  readonly item: ObjectItem;
}

/** Containers and people that a page is about, each once, in the order in which they are named last. */
export function touchedOthers(
  events: readonly LibraryEvent[],
  { wants, workspaces }: SyncWish,
): readonly TouchedOther[] {
  const items: ObjectItem[] = [
    ...(wants.includes("containers") ? (["container"] as const) : []),
    ...(wants.includes("people") ? (["user", "group"] as const) : []),
  ];
  return items
    .flatMap((item) => touchedObjects(events, item).map((of) => ({ item, ...of })))
    .filter(({ item, object, root }) => item !== "container" || mayBeAbout(workspaces, object, root))
    .toSorted((a, b) => a.last - b.last);
}

/** Where the feed names no workspace, the container itself may. */
const mayBeAbout = (workspaces: readonly string[] | undefined, object: string, root: string | undefined) =>
  workspaces === undefined || root === undefined || [object, root].some((id) => workspaces.includes(id));

/** What the feed is asked for. Which words it knows for actions is documented in two places and no more; so all are taken. */
export function itemTypesOf(wants: readonly SyncWant[]): readonly string[] {
  const types = new Set<string>();
  if (wants.includes("documents") || wants.includes("security")) types.add("document");
  if (wants.includes("containers")) types.add("container");
  if (wants.includes("people")) for (const type of ["user", "group"]) types.add(type);
  return [...types];
}
