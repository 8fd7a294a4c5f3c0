import type { OrganisationId } from "../domain/id.ts";
import { type Instant, minutes } from "../domain/instant.ts";
import type { SyncPorts } from "./ports.ts";
import type { SyncSpace } from "./reading-ports.ts";

const EVERY_MS = minutes(10);

/** Drops what syncs have kept long enough, also of those that nobody runs any more. */
export class SyncTidying {
  readonly #ports: Pick<SyncPorts, "clock"> & { readonly space: Pick<SyncSpace, "tidy"> };
  readonly #tidiedAt = new Map<OrganisationId, Instant>();

  constructor(ports: Pick<SyncPorts, "clock"> & { readonly space: Pick<SyncSpace, "tidy"> }) {
    this.#ports = ports;
  }

  async tidy(organisation: OrganisationId): Promise<void> {
    const now = this.#ports.clock.monotonicMs();
    const before = this.#tidiedAt.get(organisation);
    if (before !== undefined && now - before < EVERY_MS) return;
    await this.#ports.space.tidy(organisation);
    this.#tidiedAt.set(organisation, now);
  }
}
