import { otherChanges, touchedObjects } from "./feed-events.ts";
import type { EventPage } from "./library-source.ts";
import { loadDocuments } from "./load-documents.ts";
import type { LibraryCalls } from "./read-library.ts";
import { NOTHING, type Teller, type Telling, type Told } from "./tell.ts";

export type ToldEvents = Told & { readonly loaded: number; readonly unloadable: number };

/** Loads what a page of the feed is about, and tells it. */
export async function tellEvents(
  calls: LibraryCalls,
  teller: Teller,
  telling: Telling,
  page: EventPage,
): Promise<ToldEvents> {
  const { sync, sequence } = telling;
  const { wish } = sync;
  const about = wish.wants.includes("documents") || wish.wants.includes("security");
  const touched = about ? touchedObjects(page.events, "document") : [];
  const others = otherChanges(page.events, wish);
  const there = touched.filter(({ gone }) => !gone);
  if (touched.length + others.length === 0) return { ...NOTHING, loaded: 0, unloadable: 0 };
  const { found, unloadable } = await loadDocuments(calls, sync, sequence, there);
  const seen = there.flatMap(({ object, ...what }) => {
    const document = found.get(object);
    // It is not shown, and the feed does not say that it went: nothing is told. Should it have gone, the feed or a scan says so.
    return document === undefined ? [] : [{ document, ...what }];
  });
  const told = await teller.tell(
    telling,
    seen,
    touched.filter(({ gone }) => gone),
    others,
  );
  return { ...told, loaded: found.size, unloadable };
}
