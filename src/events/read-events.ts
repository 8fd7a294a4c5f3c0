import type { Caller } from "../broker/clients/ports.ts";
import type { EventKind } from "../domain/event-kinds.ts";
import type { EventId, EventPosition, OrganisationId } from "../domain/id.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import type { Policy } from "../domain/policy.ts";
import { Problem } from "../domain/problem.ts";
import { WaitingPlaces } from "../domain/waiting-places.ts";
import { type EventCursors, makeEventCursors } from "./event-cursor.ts";
import { findEvent, mayReadEvents } from "./find-event.ts";
import type { EventPorts } from "./ports.ts";
import { type ToldEvent, tellEvent } from "./tell-event.ts";

export interface EventPage {
  readonly events: readonly ToldEvent[];
  /** To go on from: behind everything that was looked at, told or not. */
  readonly cursor: string;
  /** Only without a cursor: the log's beginning is no longer kept, so this is not all that ever happened. */
  readonly truncated: boolean;
}

export interface ReadEvents {
  readonly caller: Caller;
  readonly organisation: OrganisationId;
  /** Undefined: from the oldest event that is kept. */
  readonly cursor?: string;
  /** Undefined: all. */
  readonly kinds?: readonly EventKind[];
  /** How long to wait for an event while there is none; at most a minute. */
  readonly waitMs?: Milliseconds;
  readonly limit?: number;
  /** Ends the wait: the caller has gone. */
  readonly signal?: AbortSignal;
}

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 500;
const WAIT_MAX_MS = seconds(60);
/** One answer looks at no more events than that: who may see few of many goes on from where it got to. */
const SCANNED_MAX = 5_000;
const SCANNED_AT_ONCE = 500;

/** Tells a client the events that it may know of, in their order, and waits for the next ones. */
export class EventReader {
  readonly #ports: EventPorts;
  readonly #cursors: EventCursors;
  readonly #places = new WaitingPlaces();

  constructor(ports: EventPorts) {
    this.#ports = ports;
    this.#cursors = makeEventCursors(ports.sealer);
  }

  /** @throws Problem("cursor_expired") when what follows the cursor is not kept any more; too_much_at_once. */
  read(request: ReadEvents): Promise<EventPage> {
    const { caller, organisation, waitMs = 0 } = request;
    if (waitMs <= 0) return this.#read(request);
    return this.#places.during(`${caller.client} ${organisation}`, () => this.#read(request));
  }

  async #read(request: ReadEvents): Promise<EventPage> {
    const { clock, announcements, clients } = this.#ports;
    const { caller, organisation, cursor, signal } = request;
    const { client } = caller;
    const limit = Math.min(Math.max(1, request.limit ?? LIMIT_DEFAULT), LIMIT_MAX);
    const deadline = clock.monotonicMs() + Math.min(Math.max(0, request.waitMs ?? 0), WAIT_MAX_MS);

    let after: EventPosition | undefined;
    let truncated = false;
    for (let looked = 0; ; looked++) {
      // Each time anew: the policy may have gone while we waited, or tokens have been stopped.
      const policy = await mayReadEvents(this.#ports, caller, organisation);
      if (looked === 0 && cursor !== undefined)
        after = await this.#cursors.read(organisation, client, cursor);
      const leftMs = deadline - clock.monotonicMs();
      // Listen first, then look: an event that comes in between is announced to us.
      const announced = leftMs > 0 ? announcements.next(organisation, leftMs) : undefined;
      const cancel = () => announced?.cancel();
      signal?.addEventListener("abort", cancel);
      try {
        const found = await this.#scan(request, policy, after, limit);
        if (after === undefined) truncated = found.truncated;
        after = found.after;
        if (found.events.length > 0 || found.more || announced === undefined || signal?.aborted) {
          return {
            events: found.events,
            cursor: await this.#cursors.make(organisation, client, after),
            truncated,
          };
        }
        await announced.arrived;
        // Its proof was looked at before it waited.
        const standing = await clients.findStanding(client);
        if (standing?.state !== "active") throw new Problem("invalid_client");
      } finally {
        signal?.removeEventListener("abort", cancel);
        cancel();
      }
    }
  }

  find(caller: Caller, id: EventId): Promise<ToldEvent> {
    return findEvent(this.#ports, caller, id);
  }

  /** Looks from a place on until so many are found that may be told, the log ends, or enough was looked at. */
  async #scan(
    { caller, organisation, kinds }: ReadEvents,
    policy: Policy | undefined,
    from: EventPosition | undefined,
    limit: number,
  ) {
    const events: ToldEvent[] = [];
    const now = this.#ports.clock.now();
    let after = from;
    let truncated = false;
    for (let scanned = 0; ; ) {
      const answer = await this.#ports.log.read(organisation, after, SCANNED_AT_ONCE);
      if (answer.kind === "expired") throw expired();
      if (after === undefined) truncated = answer.floor > 0;
      scanned += SCANNED_AT_ONCE;
      after = answer.next;
      for (const event of answer.events) {
        if (kinds !== undefined && !kinds.includes(event.kind)) continue;
        const told = tellEvent(event, { ...caller, policy }, now);
        if (told === undefined) continue;
        events.push(told);
        if (events.length === limit) return { events, after: event.position, truncated, more: true };
      }
      if (answer.ended) return { events, after, truncated, more: false };
      if (scanned >= SCANNED_MAX) return { events, after, truncated, more: true };
    }
  }
}

const expired = () =>
  new Problem("cursor_expired", {
    instead: {
      remedy: "client",
      action: "Look at what you follow once as it stands now, then read events without a cursor.",
    },
  });
