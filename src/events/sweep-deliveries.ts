import type { Clock } from "../broker/ports.ts";
import type { OrganisationId, SubscriptionId } from "../domain/id.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import type { DeliveryStore } from "./subscription-ports.ts";

const ORGANISATIONS_MAX = 500;
const PER_ORGANISATION_MAX = 200;
/** An announcement that was lost costs that long at most. */
const RESTATE_MS = seconds(10);

/** Finds the subscriptions that have something to be told. */
export class DeliverySweep {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #deliveries: DeliveryStore;
  #restatedAt: Milliseconds | undefined;

  constructor(clock: Pick<Clock, "monotonicMs">, deliveries: DeliveryStore) {
    this.#clock = clock;
    this.#deliveries = deliveries;
  }

  /** Those that an event which was just announced is for, or may be. */
  behind(organisation: OrganisationId): Promise<readonly SubscriptionId[]> {
    return this.#deliveries.behind(organisation);
  }

  async sweep(): Promise<readonly SubscriptionId[]> {
    const found = new Set(await this.#lagging());
    for (const organisation of await this.#deliveries.dueOrganisations(ORGANISATIONS_MAX)) {
      const due = await this.#deliveries.due(organisation, PER_ORGANISATION_MAX);
      // The hint was too early, as it may be.
      if (due.length === 0) await this.#deliveries.restateHint(organisation);
      for (const id of due) found.add(id);
    }
    return [...found];
  }

  /** Neither announcements nor hints may be trusted for long. */
  async #lagging(): Promise<readonly SubscriptionId[]> {
    const now = this.#clock.monotonicMs();
    if (this.#restatedAt !== undefined && now - this.#restatedAt < RESTATE_MS) return [];
    const lagging: SubscriptionId[] = [];
    for (const organisation of await this.#deliveries.organisations()) {
      await this.#deliveries.restateHint(organisation);
      lagging.push(...(await this.#deliveries.behind(organisation)));
    }
    this.#restatedAt = now;
    return lagging;
  }
}
