import { type Broker, BrokerProblem, patience } from "./broker.ts";
import type { Doorbell } from "./doorbell.ts";

/** Something that happened at the broker: ids and a kind. How things stand now is asked for where it matters. */
export interface BrokerEvent {
  readonly id: string;
  readonly type: string;
  readonly data: {
    readonly library?: string;
    readonly sync?: string;
    readonly subjects?: readonly { readonly type: "user" | "library"; readonly id: string }[];
  };
}

export interface FollowedEvents {
  readonly broker: Broker;
  readonly organisation: string;
  readonly doorbell: Doorbell;
  readonly signal: AbortSignal;
  /** The broker answers (again): events tell what changes from now on, so look once how things stand. */
  readonly onReached: () => Promise<unknown>;
  readonly onEvents: (events: readonly BrokerEvent[]) => Promise<unknown>;
  readonly onTrouble: (error: Error) => void;
}

/**
 * Hears of every event that concerns this client as soon as it happens, by long-poll. A webhook (`/v1/event-subscriptions`)
 * tells the same, to an app that the broker can reach.
 */
export async function followEvents(followed: FollowedEvents): Promise<void> {
  const { broker, organisation, doorbell, signal, onReached, onEvents, onTrouble } = followed;
  let cursor: string | undefined;
  while (!signal.aborted) {
    try {
      await onReached();
      while (true) {
        const query = new URLSearchParams({
          organisation,
          wait: "30",
          limit: "500",
          ...(cursor && { cursor }),
        });
        const path = `/v1/events?${query}`;
        const page = await broker.ask<{ items: BrokerEvent[]; cursor: string }>("GET", path, { signal });
        await onEvents(page.items);
        cursor = page.cursor;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof BrokerProblem && error.code === "cursor_expired") cursor = undefined;
      else {
        onTrouble(error as Error);
        await doorbell.wait(patience(error));
      }
    }
  }
}
