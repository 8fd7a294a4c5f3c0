import type { ClientId, OrganisationId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { SnapshotSlots } from "../sync/reading-ports.ts";
import { snapshotSlotsKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

/** Who reads a snapshot now, of each client. */
export class RedisSnapshotSlots implements SnapshotSlots {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async hold(
    organisation: OrganisationId,
    client: ClientId,
    reader: string,
    { atOnce, heldMs }: { readonly atOnce: number; readonly heldMs: Milliseconds },
  ): Promise<Milliseconds | undefined> {
    const answer = (await this.#store.run(
      "sync-slot",
      [snapshotSlotsKey(organisation, client)],
      [reader, atOnce, heldMs],
    )) as number;
    return answer < 0 ? undefined : answer;
  }

  async free(organisation: OrganisationId, client: ClientId, reader: string): Promise<void> {
    await this.#store.call((redis) => redis.zrem(snapshotSlotsKey(organisation, client), reader));
  }
}
