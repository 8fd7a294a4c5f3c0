import type { ClientId, OrganisationId } from "../domain/id.ts";
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
