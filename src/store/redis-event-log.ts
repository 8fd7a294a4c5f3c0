import type { GrantBinding } from "../broker/grants/ports.ts";
import { isEventKind } from "../domain/event-kinds.ts";
import {
  type EventId,
  type EventPosition,
  eventId,
  eventPosition,
  type OrganisationId,
  organisationId,
  routeOf,
} from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { EventLog, ReadEventsAnswer, StoredEvent } from "../events/ports.ts";
import { eventsKey, gateKey } from "./keys.ts";
import { fieldsOf } from "./redis-grant-store.ts";
import type { RedisStore } from "./redis-store.ts";

/** Removed in one script: a hundred of the stream's nodes, which takes Redis well under a millisecond. */
const TRIMMED_AT_ONCE = 10_000;

type Entry = [id: string, flat: string[]];

export class RedisEventLog implements EventLog {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async newest(organisation: OrganisationId): Promise<EventPosition> {
    const entries = await this.#store.call((redis) =>
      redis.xrevrange(eventsKey(organisation), "+", "-", "COUNT", 1),
    );
    if (entries[0] !== undefined) return positionOf(entries[0]);
    const [, newest] = await this.#read(organisation, undefined, 1);
    return { number: newest, at: 0 };
  }

  async floor(organisation: OrganisationId): Promise<number> {
    return (await this.#read(organisation, undefined, 1))[0];
  }

  async read(
    organisation: OrganisationId,
    after: EventPosition | undefined,
    limit: number,
  ): Promise<ReadEventsAnswer> {
    const [floor, , entries] = await this.#read(organisation, after, limit);
    if (entries === null) return { kind: "expired", floor };
    const last = entries.at(-1);
    return {
      kind: "read",
      events: entries.map((entry) => eventOf(organisation, entry)).filter((event) => event !== undefined),
      next: last === undefined ? (after ?? { number: floor, at: 0 }) : positionOf(last),
      ended: entries.length < limit,
      floor,
    };
  }

  async find(id: EventId): Promise<StoredEvent | undefined> {
    const position = eventPosition(id);
    if (position === undefined) return undefined;
    const organisation = organisationId(routeOf(id));
    const number = `${position.number}-0`;
    const [entry] = await this.#store.call((redis) => redis.xrange(eventsKey(organisation), number, number));
    const event = entry && eventOf(organisation, entry);
    return event?.id === id ? event : undefined;
  }

  async trim(organisation: OrganisationId, keptMs: Milliseconds, keptMax: number): Promise<number> {
    const keys = [gateKey(organisation), eventsKey(organisation)];
    return Number(await this.#store.run("events-trim", keys, [keptMs, keptMax, TRIMMED_AT_ONCE]));
  }

  async #read(organisation: OrganisationId, after: EventPosition | undefined, limit: number) {
    return (await this.#store.run(
      "events-read",
      [gateKey(organisation), eventsKey(organisation)],
      [after?.number ?? "", after?.at ?? "", limit],
    )) as [floor: number, newest: number, entries: Entry[] | null];
  }
}

const positionOf = ([id, flat]: Entry): EventPosition => ({
  number: Number(id.slice(0, id.indexOf("-"))),
  at: Number(fieldsOf(flat).at),
});

/** Undefined: of a kind that a later version has written. */
function eventOf(organisation: OrganisationId, entry: Entry): StoredEvent | undefined {
  const { at: _, kind = "", ...fields } = fieldsOf(entry[1]);
  if (!isEventKind(kind)) return undefined;
  const position = positionOf(entry);
  const bindings = JSON.parse(fields.bindings ?? "[]") as (GrantBinding & { since?: string })[];
  return {
    id: eventId(organisation, position),
    organisation,
    position,
    kind,
    fields,
    bindings: bindings.map((binding) => ({ ...binding, since: Number(binding.since ?? 0) })),
  };
}
