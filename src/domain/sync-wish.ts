/** What of its library a sync is about. */
export interface SyncWish {
  readonly wants: readonly SyncWant[];
  /** Ids of workspaces (`LIB!number`), sorted: what lies in them alone. Undefined: all of the library. */
  readonly workspaces: readonly string[] | undefined;
  /** Whether what is there when it begins is told, or only remembered, so that changes are told and nothing else. */
  readonly existing: "skip" | "tell";
}

/** More would make the sync's name in the store's index too long to be read for each list. */
export const WORKSPACES_MAX = 100;

export const SYNC_WANTS = ["documents", "containers", "security", "people"] as const;
/** `people`: users and groups. */
export type SyncWant = (typeof SYNC_WANTS)[number];

/** What a sync was before it could be about more. */
export const WHOLE_LIBRARY: SyncWish = { wants: ["documents"], workspaces: undefined, existing: "tell" };

/** What is not said: the documents of all of the library, and only what happens to them from now on. */
export const DEFAULT_WISH: SyncWish = { wants: ["documents"], workspaces: undefined, existing: "skip" };

/** A workspace's id, `LIB!number`: which library it names; undefined where it is none. */
export const libraryOfWorkspace = (id: string): string | undefined =>
  /^([^!/\p{C}]{1,100})!\d{1,18}$/u.exec(id)?.[1];

/** One order and no repetition, so that the same wish is the same however it is spelt. */
export const asWish = ({ wants, workspaces, existing }: SyncWish): SyncWish => ({
  wants: SYNC_WANTS.filter((it) => wants.includes(it)),
  workspaces: workspaces && [...new Set(workspaces)].toSorted(),
  existing,
});
