/** What of its library a sync is about. */
export interface SyncWish {
  readonly wants: readonly SyncWant[];
  /** Ids of workspaces (`LIB!number`), sorted: what lies in them alone. Undefined: all of the library. */
  readonly workspaces: readonly string[] | undefined;
  /** Whether what is there when it begins is told, or only remembered, so that changes are told and nothing else. */
  readonly existing: "skip" | "tell";
}

export const SYNC_WANTS = ["documents", "containers", "security", "people"] as const;
/** `people`: users and groups. */
export type SyncWant = (typeof SYNC_WANTS)[number];

/** What a sync was before it could be about more. */
export const WHOLE_LIBRARY: SyncWish = { wants: ["documents"], workspaces: undefined, existing: "tell" };
