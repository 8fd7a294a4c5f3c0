import type { SealedChange } from "./change.ts";
import { type TouchedOther, touchedObjects } from "./feed-events.ts";
import type { EventPage } from "./library-source.ts";
import { loadDocuments } from "./load-documents.ts";
import { loadObjects } from "./load-objects.ts";
import { objectPayload } from "./object-fields.ts";
import type { SyncPorts } from "./ports.ts";
import type { LibraryCalls } from "./read-library.ts";
import { objectFields } from "./sync-fields.ts";
import { NOTHING, type Teller, type Telling, type Told } from "./tell.ts";

export type ToldEvents = Told & {
  readonly loaded: number;
  readonly unloadable: number;
  /** More have left the workspaces than are told without a scan. */
  readonly rescan: boolean;
};

interface Loading {
  readonly calls: LibraryCalls;
  readonly objects: SyncPorts["objects"];
  readonly teller: Teller;
}

/** Loads what a page of the feed is about, and tells it. */
export async function tellEvents(
  loading: Loading,
  telling: Telling,
  page: EventPage,
  others: readonly TouchedOther[],
  leavingMax: number,
): Promise<ToldEvents> {
  const { sync, sequence } = telling;
  const { wants } = sync.wish;
  const about = wants.includes("documents") || wants.includes("security");
  const touched = about ? touchedObjects(page.events, "document") : [];
  const there = touched.filter(({ gone }) => !gone);
  if (touched.length + others.length === 0) return { ...NOTHING, loaded: 0, unloadable: 0, rescan: false };
  const { found, unloadable } = await loadDocuments(loading.calls, sync, sequence, there);
  const seen = there.flatMap(({ object, ...what }) => {
    const document = found.get(object);
    // It is not shown, and the feed does not say that it went: nothing is told. Should it have gone, the feed or a scan says so.
    return document === undefined ? [] : [{ document, ...what }];
  });
  const gone = touched.filter((one) => one.gone);
  const changes = await otherChanges(loading, telling, others);
  const told = await loading.teller.tell({ ...telling, leaving: "told" }, seen, gone, changes);
  const few = told.left <= leavingMax;
  // Should iManage have begun to name workspaces otherwise, all would leave: a scan decides, and its brake.
  const braked = few ? told : await loading.teller.tell({ ...telling, leaving: "kept" }, seen, gone, changes);
  return { ...braked, loaded: found.size, unloadable, rescan: !few };
}

/**
 * Containers and people, as the feed names them: nothing is remembered of them, so it is the feed alone that tells that they changed or went.
 * What they are now is loaded; what iManage does not show is told by its id, since no scan will make up for it.
 */
async function otherChanges(
  loading: Loading,
  { sync, sequence }: Telling,
  others: readonly TouchedOther[],
): Promise<readonly SealedChange[]> {
  const { workspaces } = sync.wish;
  const isAbout = (id: string | undefined) =>
    workspaces === undefined || (id !== undefined && workspaces.includes(id));
  const there = others.filter(({ gone }) => !gone);
  const names = there.map(({ item, object, root }) => ({ item, id: object, root }));
  const found = await loadObjects(loading, sync, sequence, names);
  const loaded = new Map(there.map((other, i) => [other, found[i]]));
  return others.flatMap((other): SealedChange[] => {
    const { item, object, root, gone, at } = other;
    const now = loaded.get(other);
    const wasInside = item !== "container" || isAbout(object) || isAbout(root);
    const isInside = now?.item === "container" ? isAbout(object) || isAbout(now.workspaceId) : wasInside;
    if (!wasInside && !isInside) return [];
    if (gone) return [{ kind: `${item}.deleted`, object, at }];
    // What has left the workspaces that this sync is about is named, and no more.
    const payload = now !== undefined && isInside && objectPayload(now, objectFields(sync.fields, item));
    return [{ kind: `${item}.changed`, object, at, ...payload }];
  });
}
