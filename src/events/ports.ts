import type { ClientStore } from "../broker/clients/ports.ts";
import type { Stops } from "../broker/containment/ports.ts";
import type { GrantBinding } from "../broker/grants/ports.ts";
import type { Clock, Sealer } from "../broker/ports.ts";
import type { EventKind } from "../domain/event-kinds.ts";
import type { EventId, EventPosition, OrganisationId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";

/** What the stories of this room need. `main` introduces them. */
export interface EventPorts {
  readonly clock: Clock;
  readonly sealer: Pick<Sealer, "fingerprint">;
  readonly log: EventLog;
  readonly announcements: EventAnnouncements;
  /** Policies: action `events`. Standings as whoever lets clients in sees them. */
  readonly clients: Pick<ClientStore, "findPolicy" | "findStanding">;
  readonly stops: Stops;
}

/** One event as the log has it: for whom it is, and what of it he is told, `tellEvent` says. */
export interface StoredEvent {
  readonly id: EventId;
  readonly organisation: OrganisationId;
  readonly position: EventPosition;
  readonly kind: EventKind;
  /** As the script wrote them: ids, codes, numbers. */
  readonly fields: Readonly<Record<string, string>>;
  /** Who used the grant at that moment. */
  readonly bindings: readonly GrantBinding[];
}

/**
 * The events of each organisation, in one order, under contiguous numbers from 1. Scripts write it (`emit`), nobody else does.
 * What is old or too much is trimmed from its beginning.
 */
export interface EventLog {
  /** Where the log ends: whoever reads from there on is told of what comes. Number 0: nothing was ever told. */
  newest(organisation: OrganisationId): Promise<EventPosition>;
  /** Number of the newest event that is no longer kept; 0: all are. */
  floor(organisation: OrganisationId): Promise<number>;
  /**
   * Events behind `after`, oldest first. Where the log is not the one that `after` was read from, because Redis lost its end,
   * those since then: some of them may have been read before, and have the same id.
   * @param after undefined: from the oldest that is kept
   */
  read(
    organisation: OrganisationId,
    after: EventPosition | undefined,
    limit: number,
  ): Promise<ReadEventsAnswer>;
  /** Undefined: there never was such an event, or it is no longer kept. */
  find(id: EventId): Promise<StoredEvent | undefined>;
  /** Removes what is older than `keptMs` or more than `keptMax` events ago; bounded, answers how many went. */
  trim(organisation: OrganisationId, keptMs: Milliseconds, keptMax: number): Promise<number>;
}

export type ReadEventsAnswer =
  | {
      readonly kind: "read";
      readonly events: readonly StoredEvent[];
      /** Where to go on: behind all that were looked at, also those of a kind that this broker does not know. */
      readonly next: EventPosition;
      /** There was nothing more behind them. */
      readonly ended: boolean;
      /** Number of the newest event that is no longer kept. */
      readonly floor: number;
    }
  /** What follows `after` is not kept any more. */
  | { readonly kind: "expired"; readonly floor: number };

/** Wakes whoever waits for events. Announcements may be lost: read again afterwards, decide nothing from them. */
export interface EventAnnouncements {
  /** Listens from now on; `arrived` resolves with the next announcement, after `timeoutMs`, or when cancelled. */
  next(
    organisation: OrganisationId,
    timeoutMs: Milliseconds,
  ): { readonly arrived: Promise<void>; cancel(): void };
}
