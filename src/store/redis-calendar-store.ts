import type {
  CalendarFetch,
  CalendarLink,
  CalendarOwner,
  CalendarStore,
  CalendarVersion,
} from "../broker/calendar/ports.ts";
import type { AuditNote } from "../broker/ports.ts";
import { type Route, routeOf, type ServerId } from "../domain/id.ts";
import { type Instant, minutes } from "../domain/instant.ts";
import { calendarKey, calendarOfKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

/** A handful of devices and services that ask each quarter of an hour, and somebody who presses *refresh*. */
const FETCH_EVERY_MS = minutes(1);
const FETCH_BURST = 30;

export class RedisCalendarStore implements CalendarStore {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async findCalendar(owner: CalendarOwner): Promise<CalendarLink | undefined> {
    const digest = await this.#store.call((redis) => redis.get(indexOf(owner)));
    if (digest === null) return undefined;
    const [createdAt, fetchedAt] = await this.#store.call((redis) =>
      redis.hmget(calendarKey(routeOf(owner.server), digest), "created_at", "fetched_at"),
    );
    if (!createdAt) return undefined;
    return { createdAt: Number(createdAt), fetchedAt: fetchedAt ? Number(fetchedAt) : undefined };
  }

  async putCalendar(
    owner: CalendarOwner,
    digest: string,
    instead: Instant | undefined,
    note: AuditNote,
  ): Promise<"stored" | "another_stands"> {
    return (await this.#store.run(
      "calendar-put",
      [indexOf(owner), calendarKey(routeOf(owner.server), digest)],
      [digest, instead ?? "", owner.server, owner.customerId, owner.userId, note.actor, note.requestId],
    )) as "stored" | "another_stands";
  }

  async dropCalendar(owner: CalendarOwner, note: AuditNote): Promise<"revoked" | "none"> {
    return (await this.#store.run(
      "calendar-drop",
      [indexOf(owner)],
      [owner.server, note.actor, note.requestId],
    )) as "revoked" | "none";
  }

  async fetchCalendar(route: Route, digest: string): Promise<CalendarFetch> {
    const [server, customerId, userId, wait, sequence, content, changedAt] = (await this.#store.run(
      "calendar-fetch",
      [calendarKey(route, digest)],
      [FETCH_EVERY_MS, FETCH_BURST],
    )) as [ServerId?, string?, string?, number?, string?, string?, string?];
    if (server === undefined) return { kind: "unknown" };
    const owner: CalendarOwner = { server, customerId: customerId!, userId: userId! };
    if (wait! > 0) return { kind: "too_often", owner, retryAfterMs: wait! };
    const told =
      content === ""
        ? undefined
        : { content: content!, sequence: Number(sequence), changedAt: Number(changedAt) };
    return { kind: "found", owner, told };
  }

  async noteContent(route: Route, digest: string, content: string): Promise<CalendarVersion | undefined> {
    const [sequence, changedAt] = (await this.#store.run(
      "calendar-note",
      [calendarKey(route, digest)],
      [content],
    )) as [string?, string?];
    return sequence === undefined ? undefined : { sequence: Number(sequence), changedAt: Number(changedAt) };
  }
}

const indexOf = ({ server, customerId, userId }: CalendarOwner): string =>
  calendarOfKey(server, customerId, userId);
