import { libraryOf, resource } from "./api.ts";
import { ApiRefusal } from "./api-refusal.ts";
import type { Context } from "./context.ts";
import { type ChangeEvent, isAdmin, type Library, maySee } from "./libraries.ts";
import { openCursor, sealCursor } from "./paging-cursor.ts";
import { firstIndex } from "./places.ts";

/** Something happened in a library, and its feed says so. */
export function recordEvent(
  of: Library,
  about: Pick<ChangeEvent, "action_type" | "item_type" | "object_id"> &
    Partial<Pick<ChangeEvent, "related_object_id" | "root_id">>,
  now: number,
): ChangeEvent {
  const event: ChangeEvent = {
    id: (of.change_events.at(-1)?.id ?? 0) + 1,
    related_object_id: null,
    root_id: null,
    ...about,
    event_date: new Date(now).toISOString(),
  };
  of.change_events.push(event);
  return event;
}

/**
 * GET …/change-events → {data: [], cursor, overflow} (second-hand, two sources). overflow: ask again at once.
 * Without a cursor it begins at the oldest event kept (I).
 */
export const changeEvents = resource((in_, call, caller) => {
  const { switches } = in_.state;
  const library = libraryOf(in_, call, caller);
  if (switches.change_events !== "there") {
    const status = Number(switches.change_events);
    throw new ApiRefusal(
      status,
      status === 404 ? "NRC_NOT_FOUND" : "NRC_NOT_SUPPORTED",
      "There is no such resource.",
    );
  }
  const listed = (name: string) => call.query.get(name)?.split(",").filter(Boolean);
  const itemTypes = listed("item_types");
  const actions = listed("actions");
  const cursor = call.query.get("cursor");
  const oldest = oldestKept(in_, library);
  const latest = library.change_events.at(-1)?.id ?? 0;
  let after = cursor === null || cursor === "" ? oldest - 1 : Number(openCursor(cursor, library.id));
  if (after < oldest - 1) {
    if (switches.change_events_expired !== "silent") expired(in_);
    after = oldest - 1;
  }

  const hides = switches.change_events_private === "hidden" && !isAdmin(library, caller.user.id);
  const shelf = in_.shelves.of(library);
  const secret = ({ item_type, object_id }: ChangeEvent) => {
    if (!hides || item_type !== "document") return false;
    const document = shelf.find(object_id) ?? library.trash.find(({ id }) => id === object_id);
    return document !== undefined && !maySee(library, document, caller.user.id);
  };
  const data: ChangeEvent[] = [];
  let overflow = false;
  const events = library.change_events;
  for (let i = firstIndex(events, ({ id }) => id > after); i < events.length; i++) {
    const event = events[i]!;
    if (itemTypes !== undefined && !itemTypes.includes(event.item_type)) continue;
    if (actions !== undefined && !actions.includes(event.action_type)) continue;
    if (secret(event)) continue;
    overflow = data.length === switches.change_events_page;
    if (overflow) break;
    data.push(switches.change_events_root === "missing" ? { ...event, root_id: null } : event);
  }
  const seen = overflow ? data.at(-1)!.id : Math.max(after, latest);
  return { data, cursor: sealCursor(String(seen), library.id), overflow };
});

/** The id of the oldest event that is kept, or of the next one. Older ones are dropped now and then. */
export function oldestKept(
  { state: { switches }, now }: Context,
  { change_events: events }: Library,
): number {
  const next = (events.at(-1)?.id ?? 0) + 1;
  const { change_events_kept: count, change_events_kept_seconds: seconds } = switches;
  const since = seconds === null ? undefined : now() - seconds * 1000;
  const byAge =
    since === undefined ? 0 : firstIndex(events, ({ event_date }) => Date.parse(event_date) >= since);
  const byCount = count === null ? 0 : Math.max(0, events.length - count);
  const oldest = events[Math.max(byAge, byCount)]?.id ?? next;
  // The last one stays: the next one's id is counted on from it.
  if (count !== null && events.length > 2 * count + 1) events.splice(0, events.length - Math.max(count, 1));
  return oldest;
}

/** How a cursor that is too old is turned down nobody has documented (?). */
function expired({ state: { switches } }: Context): never {
  const status = switches.change_events_expired === "410" ? 410 : 400;
  throw new ApiRefusal(
    status,
    status === 410 ? "NRC_GONE" : "NRC_INVALID_CURSOR",
    "The cursor is older than the events that are kept.",
    "cursor",
    {},
    switches.change_events_expired_body,
  );
}
