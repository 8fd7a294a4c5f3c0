import type { ClientId, OrganisationId, SyncId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";

/** Few snapshots at once of a client, over all processes: each is a reading of a whole library at a firm's iManage. */
export interface SnapshotSlots {
  /**
   * Takes a slot, or keeps the one that `reader` has. MUST be atomic.
   * @returns undefined: held; or after how long one may be free.
   */
  hold(
    organisation: OrganisationId,
    client: ClientId,
    reader: string,
    terms: { readonly atOnce: number; readonly heldMs: Milliseconds },
  ): Promise<Milliseconds | undefined>;
  free(organisation: OrganisationId, client: ClientId, reader: string): Promise<void>;
}

/** What syncs keep, and what that takes of the store. */
export interface SyncSpace {
  /** Bytes, as last measured. MUST be one step: a run asks before each page. */
  totalOf(organisation: OrganisationId): Promise<number>;
  spaceOf(
    organisation: OrganisationId,
  ): Promise<{ readonly total: number; readonly of: ReadonlyMap<SyncId, number> }>;
  /** Drops what is older than it is kept, measures anew and adds up anew. MUST work when the store is full. */
  tidy(organisation: OrganisationId): Promise<void>;
}
